"""The command line ``mouse-ar``."""

from __future__ import annotations

from mouse_ar.cli.app import app, main

__all__ = ["app", "main"]
