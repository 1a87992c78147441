"""Do the numbers a study publishes agree: counts, durations, latencies, edges of bouts.

Errors are predicted minus true: positive is too many, too long or too late. Definitions and
sources are in ``docs/evaluation.md``; a value that does not exist is ``None``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Agreement", "LatencyAgreement", "TimingError", "latency_agreement"]

DoubleArray = NDArray[np.float64]

_FEWEST_TO_CORRELATE = 3  # any two points lie on a line
_NORMAL_95 = 1.96


@dataclass(frozen=True)
class Agreement:
    """True and predicted value of each video, and how well they agree.

    Args:
        videos: names, in the order of the values.
        true: values of the truth.
        predicted: values of the prediction.
    """

    videos: tuple[str, ...]
    true: tuple[float, ...]
    predicted: tuple[float, ...]

    def __post_init__(self) -> None:
        if not len(self.videos) == len(self.true) == len(self.predicted):
            raise ValueError(
                "Agreement needs one true and one predicted value per video, got "
                f"{len(self.videos)} videos, {len(self.true)} and {len(self.predicted)} values."
            )

    @property
    def errors(self) -> DoubleArray:
        """Predicted minus true: float64 (V,)."""
        return np.array(self.predicted, dtype=np.float64) - np.array(self.true, dtype=np.float64)

    @property
    def mean_error(self) -> float | None:
        """Mean of predicted minus true: the bias of a Bland-Altman plot."""
        return float(self.errors.mean()) if self.videos else None

    @property
    def mean_absolute_error(self) -> float | None:
        """Mean size of the error."""
        return float(np.abs(self.errors).mean()) if self.videos else None

    @property
    def total_error_share(self) -> float | None:
        """Error of the sum over all videos as a share of the true sum; None when that is 0."""
        total = sum(self.true)
        return (sum(self.predicted) - total) / total if total else None

    @property
    def limits_of_agreement(self) -> tuple[float, float] | None:
        """Mean error +- 1.96 sample standard deviations; None below two videos.

        Source: J. M. Bland, D. G. Altman, Statistical methods for assessing agreement between two
        methods of clinical measurement, The Lancet 327 (1986), 307-310.
        """
        if len(self.videos) < 2:
            return None
        middle, reach = float(self.errors.mean()), _NORMAL_95 * float(self.errors.std(ddof=1))
        return middle - reach, middle + reach

    @property
    def correlation(self) -> float | None:
        """Pearson's r; None below three videos or where one side is the same in all of them."""
        if len(self.videos) < _FEWEST_TO_CORRELATE:
            return None
        if len(set(self.true)) == 1 or len(set(self.predicted)) == 1:
            return None
        value = float(np.corrcoef(self.true, self.predicted)[0, 1])
        return value if math.isfinite(value) else None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, with the values of each video."""
        limits = self.limits_of_agreement
        return {
            "mean_error": self.mean_error,
            "mean_absolute_error": self.mean_absolute_error,
            "total_error_share": self.total_error_share,
            "limits_of_agreement": None if limits is None else list(limits),
            "correlation": self.correlation,
            "videos": list(self.videos),
            "true": list(self.true),
            "predicted": list(self.predicted),
        }


@dataclass(frozen=True)
class LatencyAgreement:
    """Start of the first bout, in seconds, and the videos that have no such time.

    Args:
        both: videos with a first bout in truth and prediction.
        missed: videos with a true bout and no predicted one.
        invented: videos with a predicted bout and no true one.
        neither: videos without either; the two agree.
    """

    both: Agreement
    missed: int = 0
    invented: int = 0
    neither: int = 0

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            **self.both.to_dict(),
            "missed": self.missed,
            "invented": self.invented,
            "neither": self.neither,
        }


def latency_agreement(
    first_seconds: Mapping[str, tuple[float | None, float | None]],
) -> LatencyAgreement:
    """Compare first bouts.

    Args:
        first_seconds: true and predicted start of the first bout by video; None without one.
    """
    both = {
        video: (true, predicted)
        for video, (true, predicted) in first_seconds.items()
        if true is not None and predicted is not None
    }
    missing = [(true is None, predicted is None) for true, predicted in first_seconds.values()]
    return LatencyAgreement(
        both=Agreement(
            videos=tuple(both),
            true=tuple(true for true, _ in both.values()),
            predicted=tuple(predicted for _, predicted in both.values()),
        ),
        missed=missing.count((False, True)),
        invented=missing.count((True, False)),
        neither=missing.count((True, True)),
    )


@dataclass(frozen=True)
class TimingError:
    """How far the starts or ends of matched bouts lie from the true ones, in seconds.

    Args:
        bouts: matched pairs.
        mean_seconds: mean of predicted minus true; negative is too early.
        mean_absolute_seconds: mean size of the error.
        median_absolute_seconds: median size of the error.
    """

    bouts: int = 0
    mean_seconds: float | None = None
    mean_absolute_seconds: float | None = None
    median_absolute_seconds: float | None = None

    @classmethod
    def of(cls, errors_seconds: Sequence[float] | DoubleArray) -> TimingError:
        """Summary of the errors of matched bouts."""
        errors = np.asarray(errors_seconds, dtype=np.float64)
        if not len(errors):
            return cls()
        return cls(
            bouts=len(errors),
            mean_seconds=float(errors.mean()),
            mean_absolute_seconds=float(np.abs(errors).mean()),
            median_absolute_seconds=float(np.median(np.abs(errors))),
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "bouts": self.bouts,
            "mean_seconds": self.mean_seconds,
            "mean_absolute_seconds": self.mean_absolute_seconds,
            "median_absolute_seconds": self.median_absolute_seconds,
        }
