"""Bouts over a range of overlaps: precision, recall and F1, and average precision.

The figures of temporal action localisation. Definitions and sources are in
``docs/evaluation.md``. Bouts of several videos are pooled: counts add up, and for the average
precision the predictions of all videos are ranked together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.actions import Action, ActionKind
from mouse_ar.core.matching import MatchRule, candidate_pairs
from mouse_ar.core.metrics import bout_counts
from mouse_ar.core.results import Counts

__all__ = ["IOUS", "EventCurve", "VideoEvents", "event_curve", "ranked_average_precision"]

BoolArray = NDArray[np.bool_]
DoubleArray = NDArray[np.float64]
SpanArray = NDArray[np.int64]

IOUS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True, eq=False)
class VideoEvents:
    """Bouts of one action in one video.

    Args:
        predicted: int64 (N, 2), half-open frame ranges.
        confidence: float64 (N,).
        truth: int64 (M, 2), already without ignored bouts.
        ignored_T: bool (T,), frames that are not scored.
        fps: frames per second.
    """

    predicted: SpanArray
    confidence: DoubleArray
    truth: SpanArray
    ignored_T: BoolArray
    fps: float


@dataclass(frozen=True)
class EventCurve:
    """Bout-level figures of one action over temporal IoU thresholds.

    Point events are judged by IoU too, as the field does; on events of a few frames high
    thresholds measure the annotators' jitter, so read them beside ``centre_average_precision``.

    Args:
        ious: thresholds.
        counts: true and false positives and false negatives at each.
        average_precision: at each; None without a true bout.
        centre_average_precision: of point events matched by their centres; None for state events.
    """

    ious: tuple[float, ...]
    counts: tuple[Counts, ...]
    average_precision: tuple[float | None, ...]
    centre_average_precision: float | None = None

    @property
    def mean_average_precision(self) -> float | None:
        """Mean over the IoU thresholds; None without a true bout."""
        found = [value for value in self.average_precision if value is not None]
        return fmean(found) if found else None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "ious": list(self.ious),
            "counts": [c.to_dict() for c in self.counts],
            "average_precision": list(self.average_precision),
            "mean_average_precision": self.mean_average_precision,
            "centre_average_precision": self.centre_average_precision,
        }


def event_curve(
    videos: Sequence[VideoEvents], *, action: Action, rule: MatchRule | None = None
) -> EventCurve:
    """Counts and average precision of one action at each of :data:`IOUS`.

    Args:
        videos: its bouts, by video.
        action: name and kind.
        rule: tolerance of the centres of point events.
    """
    rules = [MatchRule(state_iou=iou) for iou in IOUS]
    by_overlap = replace(action, kind=ActionKind.STATE)
    centre = None
    if action.kind is ActionKind.POINT:
        centre = ranked_average_precision(videos, kind=ActionKind.POINT, rule=rule or MatchRule())
    return EventCurve(
        ious=IOUS,
        counts=tuple(_pooled_counts(videos, action=by_overlap, rule=at) for at in rules),
        average_precision=tuple(
            ranked_average_precision(videos, kind=ActionKind.STATE, rule=at) for at in rules
        ),
        centre_average_precision=centre,
    )


def _pooled_counts(videos: Sequence[VideoEvents], *, action: Action, rule: MatchRule) -> Counts:
    total = Counts()
    for video in videos:
        total += bout_counts(
            video.predicted,
            video.truth,
            action=action,
            fps=video.fps,
            ignored_T=video.ignored_T,
            rule=rule,
        )
    return total


def ranked_average_precision(
    videos: Sequence[VideoEvents], *, kind: ActionKind, rule: MatchRule
) -> float | None:
    """Area under the precision-recall curve over predictions ranked by confidence.

    From the most confident prediction down, each takes the best true bout of its video that is
    still free and that ``rule`` allows; one that gets none is false, or not counted when its
    centre is ignored. Of equally confident ones the better fitting goes first, and their points
    on the curve are taken together. Precision at a recall is the best at this recall or a higher
    one. This is the procedure of ActivityNet (F. Caba Heilbron et al., CVPR 2015) and of PASCAL
    VOC since 2010.

    Returns:
        0..1; None without a true bout.
    """
    true = sum(len(video.truth) for video in videos)
    if not true:
        return None
    ranked = [line for video in videos for line in _outcomes(video, kind=kind, rule=rule)]
    if not ranked:
        return 0.0
    confidence, hit = np.array(ranked, dtype=np.float64).T
    order = np.argsort(-confidence, kind="stable")
    last_of_tie = np.append(np.diff(confidence[order]) != 0, True)
    hits = np.cumsum(hit[order])[last_of_tie]
    precision = hits / (np.flatnonzero(last_of_tie) + 1)
    best_from_here = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(hits, prepend=0.0) * best_from_here) / true)


def _outcomes(video: VideoEvents, *, kind: ActionKind, rule: MatchRule) -> list[tuple[float, bool]]:
    """Confidence of each scored prediction of a video, and whether it found a true bout.

    Bouts of one video compete with each other alone, so videos can be matched one by one.
    """
    pairs, quality = candidate_pairs(
        video.predicted, video.truth, kind=kind, fps=video.fps, rule=rule
    )
    options: list[list[tuple[float, int]]] = [[] for _ in video.predicted]
    for (mine, theirs), value in zip(pairs.tolist(), quality.tolist(), strict=True):
        options[mine].append((value, theirs))
    for found in options:
        found.sort(key=lambda option: (-option[0], option[1]))
    best = [found[0][0] if found else -1.0 for found in options]
    order = sorted(range(len(best)), key=lambda i: (-video.confidence[i], -best[i], i))
    taken: set[int] = set()
    outcomes = []
    for i in order:
        free = next((theirs for _, theirs in options[i] if theirs not in taken), None)
        if free is not None:
            taken.add(free)
        elif video.ignored_T[int(video.predicted[i].sum()) // 2]:
            continue
        outcomes.append((float(video.confidence[i]), free is not None))
    return outcomes
