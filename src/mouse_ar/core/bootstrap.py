"""How sure a figure is: 95 % percentile bootstrap over videos.

Videos, not bouts or frames, are drawn again with replacement: what happens in one video hangs
together, and new videos are what a lab asks about. Source: B. Efron, R. J. Tibshirani, An
Introduction to the Bootstrap, Chapman & Hall 1993, chapter 13.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.results import ActionResult, Counts

__all__ = ["RESAMPLES", "ConfidenceInterval", "Intervals", "bootstrap_intervals"]

DoubleArray = NDArray[np.float64]

RESAMPLES = 1000
_PERCENTILES = (2.5, 97.5)


@dataclass(frozen=True)
class ConfidenceInterval:
    """95 % of the resampled values lie between these two."""

    low: float
    high: float

    def to_dict(self) -> list[float]:
        """JSON-ready."""
        return [self.low, self.high]


@dataclass(frozen=True)
class Intervals:
    """Intervals of the pooled figures; None where fewer than two videos have anything to count.

    Args:
        by_action: by action, then by figure: ``bout_f1``, ``bout_precision``, ``bout_recall``,
            ``frame_f1``, ``frame_precision``, ``frame_recall``, ``false_per_hour``.
        overall: ``macro_bout_f1`` and ``macro_frame_f1``.
        videos: how many were drawn from.
        resamples: how often.
    """

    by_action: Mapping[str, Mapping[str, ConfidenceInterval | None]]
    overall: Mapping[str, ConfidenceInterval | None]
    videos: int
    resamples: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; an interval is [low, high]."""
        return {
            "videos": self.videos,
            "resamples": self.resamples,
            "overall": _plain(self.overall),
            "by_action": {name: _plain(found) for name, found in self.by_action.items()},
        }


def _plain(intervals: Mapping[str, ConfidenceInterval | None]) -> dict[str, list[float] | None]:
    return {name: None if ci is None else ci.to_dict() for name, ci in intervals.items()}


def bootstrap_intervals(
    per_video: Mapping[str, Mapping[str, ActionResult]],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Intervals:
    """Intervals of the pooled figures.

    Each resample adds up the counts of as many videos as there are, drawn with replacement.
    Resamples in which a figure is undefined are left out of its percentiles.

    Args:
        per_video: results by video, then by action; every video has the same actions.
        resamples: how often to draw.
        seed: of the drawing.
    """
    videos = list(per_video.values())
    times_RV = np.zeros((resamples, 0))
    if videos:
        draws = np.random.default_rng(seed).multinomial(
            len(videos), np.full(len(videos), 1 / len(videos)), size=resamples
        )
        times_RV = draws.astype(np.float64)
    parts = {
        action: {
            figure: np.array([_ratios(video[action])[figure] for video in videos], dtype=np.float64)
            for figure in _ratios(ActionResult())
        }
        for action in (videos[0] if videos else ())
    }
    return Intervals(
        by_action={
            action: {figure: _interval([over_V2], times_RV) for figure, over_V2 in figures.items()}
            for action, figures in parts.items()
        },
        overall={
            f"macro_{figure}": _interval([figures[figure] for figures in parts.values()], times_RV)
            for figure in ("bout_f1", "frame_f1")
        },
        videos=len(videos),
        resamples=resamples,
    )


def _ratios(result: ActionResult) -> dict[str, tuple[float, float]]:
    """Numerator and denominator of each figure: pooled figures are ratios of sums."""

    def of(counts: Counts, name: str) -> dict[str, tuple[float, float]]:
        tp, fp, fn = counts.tp, counts.fp, counts.fn
        return {
            f"{name}_precision": (tp, tp + fp),
            f"{name}_recall": (tp, tp + fn),
            f"{name}_f1": (2 * tp, 2 * tp + fp + fn),
        }

    rate = (result.bouts.fp * 3600.0, result.scored_seconds)
    return of(result.bouts, "bout") | of(result.frames, "frame") | {"false_per_hour": rate}


def _interval(parts: list[DoubleArray], times_RV: DoubleArray) -> ConfidenceInterval | None:
    """Of the mean of some ratios; None where fewer than two videos have something to count.

    Args:
        parts: float64 (V, 2) each, numerators and denominators by video.
        times_RV: float64 (R, V), how often each resample has each video.
    """
    if not parts or np.any([over_V2[:, 1] > 0 for over_V2 in parts], axis=0).sum() < 2:
        return None
    sums_AR2 = np.array([times_RV @ over_V2 for over_V2 in parts])
    defined_AR = sums_AR2[..., 1] > 0
    values_AR = np.divide(
        sums_AR2[..., 0], sums_AR2[..., 1], out=np.zeros(defined_AR.shape), where=defined_AR
    )
    number_R = defined_AR.sum(axis=0)
    means = values_AR.sum(axis=0)[number_R > 0] / number_R[number_R > 0]
    low, high = np.percentile(means, _PERCENTILES)
    return ConfidenceInterval(low=float(low), high=float(high))
