"""Frame-level curves, confusion matrix and agreement beyond chance.

Definitions and sources are in ``docs/evaluation.md``; they are those of scikit-learn, with which
the tests compare them. A value whose denominator is 0 is ``None``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.actions import ActionKind, ActionSet
from mouse_ar.core.types import Ethogram

__all__ = [
    "MOST_POINTS",
    "Confusion",
    "FrameCurves",
    "OperatingPoint",
    "average_precision",
    "class_labels",
    "cohen_kappa",
    "confusion",
    "frame_curves",
]

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]
DoubleArray = NDArray[np.float64]

MOST_POINTS = 500  # of a curve as it is kept; values are computed before thinning
_FPR = 0.05  # the false positive rate at which automated grooming scorers are compared


@dataclass(frozen=True)
class OperatingPoint:
    """Where a way of calling frames lies on the curves.

    Args:
        precision: share of the called frames that are true.
        recall: share of the true frames that are called (true positive rate).
        fpr: share of the other frames that are called (false positive rate).
        threshold: score from which frames are called; None for decoded bouts.
    """

    precision: float | None
    recall: float | None
    fpr: float | None
    threshold: float | None = None

    def to_dict(self) -> dict[str, float | None]:
        """JSON-ready."""
        return {
            "threshold": self.threshold,
            "precision": self.precision,
            "recall": self.recall,
            "fpr": self.fpr,
        }


@dataclass(frozen=True, eq=False)
class FrameCurves:
    """Precision-recall and ROC curve of one action over its per-frame score.

    Point i of both curves belongs to "frames with a score >= ``thresholds[i]``", thresholds
    descending. At most :data:`MOST_POINTS` of them are kept, the first and the last always; the
    ROC curve starts at (0, 0), which is not among them.

    Args:
        thresholds: float64 (P,).
        precision: float64 (P,).
        recall: float64 (P,); NaN without a true frame. Also the true positive rate.
        fpr: float64 (P,); NaN without a frame that is not true.
        average_precision: area under the precision-recall curve as a step function.
        roc_auc: area under the ROC curve.
        tpr_at_5_percent_fpr: true positive rate where the ROC curve crosses a false positive
            rate of 0.05.
        operating: what a given threshold would give, if one was given.
        decoded: what the decoded bouts give; decoding does more than cut at a threshold, so it
            need not lie on the curve.
    """

    thresholds: DoubleArray = field(repr=False)
    precision: DoubleArray = field(repr=False)
    recall: DoubleArray = field(repr=False)
    fpr: DoubleArray = field(repr=False)
    average_precision: float | None
    roc_auc: float | None
    tpr_at_5_percent_fpr: float | None
    operating: OperatingPoint | None = None
    decoded: OperatingPoint | None = None

    def to_dict(self, *, points: bool = True) -> dict[str, Any]:
        """JSON-ready.

        Args:
            points: with the curves themselves.
        """
        found: dict[str, Any] = {
            "average_precision": self.average_precision,
            "roc_auc": self.roc_auc,
            "tpr_at_5_percent_fpr": self.tpr_at_5_percent_fpr,
            "operating": self.operating and self.operating.to_dict(),
            "decoded": self.decoded and self.decoded.to_dict(),
        }
        if points:
            for name in ("thresholds", "precision", "recall", "fpr"):
                found[name] = _json_numbers(getattr(self, name))
        return found


@dataclass(frozen=True, eq=False)
class Confusion:
    """Frames by true class (rows) and predicted class (columns): int64 (K, K).

    Args:
        classes: the background, then the actions.
        frames_KK: number of frames.
    """

    classes: tuple[str, ...]
    frames_KK: IntArray

    def __add__(self, other: Confusion) -> Confusion:
        return Confusion(self.classes, self.frames_KK + other.frames_KK)

    @property
    def kappa(self) -> float | None:
        """Cohen's kappa over all classes."""
        return cohen_kappa(self.frames_KK)

    @property
    def accuracy(self) -> float | None:
        """Share of the frames on the diagonal."""
        total = int(self.frames_KK.sum())
        return int(np.trace(self.frames_KK)) / total if total else None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; rows are the truth."""
        return {
            "classes": list(self.classes),
            "true_rows_predicted_columns": self.frames_KK.tolist(),
            "accuracy": self.accuracy,
            "kappa": self.kappa,
        }


def cohen_kappa(table_KK: IntArray) -> float | None:
    """Agreement beyond chance: (observed - expected) / (1 - expected).

    None without frames, and where chance alone would agree everywhere (both raters use one and
    the same class throughout).

    Source: J. Cohen, A coefficient of agreement for nominal scales, Educational and Psychological
    Measurement 20 (1960), 37-46.

    Args:
        table_KK: int64 (K, K), cases by the class of one rater and of the other.
    """
    total = float(table_KK.sum())
    if not total:
        return None
    observed = float(np.trace(table_KK)) / total
    expected = float(table_KK.sum(axis=0) @ (table_KK.sum(axis=1) / total)) / total
    return None if expected >= 1.0 else (observed - expected) / (1.0 - expected)


def class_labels(ethogram: Ethogram, *, actions: ActionSet) -> IntArray:
    """One class per frame: int64 (T,), indices into ``actions.classes``.

    Where bouts of several actions overlap, a point event goes before a state event (it is the
    shorter and would vanish); between two of a kind the one that comes first in ``actions``.
    """
    labels_T = np.zeros(ethogram.num_frames, dtype=np.int64)
    for kind in (ActionKind.STATE, ActionKind.POINT):
        for action in reversed(actions.actions):  # what is written last stays
            if action.kind is kind:
                labels_T[ethogram.mask(action.name)] = actions.classes.index(action.name)
    return labels_T


def confusion(
    predicted: Ethogram, truth: Ethogram, *, actions: ActionSet, ignored_T: BoolArray
) -> Confusion:
    """Confusion matrix of one video, ignored frames left out; see :func:`class_labels`."""
    size = len(actions.classes)
    pairs_T = class_labels(truth, actions=actions) * size + class_labels(predicted, actions=actions)
    counts = np.bincount(pairs_T[~ignored_T], minlength=size * size)
    return Confusion(actions.classes, counts.astype(np.int64).reshape(size, size))


def _steps(truth_N: BoolArray, score_N: NDArray[np.floating]) -> tuple[DoubleArray, ...]:
    """Descending distinct scores, and the true and all frames at or above each."""
    order = np.argsort(-score_N, kind="stable")
    ordered = score_N[order].astype(np.float64)
    last_of_tie = np.append(np.diff(ordered) != 0, True)[: len(ordered)]
    hits = np.cumsum(truth_N[order], dtype=np.float64)[last_of_tie]
    ranks = (np.flatnonzero(last_of_tie) + 1).astype(np.float64)
    return ordered[last_of_tie], hits, ranks


def average_precision(truth_N: BoolArray, score_N: NDArray[np.floating]) -> float | None:
    """Area under the precision-recall curve as a step function; None without a true frame.

    Sum over descending thresholds of (recall step) x precision, tied scores taken together: the
    definition of scikit-learn's ``average_precision_score``.
    """
    if not truth_N.any():
        return None
    _, hits, ranks = _steps(truth_N, score_N)
    return float(np.sum(np.diff(hits, prepend=0.0) * (hits / ranks)) / hits[-1])


def frame_curves(
    truth_N: BoolArray,
    score_N: NDArray[np.floating],
    *,
    decoded_N: BoolArray | None = None,
    threshold: float | None = None,
) -> FrameCurves | None:
    """Curves of one action over frames of one or several videos; None without any frame.

    Args:
        truth_N: bool (N,), whether the action is there.
        score_N: (N,), its score.
        decoded_N: bool (N,), whether decoded bouts say so.
        threshold: score to mark on the curves.
    """
    if not len(truth_N):
        return None
    thresholds, hits, ranks = _steps(truth_N, score_N)
    true, other = float(truth_N.sum()), float((~truth_N).sum())
    recall = hits / true if true else np.full(len(hits), np.nan)
    fpr = (ranks - hits) / other if other else np.full(len(hits), np.nan)
    both = bool(true and other)
    roc_x, roc_y = np.append(0.0, fpr), np.append(0.0, recall)
    keep = _spread_along(recall, fpr, hits / ranks)
    return FrameCurves(
        thresholds=thresholds[keep],
        precision=(hits / ranks)[keep],
        recall=recall[keep],
        fpr=fpr[keep],
        average_precision=average_precision(truth_N, score_N),
        roc_auc=float(np.trapezoid(roc_y, roc_x)) if both else None,
        tpr_at_5_percent_fpr=_height_at(roc_x, roc_y, _FPR) if both else None,
        operating=None if threshold is None else _point(truth_N, score_N >= threshold, threshold),
        decoded=None if decoded_N is None else _point(truth_N, decoded_N),
    )


def _height_at(x: DoubleArray, y: DoubleArray, at: float) -> float:
    """Height of a rising curve; the top of a vertical piece, straight lines between points."""
    after = int(np.searchsorted(x, at, side="right"))
    if after == len(x):
        return float(y[-1])
    share = (at - x[after - 1]) / (x[after] - x[after - 1])
    return float(y[after - 1] + share * (y[after] - y[after - 1]))


def _spread_along(recall: DoubleArray, fpr: DoubleArray, precision: DoubleArray) -> IntArray:
    """Indices of at most :data:`MOST_POINTS` points, so that neither curve misses a turn.

    Half of them lie evenly along recall and false positive rate, half along the ups and downs of
    precision, which changes most where the others hardly do: among the first frames.
    """
    if len(recall) <= MOST_POINTS:
        return np.arange(len(recall), dtype=np.int64)
    rates = np.nan_to_num(recall) + np.nan_to_num(fpr)
    turns = np.cumsum(np.abs(np.diff(precision, prepend=precision[0])))
    picked = [
        np.searchsorted(way, np.linspace(way[0], way[-1], MOST_POINTS // 2 - 1))
        for way in (rates, turns)
    ]
    return np.unique(np.concatenate([[0], *picked, [len(recall) - 1]])).astype(np.int64)


def _point(
    truth_N: BoolArray, called_N: BoolArray, threshold: float | None = None
) -> OperatingPoint:
    tp, called = int((truth_N & called_N).sum()), int(called_N.sum())
    true, other = int(truth_N.sum()), int((~truth_N).sum())
    return OperatingPoint(
        precision=tp / called if called else None,
        recall=tp / true if true else None,
        fpr=(called - tp) / other if other else None,
        threshold=threshold,
    )


def _json_numbers(values: Sequence[float] | DoubleArray) -> list[float | None]:
    return [None if np.isnan(v) else round(float(v), 6) for v in values]
