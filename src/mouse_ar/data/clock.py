"""Seconds to frames, by a video's own timestamps."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Clock", "Timing"]

# Tables print milliseconds: a time may lie this much beside the frame it was taken from.
_ROUNDING_SECONDS = 0.0006


class Timing(Protocol):
    """What is needed of a video; :class:`mouse_ar.video.probe.VideoMeta` has it."""

    @property
    def fps(self) -> float:
        """Average frames per second."""

    @property
    def timestamps_seconds(self) -> NDArray[np.float64]:
        """Presentation time of every frame, (T,), ascending; need not start at 0."""


class Clock:
    """Times since a video's first frame as frames, also where the rate varies.

    Before the first and after the last frame it counts on with the average rate, so that a time
    outside of the video gives a frame outside of it.
    """

    def __init__(self, timing: Timing) -> None:
        times_T = np.asarray(timing.timestamps_seconds, dtype=np.float64)
        if not len(times_T):
            raise ValueError("expected a video with at least one frame, got none")
        self._times_T = times_T - times_T[0]
        self._fps = timing.fps

    @property
    def duration_seconds(self) -> float:
        """End of the last frame."""
        return float(self._times_T[-1]) + 1 / self._fps

    def frame_at(self, seconds: float) -> int:
        """Frame on screen at a moment."""
        seconds += _ROUNDING_SECONDS
        if seconds < 0:
            return math.floor(seconds * self._fps)
        if seconds >= self.duration_seconds:
            return len(self._times_T) + math.floor((seconds - self.duration_seconds) * self._fps)
        return int(np.searchsorted(self._times_T, seconds, side="right")) - 1

    def span(self, start: float, stop: float) -> tuple[int, int]:
        """Frames [first, stop) on screen within the seconds [start, stop); at least one."""
        first = self.frame_at(start)
        return first, max(self._frames_before(stop), first + 1)

    def around(self, frame: int, seconds: float) -> tuple[int, int]:
        """Frames [first, stop) of an event of this length with ``frame`` in its middle.

        Cut to the video; a frame outside of it gives itself only.
        """
        total = len(self._times_T)
        if not 0 <= frame < total:
            return frame, frame + 1
        length = max(1, round(seconds * self._fps))
        first = frame - length // 2
        return max(first, 0), min(first + length, total)

    def _frames_before(self, seconds: float) -> int:
        """How many frames start before a moment."""
        seconds -= _ROUNDING_SECONDS
        # Containers often claim up to a frame more than they hold; that is no overshoot.
        late = seconds - self.duration_seconds - 1 / self._fps
        if late > 0:
            return len(self._times_T) + math.ceil(late * self._fps)
        return int(np.searchsorted(self._times_T, seconds, side="left"))
