"""Everything an evaluation tells beside :class:`~mouse_ar.core.results.Evaluation`.

Kept apart from :func:`~mouse_ar.core.metrics.evaluate`, which runs in every epoch of a training
and must be fast.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.actions import Action, ActionSet
from mouse_ar.core.agreement import Agreement, LatencyAgreement, TimingError, latency_agreement
from mouse_ar.core.bootstrap import Intervals, bootstrap_intervals
from mouse_ar.core.event_curves import EventCurve, VideoEvents, event_curve
from mouse_ar.core.frame_curves import Confusion, FrameCurves, cohen_kappa, confusion, frame_curves
from mouse_ar.core.matching import MatchRule, match_spans, spans_of
from mouse_ar.core.metrics import VideoPair, ignored_mask, keep_true_bouts
from mouse_ar.core.results import ActionResult, Evaluation
from mouse_ar.core.types import ActionScores, Bout

__all__ = ["ActionDetails", "EvaluationDetails", "evaluate_details"]

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ActionDetails:
    """One action in one video or pooled over several.

    Args:
        curves: PR and ROC curve of the per-frame scores; None without scores.
        kappa: Cohen's kappa of the frames, action against everything else.
        bouts: bout-level figures over IoU thresholds, and average precision.
        count: number of bouts per video.
        duration: seconds with the action per video.
        latency: start of the first bout per video.
        onset: starts of matched bouts.
        offset: ends of matched bouts.
    """

    curves: FrameCurves | None
    kappa: float | None
    bouts: EventCurve
    count: Agreement
    duration: Agreement
    latency: LatencyAgreement
    onset: TimingError
    offset: TimingError

    def to_dict(self, *, points: bool = True) -> dict[str, Any]:
        """JSON-ready.

        Args:
            points: with the points of the curves.
        """
        return {
            "curves": self.curves and self.curves.to_dict(points=points),
            "kappa": self.kappa,
            "bouts": self.bouts.to_dict(),
            "count": self.count.to_dict(),
            "duration_seconds": self.duration.to_dict(),
            "latency_seconds": self.latency.to_dict(),
            "onset": self.onset.to_dict(),
            "offset": self.offset.to_dict(),
        }


@dataclass(frozen=True, eq=False)
class EvaluationDetails:
    """All actions, pooled over the videos, and the same of every video.

    Args:
        actions: by action.
        confusion: frames by true and predicted class.
        intervals: 95 % bootstrap intervals of the pooled figures; None for one video.
        per_video: the same by video, without intervals.
    """

    actions: Mapping[str, ActionDetails]
    confusion: Confusion
    intervals: Intervals | None = None
    per_video: Mapping[str, EvaluationDetails] = field(default_factory=dict)

    @property
    def mean_average_precision(self) -> float | None:
        """Mean over the IoU thresholds and the actions that occur (mAP)."""
        found = [details.bouts.mean_average_precision for details in self.actions.values()]
        defined = [value for value in found if value is not None]
        return fmean(defined) if defined else None

    def to_dict(self, *, points: bool = True) -> dict[str, Any]:
        """JSON-ready; undefined values are None, and videos come without the curves' points."""
        found: dict[str, Any] = {
            "mean_average_precision": self.mean_average_precision,
            "confusion": self.confusion.to_dict(),
            "actions": {name: a.to_dict(points=points) for name, a in self.actions.items()},
        }
        if self.intervals is not None:
            found["intervals_95"] = self.intervals.to_dict()
        if self.per_video:
            found["per_video"] = {
                name: details.to_dict(points=False) for name, details in self.per_video.items()
            }
        return found


@dataclass(frozen=True, eq=False)
class _Video:
    """One action in one video, prepared for all figures."""

    name: str
    pair: VideoPair
    scores: ActionScores | None
    ignored_T: BoolArray
    result: ActionResult

    def events(self, action: str) -> VideoEvents:
        predicted = self.pair.predicted.of(action)
        return VideoEvents(
            predicted=spans_of([b.interval for b in predicted]),
            confidence=np.array([b.confidence for b in predicted], dtype=np.float64),
            truth=spans_of(keep_true_bouts(self.pair.truth.of(action), self.ignored_T)),
            ignored_T=self.ignored_T,
            fps=self.pair.truth.fps,
        )


def evaluate_details(
    videos: Mapping[str, VideoPair],
    *,
    evaluation: Evaluation,
    actions: ActionSet,
    scores: Mapping[str, ActionScores] | None = None,
    thresholds: Mapping[str, float] | None = None,
) -> EvaluationDetails:
    """Curves, agreement and intervals, pooled and per video.

    Args:
        videos: prediction and truth by video name.
        evaluation: of the same videos; gives the counts and says when bouts match.
        actions: what to score.
        scores: per-frame scores by video name; videos without are left out of the curves.
        thresholds: score to mark on the curves, by action.

    Raises:
        ValueError: when ``evaluation`` is of other videos.
    """
    if set(evaluation.per_video) != set(videos):
        raise ValueError(
            f"The evaluation is of {sorted(evaluation.per_video)}, the videos are "
            f"{sorted(videos)}: pass the result of evaluate() for the same videos."
        )

    def of(names: list[str]) -> EvaluationDetails:
        return _details(
            {name: videos[name] for name in names},
            evaluation=evaluation,
            actions=actions,
            scores=scores or {},
            thresholds=thresholds or {},
        )

    pooled = of(list(videos))
    return EvaluationDetails(
        actions=pooled.actions,
        confusion=pooled.confusion,
        intervals=bootstrap_intervals(evaluation.per_video),
        per_video={name: of([name]) for name in videos},
    )


def _details(
    videos: Mapping[str, VideoPair],
    *,
    evaluation: Evaluation,
    actions: ActionSet,
    scores: Mapping[str, ActionScores],
    thresholds: Mapping[str, float],
) -> EvaluationDetails:
    ignored = {
        name: ignored_mask(pair.ignored, num_frames=pair.truth.num_frames)
        for name, pair in videos.items()
    }
    by_action = {}
    for action in actions.actions:
        prepared = [
            _Video(
                name,
                pair,
                scores.get(name),
                ignored[name],
                evaluation.per_video[name][action.name],
            )
            for name, pair in videos.items()
        ]
        by_action[action.name] = _action_details(
            prepared, action=action, rule=evaluation.rule, threshold=thresholds.get(action.name)
        )
    size = len(actions.classes)
    matrices = (
        confusion(pair.predicted, pair.truth, actions=actions, ignored_T=ignored[name])
        for name, pair in videos.items()
    )
    nothing = Confusion(actions.classes, np.zeros((size, size), dtype=np.int64))
    return EvaluationDetails(actions=by_action, confusion=reduce(add, matrices, nothing))


def _action_details(
    videos: list[_Video], *, action: Action, rule: MatchRule, threshold: float | None
) -> ActionDetails:
    names = tuple(video.name for video in videos)
    results = [video.result for video in videos]
    events = [video.events(action.name) for video in videos]
    onsets, offsets = _edge_errors(events, action=action, rule=rule)
    return ActionDetails(
        curves=_curves(videos, action=action.name, threshold=threshold),
        kappa=_kappa(videos),
        bouts=event_curve(events, action=action, rule=rule),
        count=Agreement(
            names,
            tuple(float(r.true_count) for r in results),
            tuple(float(r.predicted_count) for r in results),
        ),
        duration=Agreement(
            names,
            tuple(r.true_seconds for r in results),
            tuple(r.predicted_seconds for r in results),
        ),
        latency=latency_agreement({video.name: _firsts(video, action.name) for video in videos}),
        onset=onsets,
        offset=offsets,
    )


def _curves(videos: list[_Video], *, action: str, threshold: float | None) -> FrameCurves | None:
    """Over the scored frames of the videos that have scores."""
    parts = [
        (
            video.pair.truth.mask(action)[~video.ignored_T],
            video.scores.of(action)[~video.ignored_T],
            video.pair.predicted.mask(action)[~video.ignored_T],
        )
        for video in videos
        if video.scores is not None
    ]
    if not parts:
        return None
    truth_N, score_N, decoded_N = (np.concatenate(part) for part in zip(*parts, strict=True))
    return frame_curves(truth_N, score_N, decoded_N=decoded_N, threshold=threshold)


def _kappa(videos: list[_Video]) -> float | None:
    """Of the frames with and without the action."""
    table = np.zeros((2, 2), dtype=np.int64)
    for video in videos:
        frames, scored = video.result.frames, int((~video.ignored_T).sum())
        neither = scored - frames.tp - frames.fp - frames.fn
        table += np.array([[neither, frames.fp], [frames.fn, frames.tp]])
    return cohen_kappa(table)


def _firsts(video: _Video, action: str) -> tuple[float | None, float | None]:
    """Start in seconds of the first true and the first predicted bout that are scored."""

    def first(bouts: tuple[Bout, ...]) -> float | None:
        kept = keep_true_bouts(bouts, video.ignored_T)
        return min(i.start for i in kept) / video.pair.truth.fps if kept else None

    return first(video.pair.truth.of(action)), first(video.pair.predicted.of(action))


def _edge_errors(
    events: list[VideoEvents], *, action: Action, rule: MatchRule
) -> tuple[TimingError, TimingError]:
    """Of starts and of ends, over the matched bouts of all videos."""
    errors = [np.zeros((0, 2))]
    for video in events:
        pairs = match_spans(
            video.predicted, video.truth, kind=action.kind, fps=video.fps, rule=rule
        )
        errors.append((video.predicted[pairs[:, 0]] - video.truth[pairs[:, 1]]) / video.fps)
    starts, stops = np.concatenate(errors).T
    return TimingError.of(starts), TimingError.of(stops)
