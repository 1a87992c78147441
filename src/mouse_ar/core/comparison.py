"""Treatment against control: one value per animal, effect sizes, and one test.

The animal is the unit: its videos are pooled, so that an animal filmed twice does not count twice.

* *Hedges' g* is the difference of means in units of the pooled standard deviation, times the
  exact correction for small samples (Hedges 1981, J. Educ. Stat. 6, 107-128, eq. 6e). Its 95 %
  interval is that of the population's standardised difference by the noncentral t distribution
  (Cumming & Finch 2001, Educ. Psychol. Meas. 61, 532-574).
* The *difference of means* comes with a 95 % percentile bootstrap interval; animals are drawn
  within their group.
* The *test* is a two-sided permutation test of the difference of means: exact up to
  :data:`MOST_EXACT` ways to share the animals out, of as many random ones above. It is done on one
  measure alone, which is chosen before; over the actions its p-values are corrected by Holm
  (1979, Scand. J. Stat. 6, 65-70).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.types import Bout, Ethogram, merge_intervals

__all__ = [
    "MEASURES",
    "MOST_EXACT",
    "Comparison",
    "animal_values",
    "compare",
    "hedges_g",
    "holm",
    "mean_interval",
    "permutation_p",
    "smallest_p",
]

MEASURES: Mapping[str, str] = {
    "bouts_per_hour": "bouts per hour of video",
    "time_share": "share of the time with the action",
    "mean_bout_seconds": "mean length of a bout (s)",
    "latency_seconds": "time to the first bout (s)",
}
"""What is compared, and what it is called."""

MOST_EXACT = 20_000
_RESAMPLES = 9_999
_CONFIDENCE = 0.95

DoubleArray = NDArray[np.float64]
Video = tuple[Ethogram, DoubleArray]
"""Bouts, and when each frame begins and the last one ends: float64 (T + 1,)."""


@dataclass(frozen=True)
class Comparison:
    """One measure of one action in two groups; what cannot be computed is None.

    Args:
        action: name of the action.
        measure: one of :data:`MEASURES`.
        control: value of each control animal that has one.
        treatment: likewise.
        difference: treatment's mean less the control's.
        difference_interval: 95 % bootstrap interval of it.
        g: Hedges' g, positive where the treatment has more.
        g_interval: its 95 % interval.
        p: of the test; None but for the primary measure.
        p_holm: p corrected for the number of actions.
    """

    action: str
    measure: str
    control: tuple[float, ...]
    treatment: tuple[float, ...]
    difference: float | None = None
    difference_interval: tuple[float, float] | None = None
    g: float | None = None
    g_interval: tuple[float, float] | None = None
    p: float | None = None
    p_holm: float | None = None


def animal_values(
    videos: Sequence[Video], *, actions: ActionSet
) -> dict[str, dict[str, float | None]]:
    """The measures of one animal by action, over all its videos.

    Counts, times and lengths are pooled. Latency is the mean over the videos that have a bout;
    it and the length do not exist (None) where there is none.

    Args:
        videos: those of the animal.
        actions: what to report.

    Raises:
        ValueError: the videos have no length.
    """
    video_seconds = sum(float(edges[-1]) for _, edges in videos)
    if not video_seconds > 0:
        raise ValueError("The animal's videos hold no frames: nothing can be measured in them.")
    return {
        name: _animal_action([(seen.of(name), edges) for seen, edges in videos], video_seconds)
        for name in actions.names
    }


def _animal_action(
    videos: Sequence[tuple[tuple[Bout, ...], DoubleArray]], video_seconds: float
) -> dict[str, float | None]:
    lengths, latencies, total = [], [], 0.0
    for bouts, edges in videos:
        intervals = [bout.interval for bout in bouts]
        lengths += [float(edges[i.stop] - edges[i.start]) for i in intervals]
        total += sum(float(edges[i.stop] - edges[i.start]) for i in merge_intervals(intervals))
        if intervals:
            latencies.append(float(edges[intervals[0].start]))
    return {
        "bouts_per_hour": len(lengths) / video_seconds * 3600,
        "time_share": total / video_seconds,
        "mean_bout_seconds": fmean(lengths) if lengths else None,
        "latency_seconds": fmean(latencies) if latencies else None,
    }


def compare(
    control: Sequence[Mapping[str, Mapping[str, float | None]]],
    treatment: Sequence[Mapping[str, Mapping[str, float | None]]],
    *,
    actions: ActionSet,
    primary: str = "bouts_per_hour",
    seed: int = 0,
) -> list[Comparison]:
    """Every measure of every action, in their orders; only the primary one is tested.

    Args:
        control: :func:`animal_values` of each control animal.
        treatment: of each treated animal.
        actions: what to compare.
        primary: the measure that was chosen for the test before the data were seen.
        seed: drives the bootstrap, and the test where it is not exact.

    Raises:
        ValueError: ``primary`` is no measure, or a group has fewer than two animals.
    """
    if primary not in MEASURES:
        raise ValueError(f"Unknown measure {primary!r}; allowed: {', '.join(MEASURES)}.")
    if min(len(control), len(treatment)) < 2:
        raise ValueError(
            f"Each group needs two animals or more, got {len(control)} control and "
            f"{len(treatment)} treated."
        )
    found = []
    for action in actions.names:
        for measure in MEASURES:
            control_values, treatment_values = (
                tuple(float(v) for a in animals if (v := a[action][measure]) is not None)
                for animals in (control, treatment)
            )
            row = Comparison(action, measure, control_values, treatment_values)
            result = _compare_one(row, seed=seed)
            if measure == primary and result.difference is not None:
                p = permutation_p(result.control, result.treatment, seed=seed)
                result = replace(result, p=p)
            found.append(result)
    corrected = iter(holm([row.p for row in found if row.p is not None]))
    return [row if row.p is None else replace(row, p_holm=next(corrected)) for row in found]


def _compare_one(row: Comparison, *, seed: int) -> Comparison:
    if min(len(row.control), len(row.treatment)) < 2:
        return row
    g, g_interval = hedges_g(row.control, row.treatment)
    drawn = stats.bootstrap(
        (np.array(row.treatment), np.array(row.control)),
        _difference,
        n_resamples=_RESAMPLES,
        vectorized=True,
        confidence_level=_CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return replace(
        row,
        difference=fmean(row.treatment) - fmean(row.control),
        difference_interval=(float(drawn.low), float(drawn.high)),
        g=g,
        g_interval=g_interval,
    )


def _difference(one: DoubleArray, other: DoubleArray, axis: int = -1) -> DoubleArray:
    difference: DoubleArray = one.mean(axis=axis) - other.mean(axis=axis)
    return difference


def hedges_g(
    control: Sequence[float], treatment: Sequence[float]
) -> tuple[float | None, tuple[float, float] | None]:
    """Hedges' g of two groups of two or more and its 95 % interval; None where all are equal."""
    n, m = len(control), len(treatment)
    freedom = n + m - 2
    pooled = math.sqrt(
        ((n - 1) * np.var(control, ddof=1) + (m - 1) * np.var(treatment, ddof=1)) / freedom
    )
    # Of equal values only rounding is left.
    if pooled <= 1e-12 * max(map(abs, (*control, *treatment)), default=0.0):
        return None, None
    d = (fmean(treatment) - fmean(control)) / pooled
    correction = math.exp(special.gammaln(freedom / 2) - special.gammaln((freedom - 1) / 2))
    correction /= math.sqrt(freedom / 2)
    scale = math.sqrt(n * m / (n + m))
    # Of a negative t the distribution is not computed as far out as of its mirror image.
    ends = [
        _noncentrality(abs(d) * scale, freedom, share)
        for share in ((1 + _CONFIDENCE) / 2, (1 - _CONFIDENCE) / 2)
    ]
    low, high = (None if end is None else math.copysign(1, d) * end / scale for end in ends)
    if low is None or high is None:
        return d * correction, None
    return d * correction, (min(low, high), max(low, high))


def _noncentrality(t: float, freedom: int, share: float) -> float | None:
    """The noncentrality under which a share of the t distribution lies below ``t``."""

    def miss(value: float) -> float:
        return float(stats.nct.cdf(t, freedom, value)) - share

    # About the standard error of the noncentrality; the share falls as that grows.
    step = math.sqrt(1 + t**2 / (2 * freedom))
    direction = 1 if share < 0.5 else -1
    for steps in range(1, 30):
        far, before = (t + direction * count * step for count in (steps, steps - 1))
        if not math.isfinite(miss(far)):
            return None  # too far out to be computed
        if miss(far) * miss(before) <= 0:
            return float(optimize.brentq(miss, min(far, before), max(far, before)))
    return None


def permutation_p(control: Sequence[float], treatment: Sequence[float], *, seed: int) -> float:
    """Two-sided p of the permutation test of the difference of means."""
    result = stats.permutation_test(
        (np.array(treatment), np.array(control)),
        _difference,
        n_resamples=MOST_EXACT,
        vectorized=True,
        rng=np.random.default_rng(seed),
    )
    return float(result.pvalue)


def smallest_p(control: int, treatment: int) -> float:
    """The smallest p that the test can give with so many animals."""
    return max(2 / math.comb(control + treatment, control), 2 / (MOST_EXACT + 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for their number, in their order."""
    order = np.argsort(p_values, kind="stable")
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(order.tolist()):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = highest
    return corrected


def mean_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """95 % interval of a group's mean by Student's t; None below two values."""
    if len(values) < 2:
        return None
    half = stats.sem(values) * stats.t.ppf((1 + _CONFIDENCE) / 2, len(values) - 1)
    return fmean(values) - float(half), fmean(values) + float(half)
