"""How much memory this process takes, over time."""

from __future__ import annotations

import threading
import time
from pathlib import Path

__all__ = ["MemoryWatch"]

_PAGE = 4096
_EVERY_SECONDS = 0.1


class MemoryWatch:
    """Watches the resident memory of this process while it is entered (Linux)."""

    def __init__(self) -> None:
        self._samples: list[tuple[float, float]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._began = time.perf_counter()

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(_EVERY_SECONDS):
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            self._samples.append((time.perf_counter() - self._began, pages * _PAGE / 1e6))

    def growth_mb(self, *, after: float) -> float:
        """The most that there was since a time over what there was then, in MB."""
        rest = [mb for moment, mb in self._samples if moment >= after]
        return max(rest) - rest[0] if rest else 0.0
