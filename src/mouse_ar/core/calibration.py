"""Do scores mean what they say: of the frames with a score of 0.8, is the action in 80 %?

What makes them mean it is Platt scaling (``core.platt``), fitted by maximum likelihood with his
smoothed targets: J. Platt, Probabilistic outputs for support vector machines, 1999. Where the
frames at hand have another share of the action than whole videos, the two classes are weighted to
the wanted prior, as in M. Saerens et al., Adjusting the outputs of a classifier to new a priori
probabilities, Neural Computation 14, 2002.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.fitting import MIN_BOUTS
from mouse_ar.core.metrics import ignored_mask, keep_true_bouts
from mouse_ar.core.platt import Calibration, Platt, logit
from mouse_ar.core.types import ActionScores, Ethogram, Interval

__all__ = ["Reliability", "fit_calibration", "fit_platt", "reliability"]


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


def fit_platt(
    score_T: NDArray[np.floating], truth_T: NDArray[np.bool_], *, prior: float | None = None
) -> Platt | None:
    """Fit the map to frames with known truth by maximum likelihood.

    Args:
        score_T: (T,), 0..1.
        truth_T: bool (T,), whether the action is there.
        prior: share of frames with the action where the map is to be used, when that is not the
            share among these frames (clips are cut around actions).

    Returns:
        None where there is nothing to fit: one class only, or scores that tell nothing.

    Raises:
        ValueError: the lengths differ, or the prior is no share.
    """
    if score_T.shape != truth_T.shape:
        raise ValueError(
            f"fit_platt: got {score_T.shape} scores and {truth_T.shape} labels, expected as many."
        )
    if prior is not None and not 0 < prior < 1:
        raise ValueError(f"fit_platt: prior must lie between 0 and 1, got {prior}.")
    positive = int(truth_T.sum())
    negative = len(truth_T) - positive
    if not positive or not negative:
        return None
    target_T = np.where(truth_T, (positive + 1) / (positive + 2), 1 / (negative + 2))
    share = positive / len(truth_T)
    wanted = share if prior is None else prior
    weight_T = np.where(truth_T, wanted / share, (1 - wanted) / (1 - share)) / len(truth_T)
    logit_T = logit(score_T)

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z_T = values[0] * logit_T + values[1]
        # -t log(s) - (1 - t) log(1 - s) with s = sigmoid(z), without overflow
        total = float(weight_T @ (np.logaddexp(0, z_T) - target_T * z_T))
        slope_T = weight_T * (special.expit(z_T) - target_T)
        return total, np.array([slope_T @ logit_T, slope_T.sum()])

    found = optimize.minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B")
    slope, intercept = (float(value) for value in found.x)
    if not np.isfinite(found.x).all() or slope <= 0:
        return None
    return Platt(slope, intercept, "")


def fit_calibration(
    videos: Sequence[tuple[ActionScores, Ethogram]],
    *,
    actions: ActionSet,
    ignored: Sequence[Sequence[Interval]] | None = None,
    priors: Mapping[str, float] | None = None,
    min_bouts: int = MIN_BOUTS,
) -> Calibration:
    """Fit the map of each action to videos with known bouts, none of them in the training.

    Args:
        videos: scores and true ethogram of each.
        actions: what to fit.
        ignored: per video, intervals that are left out.
        priors: share of frames with an action in whole videos, where these are clips.
        min_bouts: fewest true bouts of an action; with fewer its scores stay as they are.
    """
    ignored = ignored if ignored is not None else [()] * len(videos)
    masks = [
        ignored_mask(part, num_frames=truth.num_frames)
        for (_, truth), part in zip(videos, ignored, strict=True)
    ]
    maps = {}
    for name in actions.names:
        bouts = sum(
            len(keep_true_bouts(truth.of(name), mask))
            for (_, truth), mask in zip(videos, masks, strict=True)
        )
        if bouts < min_bouts:
            maps[name] = Platt(
                reason=f"the score as it is: only {bouts} true bouts, at least {min_bouts} are "
                "needed to calibrate"
            )
            continue
        pairs = list(zip(videos, masks, strict=True))
        score = np.concatenate([scores.of(name)[~mask] for (scores, _), mask in pairs])
        truth = np.concatenate([true.mask(name)[~mask] for (_, true), mask in pairs])
        found = fit_platt(score, truth, prior=(priors or {}).get(name))
        maps[name] = (
            Platt(reason="the score as it is: it does not rise with the action")
            if found is None
            else Platt(
                found.slope,
                found.intercept,
                f"calibrated on {len(score)} frames with {bouts} true bouts",
            )
        )
    return Calibration(maps)
