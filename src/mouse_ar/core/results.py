"""Evaluation results: counts, what follows from them, and their JSON form.

Definitions are in ``core.metrics``. A value whose denominator is 0 is ``None``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mouse_ar.core.matching import MatchRule

__all__ = ["ActionResult", "Counts", "Evaluation", "mean_of"]


@dataclass(frozen=True)
class Counts:
    """True positives, false positives and false negatives of frames or bouts."""

    tp: int = 0
    fp: int = 0
    fn: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)

    @property
    def precision(self) -> float | None:
        """Share of the predicted that is true; None when nothing was predicted."""
        return self.tp / (self.tp + self.fp) if self.tp + self.fp else None

    @property
    def recall(self) -> float | None:
        """Share of the true that was predicted; None when nothing is true."""
        return self.tp / (self.tp + self.fn) if self.tp + self.fn else None

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall; None when nothing is true or predicted."""
        total = 2 * self.tp + self.fp + self.fn
        return 2 * self.tp / total if total else None

    def to_dict(self) -> dict[str, Any]:
        """Counts and the values that follow from them."""
        return {
            "tp": self.tp,
            "fp": self.fp,
            "fn": self.fn,
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
        }


@dataclass(frozen=True)
class ActionResult:
    """Scores of one action in one video or pooled over several; results add up.

    Args:
        frames: frame-level counts.
        bouts: bout-level counts.
        true_seconds: scored time with the action in the truth.
        predicted_seconds: scored time with the action in the prediction.
        scored_seconds: time that was scored.
        average_precision: area under the frame-level precision-recall curve, when scores were
            given and the action occurs.
    """

    frames: Counts = Counts()
    bouts: Counts = Counts()
    true_seconds: float = 0.0
    predicted_seconds: float = 0.0
    scored_seconds: float = 0.0
    average_precision: float | None = None

    def __add__(self, other: ActionResult) -> ActionResult:
        """Sum of the counts and times; average precision does not add up and is dropped."""
        return ActionResult(
            frames=self.frames + other.frames,
            bouts=self.bouts + other.bouts,
            true_seconds=self.true_seconds + other.true_seconds,
            predicted_seconds=self.predicted_seconds + other.predicted_seconds,
            scored_seconds=self.scored_seconds + other.scored_seconds,
        )

    @property
    def true_count(self) -> int:
        """True bouts that were scored."""
        return self.bouts.tp + self.bouts.fn

    @property
    def predicted_count(self) -> int:
        """Predicted bouts that were scored."""
        return self.bouts.tp + self.bouts.fp

    @property
    def false_per_hour(self) -> float | None:
        """False bouts per hour of scored video; None when no time was scored."""
        return self.bouts.fp / self.scored_seconds * 3600 if self.scored_seconds else None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "frames": self.frames.to_dict(),
            "bouts": self.bouts.to_dict(),
            "true_count": self.true_count,
            "predicted_count": self.predicted_count,
            "true_seconds": self.true_seconds,
            "predicted_seconds": self.predicted_seconds,
            "scored_seconds": self.scored_seconds,
            "false_per_hour": self.false_per_hour,
            "average_precision": self.average_precision,
        }


def mean_of(values: Iterable[float | None]) -> float | None:
    """Mean of the values that are not None; None where there are none."""
    defined = [v for v in values if v is not None]
    return sum(defined) / len(defined) if defined else None


@dataclass(frozen=True)
class Evaluation:
    """Results by action: pooled over all videos, and per video."""

    pooled: Mapping[str, ActionResult]
    per_video: Mapping[str, Mapping[str, ActionResult]]
    rule: MatchRule

    @property
    def macro_bout_f1(self) -> float | None:
        """Mean pooled bout F1 over the actions that have one."""
        return mean_of(r.bouts.f1 for r in self.pooled.values())

    @property
    def macro_frame_f1(self) -> float | None:
        """Mean pooled frame F1 over the actions that have one."""
        return mean_of(r.frames.f1 for r in self.pooled.values())

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; undefined values are None."""
        return {
            "match": {
                "state_iou": self.rule.state_iou,
                "point_tolerance_seconds": self.rule.point_tolerance_seconds,
            },
            "macro_bout_f1": self.macro_bout_f1,
            "macro_frame_f1": self.macro_frame_f1,
            "pooled": {name: r.to_dict() for name, r in self.pooled.items()},
            "per_video": {
                video: {name: r.to_dict() for name, r in results.items()}
                for video, results in self.per_video.items()
            },
        }
