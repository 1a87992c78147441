"""Scores of overlapping windows -> class probabilities of every frame.

A window's score speaks for the central half of the window (see ``core.windows``). Its weight is
therefore a triangle over that half: 1 at the window's centre, falling to 0 a quarter window away.
At a stride of a quarter window this is exactly linear interpolation between window centres; at
smaller strides it averages; it never blurs more than the scores themselves do, so short events
keep their height. Being symmetric, it leaves the 0.5 crossing of a step where the step is.
Outside the central half a window keeps a tiny weight, so that a frame which no central half
covers (strides above a quarter) takes the score of the windows around it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.types import ActionScores, Window

__all__ = ["ScoreAccumulator", "center_weights"]

FloatArray = NDArray[np.float32]
DoubleArray = NDArray[np.float64]

_FLOOR = 1e-3  # weight outside the central half: decides only where nothing better is known


def center_weights(window_frames: int) -> DoubleArray:
    """Weight of a window's score for each of its frames: float64 (W,), symmetric, all > 0.

    ``max(1e-3, 1 - |frame centre - window centre| / (W / 4))``.
    """
    distance_W = np.abs(np.arange(window_frames) + 0.5 - window_frames / 2)
    weights_W: DoubleArray = np.maximum(_FLOOR, 1.0 - distance_W / max(window_frames / 4, 1.0))
    return weights_W


class ScoreAccumulator:
    """Collects window scores in any order and batch size; memory grows with frames only.

    Scores are binned by the window's first frame and spread over the window once, in
    :meth:`result`, which may be called at any time.

    Args:
        num_frames: frames of the video.
        classes: class names, in the order of the score columns.
        fps: average frames per second of the video.
    """

    def __init__(self, num_frames: int, *, classes: Sequence[str], fps: float) -> None:
        self._num_frames = num_frames
        self._classes = tuple(classes)
        self._fps = fps
        self._window_frames: int | None = None
        self._sums = np.zeros((num_frames, len(self._classes) + 1))

    def add(self, windows: Sequence[Window], window_scores_NK: FloatArray) -> None:
        """Take the scores of some windows.

        Args:
            windows: N windows, all of one length; they may reach over the video's edges.
            window_scores_NK: (N, K) class probabilities, columns as in ``classes``.

        Raises:
            ValueError: on a wrong shape, NaN or infinite scores, a window of another length, or
                a window with no frame of the video.
        """
        scores_NK = np.asarray(window_scores_NK, dtype=np.float64)
        expected = (len(windows), len(self._classes))
        if scores_NK.shape != expected:
            raise ValueError(
                f"window scores must have shape {expected} (windows, classes {self._classes}), "
                f"got {scores_NK.shape}."
            )
        if not np.isfinite(scores_NK).all():
            raise ValueError("window scores contain NaN or infinite values.")
        if not windows:
            return
        starts_N = np.fromiter((w.interval.start for w in windows), dtype=np.int64)
        lengths_N = np.fromiter((w.interval.length for w in windows), dtype=np.int64)
        self._check(starts_N, lengths_N)
        rows_N = starts_N + lengths_N - 1
        np.add.at(self._sums, rows_N, np.column_stack([scores_NK, np.ones(len(windows))]))

    def _check(self, starts_N: NDArray[np.int64], lengths_N: NDArray[np.int64]) -> None:
        if self._window_frames is None:
            self._window_frames = int(lengths_N[0])
            rows = self._num_frames + self._window_frames - 1
            self._sums = np.zeros((rows, len(self._classes) + 1))
        other = lengths_N[lengths_N != self._window_frames]
        if other.size:
            raise ValueError(
                f"All windows of a video must have one length: got {self._window_frames} and "
                f"{other[0]} frames."
            )
        outside = starts_N[(starts_N >= self._num_frames) | (starts_N + lengths_N <= 0)]
        if outside.size:
            raise ValueError(
                f"Window [{outside[0]}, {outside[0] + self._window_frames}) has no frame of the "
                f"video's {self._num_frames}."
            )

    def result(self) -> ActionScores:
        """Per-frame scores: the weighted mean of the windows over each frame.

        Raises:
            ValueError: when a frame lies in no window added so far.
        """
        width = self._window_frames or 1
        kernel_W = center_weights(width)
        spread_TK = np.zeros((self._num_frames, len(self._classes) + 1))
        for offset, weight in enumerate(kernel_W[::-1]):
            spread_TK += weight * self._sums[offset : offset + self._num_frames]
        totals_T = spread_TK[:, -1]
        empty = np.flatnonzero(totals_T <= 0)
        if empty.size:
            raise ValueError(
                f"{empty.size} of {self._num_frames} frames lie in no window, the first is frame "
                f"{empty[0]}: plan windows over the whole video (plan_windows)."
            )
        scores_TK = spread_TK[:, :-1] / totals_T[:, None]
        return ActionScores(
            scores_TK=scores_TK.astype(np.float32), classes=self._classes, fps=self._fps
        )
