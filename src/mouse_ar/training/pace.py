"""How fast a run is, and how long it will take."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["Pace"]


class Pace:
    """A stopwatch of training steps.

    Args:
        steps: still to be done.
        windows_per_step: of all processes.
        device: whose memory is told.
    """

    def __init__(self, *, steps: int, windows_per_step: int, device: torch.device) -> None:
        self._steps, self._windows, self._device = steps, windows_per_step, device
        self._started = self._mark = time.monotonic()
        self._done = self._recent = 0
        self._waited = 0.0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Around the time in which the device has nothing to do."""
        start = time.monotonic()
        yield
        self._waited += time.monotonic() - start

    def stepped(self) -> None:
        """Count a step."""
        self._done += 1
        self._recent += 1

    def figures(self) -> dict[str, float]:
        """Figures since the last call; the ETA goes by all steps, validation between them too."""
        now = time.monotonic()
        recent = max(now - self._mark, 1e-9)
        figures = {
            "windows_per_second": round(self._recent * self._windows / recent, 2),
            "data_wait": round(min(1.0, self._waited / recent), 4),
            "memory_mb": round(self._memory_bytes() / 1e6),
            "eta_seconds": round(
                (now - self._started) / self._done * (self._steps - self._done), 1
            ),
        }
        self._mark, self._recent, self._waited = now, 0, 0.0
        return figures

    def _memory_bytes(self) -> float:
        """The most that was in use: of the GPU, or of the process."""
        if self._device.type == "cuda":
            return float(torch.cuda.max_memory_allocated(self._device))
        # Kilobytes on Linux, bytes on macOS.
        unit = 1 if sys.platform == "darwin" else 1024
        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * unit
