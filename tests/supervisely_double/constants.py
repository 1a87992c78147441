"""Who and what every double knows from the start."""

from __future__ import annotations

TOKEN = "t" * 128
LOGIN = "tester"
USER, TEAM, WORKSPACE, AGENT = 5, 7, 70, 700
SERVE_MODULE = 31
INSTANCE_VERSION = "6.18.3"

API_PREFIX = "/public/api/v3/"
NET_PREFIX = "/net/"
# The real service takes that many figures in a request.
MAX_FIGURES = 100
VIDEO_EXTENSIONS = (".avi", ".mp4", ".3gp", ".flv", ".webm", ".wmv", ".mov", ".mkv")
