"""Scores -> probabilities: Platt scaling of each action's per-frame scores.

A model that was trained on balanced windows calls an action likelier than it is in whole videos,
and the scores of brief events are shares of a window rather than probabilities. On videos with
known bouts a logistic regression of the frame's truth on the score's logit mends both:
``probability = sigmoid(slope * logit(score) + intercept)``. It keeps the order of the scores, so
no bout is found or lost by it; decoding works on the scores as they are.

Fitted by ``core.calibration``. Source: J. Platt, Probabilistic outputs for support vector machines,
1999.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from mouse_ar.core.types import ActionScores

__all__ = ["Calibration", "Platt", "logit"]

DoubleArray = NDArray[np.float64]
_EDGE = 1e-4  # scores of exactly 0 and 1 have no logit


@dataclass(frozen=True)
class Platt:
    """The map from score to probability of one action; unchanged by default.

    Args:
        slope: above 0, so that a higher score is a higher probability.
        intercept: in units of the logit.
        reason: how it came about, in words for the report.
    """

    slope: float = 1.0
    intercept: float = 0.0
    reason: str = "the score as it is"

    def __post_init__(self) -> None:
        if not (0 < self.slope < np.inf and np.isfinite(self.intercept)):
            raise ValueError(
                "Platt.slope must be above 0 and both numbers finite, got "
                f"{self.slope} and {self.intercept}."
            )

    @property
    def is_identity(self) -> bool:
        """Whether scores stay as they are."""
        return (self.slope, self.intercept) == (1.0, 0.0)

    def __call__(self, score_T: NDArray[np.floating]) -> DoubleArray:
        """Probabilities (T,) of scores (T,)."""
        if self.is_identity:
            return np.asarray(score_T, dtype=np.float64)
        return np.asarray(special.expit(self.slope * logit(score_T) + self.intercept))


@dataclass(frozen=True)
class Calibration:
    """How the scores of each action become probabilities; an action that is missing keeps its own.

    Args:
        by_action: the map of each action, by name.
    """

    by_action: Mapping[str, Platt] = field(default_factory=dict)

    def of(self, action: str) -> Platt:
        """The map of an action."""
        return self.by_action.get(action, Platt())

    def probabilities(self, scores: ActionScores) -> ActionScores:
        """The scores with every action's column mapped; the background's stays as it is."""
        columns = [self.of(name)(scores.of(name)) for name in scores.classes]
        return ActionScores(
            scores_TK=np.stack(columns, axis=1).astype(np.float32),
            classes=scores.classes,
            fps=scores.fps,
        )

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Plain values for JSON and checkpoints."""
        return {
            name: {"slope": p.slope, "intercept": p.intercept, "reason": p.reason}
            for name, p in self.by_action.items()
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Mapping[str, Any]]) -> Calibration:
        """Inverse of :meth:`to_dict`.

        Raises:
            ValueError: not such values.
        """
        try:
            return cls(
                {
                    name: Platt(float(v["slope"]), float(v["intercept"]), str(v.get("reason", "")))
                    for name, v in data.items()
                }
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"Calibration: expected slope and intercept by action, got {data!r}."
            ) from error


def logit(score_T: NDArray[np.floating]) -> DoubleArray:
    """Log odds of scores (T,), which are first brought within 0.0001 of 0 and 1."""
    clipped = np.clip(np.asarray(score_T, dtype=np.float64), _EDGE, 1 - _EDGE)
    return np.asarray(special.logit(clipped))
