"""Do scores mean what they say: of the frames with a score of 0.8, is the action in 80 %?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Reliability", "reliability"]


@dataclass(frozen=True, eq=False)
class Reliability:
    """Frames by their score; bins without a frame are left out.

    Args:
        mean_score: mean score of the frames of each bin, float64 (B,).
        share_true: share of them with the action, float64 (B,).
        frames: how many there are, int64 (B,).
    """

    mean_score: NDArray[np.float64]
    share_true: NDArray[np.float64]
    frames: NDArray[np.int64]

    @property
    def expected_error(self) -> float | None:
        """Mean distance of score and share, weighted by frames; None without a frame.

        Source: M. P. Naeini, G. F. Cooper, M. Hauskrecht, Obtaining well calibrated probabilities
        using Bayesian binning, AAAI 2015 (expected calibration error).
        """
        if not len(self.frames):
            return None
        gaps = np.abs(self.mean_score - self.share_true)
        return float(np.average(gaps, weights=self.frames))


def reliability(
    score_T: NDArray[np.floating], truth_T: NDArray[np.bool_], *, bins: int = 10
) -> Reliability:
    """Share of true frames over the score, in bins of equal width.

    Args:
        score_T: (T,), 0..1.
        truth_T: bool (T,), whether the action is there.
        bins: number of bins.

    Raises:
        ValueError: the lengths differ, or there is no bin.
    """
    if score_T.shape != truth_T.shape or bins < 1:
        raise ValueError(
            f"reliability: got {score_T.shape} scores, {truth_T.shape} labels and {bins} bins, "
            "expected as many scores as labels and at least one bin."
        )
    bin_T = np.minimum((score_T.astype(np.float64) * bins).astype(np.int64), bins - 1)
    frames = np.bincount(bin_T, minlength=bins)
    scores = np.bincount(bin_T, weights=score_T, minlength=bins)
    true = np.bincount(bin_T, weights=truth_T, minlength=bins)
    used = frames > 0
    return Reliability(
        mean_score=scores[used] / frames[used],
        share_true=true[used] / frames[used],
        frames=frames[used].astype(np.int64),
    )
