"""How fast a run is, and which of its stages keeps the others waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

__all__ = ["STAGES", "Meter"]

# In the order of the work; "wait" is the time in which the model has nothing to do.
STAGES = ("decode", "detect", "crop", "model", "wait")


class Meter:
    """Counts from any thread; what is left is judged by the size of the files.

    Files are not opened for it: of hundreds of hours of video the sizes are known at once.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._busy = dict.fromkeys(STAGES, 0.0)
        self._video_seconds = 0.0
        self._bytes: dict[str, int] = {}
        self._shares: dict[str, float] = {}
        self._worked_bytes = 0.0

    def expect(self, sizes: dict[str, Path]) -> None:
        """Name the files that are to be done, by key; files that are elsewhere count as one byte.

        Args:
            sizes: path by key.
        """
        with self._lock:
            self._began = time.monotonic()
            self._bytes = {
                key: path.stat().st_size if path.is_file() else 1 for key, path in sizes.items()
            }

    def busy(self, stage: str) -> Callable[[float], None]:
        """Where a stage reports the time that it works."""
        return partial(self._add, stage)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Count the time of a piece of work."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._add(stage, time.perf_counter() - began)

    def _add(self, stage: str, seconds: float) -> None:
        with self._lock:
            self._busy[stage] += seconds

    def scored(self, key: str, *, share: float, video_seconds: float) -> None:
        """Note that so much more of a video has been done.

        Args:
            key: of the video.
            share: of it that is done now.
            video_seconds: that were done since the last call.
        """
        with self._lock:
            self._video_seconds += video_seconds
            before = self._shares.get(key, 0.0)
            self._shares[key] = share
            if video_seconds:
                self._worked_bytes += (share - before) * self._bytes.get(key, 0)

    def finished(self, key: str) -> None:
        """Note that nothing of a video is left to do, whether it was scored, resumed or failed."""
        with self._lock:
            self._shares[key] = 1.0

    @property
    def share_done(self) -> float:
        """Of all files, by size: 0..1."""
        with self._lock:
            total = sum(self._bytes.values())
            done = sum(size * self._shares.get(key, 0.0) for key, size in self._bytes.items())
        return done / total if total else 0.0

    @property
    def speed(self) -> float:
        """Seconds of video scored per second."""
        elapsed = time.monotonic() - self._began
        return self._video_seconds / elapsed if elapsed > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Until all files are done, if that can be told yet."""
        with self._lock:
            if self._worked_bytes <= 0:
                return None
            left = sum(size * (1 - self._shares.get(k, 0.0)) for k, size in self._bytes.items())
            return (time.monotonic() - self._began) * left / self._worked_bytes

    def shares(self) -> dict[str, float]:
        """How much of the time so far each stage was at work, side by side: 0..1 each."""
        elapsed = max(time.monotonic() - self._began, 1e-9)
        with self._lock:
            return {stage: min(1.0, busy / elapsed) for stage, busy in self._busy.items()}

    def take(self, busy: Mapping[str, float], *, workers: int) -> None:
        """Add the seconds of a worker process, which is one of so many."""
        for stage, seconds in busy.items():
            self._add(stage, seconds / workers)

    def drain(self) -> dict[str, float]:
        """Seconds by stage since the last call, for :meth:`take` elsewhere."""
        with self._lock:
            busy, self._busy = self._busy, dict.fromkeys(STAGES, 0.0)
        return busy
