"""Ids and times."""

from __future__ import annotations

import itertools
import time
from datetime import UTC, datetime

_EPOCH_MS = 1_767_225_600_000  # 2026
# Unique across runs: serving apps cache videos by id on disk. One counter for all doubles of a
# process; 100 ids for every millisecond that passes between two processes.
_ids = itertools.count((time.time_ns() // 1_000_000 - _EPOCH_MS) * 100)


def new_id() -> int:
    return next(_ids)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
