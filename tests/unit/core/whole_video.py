"""Window scores of a whole video at once, through the accumulator that scoring uses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mouse_ar.core.aggregation import ScoreAccumulator
from mouse_ar.core.types import ActionScores, Window


def aggregate(
    windows: Sequence[Window],
    scores_NK: np.ndarray,
    *,
    num_frames: int,
    classes: Sequence[str],
    fps: float = 25,
) -> ActionScores:
    accumulator = ScoreAccumulator(num_frames, classes=classes, fps=fps)
    accumulator.add(windows, scores_NK)
    return accumulator.result()
