"""Every request: in memory for assertions, and in a file of JSON lines."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Record:
    """One request.

    Args:
        endpoint: its name, e.g. ``videos.info``; of a session ``net/<path>``.
        data: JSON body; of uploads what the parts are.
        status: of the answer; None when there was none.
        fault: kind of the injected fault.
    """

    endpoint: str
    data: Any = None
    status: int | None = None
    fault: str | None = None
    began: float = field(default_factory=time.time)


class RequestLog:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.records: list[Record] = []
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)

    def begin(self, record: Record) -> None:
        with self._lock:
            self.records.append(record)

    def end(self, record: Record) -> None:
        """Write the line; never headers, which hold tokens."""
        line = {
            "time": record.began,
            "seconds": round(time.time() - record.began, 4),
            "endpoint": record.endpoint,
            "status": record.status,
            "fault": record.fault,
            "data": record.data,
        }
        with self._lock, self.path.open("a") as out:
            out.write(json.dumps(line, default=str) + "\n")

    def called(self, endpoint: str) -> list[Any]:
        """Bodies of all requests to an endpoint."""
        with self._lock:
            return [r.data for r in self.records if r.endpoint == endpoint]

    def clear(self) -> None:
        with self._lock:
            self.records.clear()
