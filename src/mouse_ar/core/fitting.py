"""Fit the decoding of each action to bout-level F1 on videos with known bouts.

A grid search per action that maximises the pooled bout F1. Few bouts fit noise, so an action
keeps its defaults unless there are enough true bouts, and among parameters of equal F1 the
choice falls on those with the best frame F1 (state events), then on the middle of a plateau
rather than its edge (mean F1 of the neighbours in the grid), then on the nearest to the defaults.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.actions import Action, ActionKind, ActionSet
from mouse_ar.core.decoding import (
    ActionDecoding,
    DecodingParams,
    StateDecoding,
    noise_floor,
    point_spans,
    smooth,
    state_spans,
)
from mouse_ar.core.matching import MatchRule, spans_of
from mouse_ar.core.metrics import bout_counts, ignored_mask, keep_true_bouts
from mouse_ar.core.results import Counts
from mouse_ar.core.types import ActionScores, Ethogram, Interval

__all__ = ["MIN_BOUTS", "ActionFit", "FittedDecoding", "fit_decoding"]

MIN_BOUTS = 10
"""True bouts below which fitted parameters would describe those few bouts rather than the model."""

SpanArray = NDArray[np.int64]
Grid = Mapping[str, Sequence[float]]

_STATE_THRESHOLDS: Grid = {
    "smooth_seconds": (0.0, 0.25, 0.5, 1.0, 2.0),
    "on_threshold": (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    "off_threshold": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7),
}
_STATE_LENGTHS: Grid = {
    "max_gap_seconds": (0.0, 0.25, 0.5, 1.0, 2.0),
    "min_bout_seconds": (0.0, 0.25, 0.5, 1.0, 2.0),
    "noise_sigmas": (0.0, 6.0),
}
# Peaks of brief events are low: a coarse grid had nothing between too many and too few of them.
_POINT_PEAKS: Grid = {
    "threshold": (
        *(0.05, 0.07, 0.1, 0.13, 0.16, 0.2, 0.23, 0.26, 0.3, 0.34, 0.38, 0.43),
        *(0.5, 0.6, 0.7, 0.8, 0.9),
    ),
    "prominence": (0.03, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4),
    "noise_sigmas": (0.0, 6.0),
}
_POINT_DISTANCE: Grid = {"min_distance_seconds": (0.1, 0.25, 0.5, 1.0)}
# each stage is searched in full, given the best of the stages before
_STAGES: Mapping[ActionKind, tuple[Grid, ...]] = {
    ActionKind.STATE: (_STATE_THRESHOLDS, _STATE_LENGTHS),
    ActionKind.POINT: (_POINT_PEAKS, _POINT_DISTANCE),
}


@dataclass(frozen=True)
class ActionFit:
    """What happened to the decoding of one action.

    Args:
        action: name of the action.
        fitted: whether fitted parameters are used; otherwise the defaults.
        reason: why, in words for the report.
        true_bouts: true bouts there were to fit to.
        f1_before: pooled bout F1 with the defaults; None when undefined.
        f1_after: pooled bout F1 with the parameters that are used.
    """

    action: str
    fitted: bool
    reason: str
    true_bouts: int
    f1_before: float | None
    f1_after: float | None


@dataclass(frozen=True)
class FittedDecoding:
    """Decoding parameters and how each action came by them."""

    params: DecodingParams
    report: tuple[ActionFit, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"params": self.params.to_dict(), "report": [asdict(fit) for fit in self.report]}


@dataclass(frozen=True, eq=False)
class _Video:
    score_T: NDArray[np.float32]
    true_T: NDArray[np.bool_]
    truth: SpanArray
    ignored_T: NDArray[np.bool_]
    fps: float


@dataclass(frozen=True)
class _Outcome:
    bouts: Counts
    frames: Counts


class _Objective:
    """Pooled counts of one action under given parameters; smoothing is done once per width."""

    def __init__(self, videos: Sequence[_Video], *, action: Action, rule: MatchRule) -> None:
        self._videos, self._action, self._rule = videos, action, rule
        self._smoothed: dict[float, list[NDArray[np.float64]]] = {}
        self._floors: dict[tuple[float, float], list[float]] = {}
        self._outcomes: dict[ActionDecoding, _Outcome] = {}

    def __call__(self, params: ActionDecoding) -> _Outcome:
        if params not in self._outcomes:
            bouts, frames = Counts(), Counts()
            for video, spans in zip(self._videos, self._spans(params), strict=True):
                bouts += bout_counts(
                    spans,
                    video.truth,
                    action=self._action,
                    fps=video.fps,
                    ignored_T=video.ignored_T,
                    rule=self._rule,
                )
                if isinstance(params, StateDecoding):
                    frames += _frame_counts(spans, video)
            self._outcomes[params] = _Outcome(bouts=bouts, frames=frames)
        return self._outcomes[params]

    def _spans(self, params: ActionDecoding) -> list[SpanArray]:
        seconds = params.smooth_seconds if isinstance(params, StateDecoding) else 0.0
        if seconds not in self._smoothed:
            self._smoothed[seconds] = [
                smooth(v.score_T, seconds=seconds, fps=v.fps) for v in self._videos
            ]
        rows = self._smoothed[seconds]
        key = (seconds, params.noise_sigmas)
        if key not in self._floors:
            self._floors[key] = [noise_floor(row, sigmas=params.noise_sigmas) for row in rows]
        triples = zip(rows, self._videos, self._floors[key], strict=True)
        if isinstance(params, StateDecoding):
            return [state_spans(r, params=params, fps=v.fps, floor=f) for r, v, f in triples]
        return [point_spans(r, params=params, fps=v.fps, floor=f) for r, v, f in triples]


def _frame_counts(spans: SpanArray, video: _Video) -> Counts:
    edges = np.zeros(len(video.true_T) + 1, dtype=np.int8)
    edges[spans[:, 0]] += 1  # spans are disjoint and do not touch, so no index repeats
    edges[spans[:, 1]] -= 1
    predicted_T = (np.cumsum(edges[:-1]) > 0) & ~video.ignored_T
    true_T = video.true_T & ~video.ignored_T
    tp = int((predicted_T & true_T).sum())
    return Counts(tp=tp, fp=int(predicted_T.sum()) - tp, fn=int(true_T.sum()) - tp)


def _candidates(start: ActionDecoding, grid: Grid) -> dict[tuple[int, ...], ActionDecoding]:
    """Every valid combination of the grid's values (and the start's own), by grid position."""
    axes = [sorted({*values, getattr(start, name)}) for name, values in grid.items()]
    found = {}
    for position in itertools.product(*(range(len(axis)) for axis in axes)):
        values = {name: axis[i] for name, axis, i in zip(grid, axes, position, strict=True)}
        if values.get("off_threshold", 0.0) > values.get("on_threshold", 1.0):
            continue
        if values.get("prominence", 0.0) > values.get("threshold", 1.0):
            continue
        found[position] = replace(start, **values)
    return found


def _search(
    start: ActionDecoding, *, grid: Grid, objective: Callable[[ActionDecoding], _Outcome]
) -> ActionDecoding:
    """The best of one grid; ``start`` unless something is better by more than one bout."""
    candidates = _candidates(start, grid)
    f1 = {where: objective(params).bouts.f1 or 0.0 for where, params in candidates.items()}
    best, bouts = max(f1.values()), objective(start).bouts
    one_bout = 0.5 / max(1, bouts.tp + bouts.fn)  # what one false bout costs near F1 = 1
    if (bouts.f1 or 0.0) >= best - one_bout:
        return start
    home = next(where for where, params in candidates.items() if params == start)
    steps = [
        step for step in itertools.product((-1, 0, 1), repeat=len(home)) if sum(map(abs, step)) <= 1
    ]

    def rank(where: tuple[int, ...]) -> tuple[float, float, float]:
        around = [tuple(a + b for a, b in zip(where, step, strict=True)) for step in steps]
        plateau = float(np.mean([f1[w] for w in around if w in f1]))
        distance = sum(abs(a - b) for a, b in zip(where, home, strict=True))
        return (round(objective(candidates[where]).frames.f1 or 0.0, 2), plateau, -distance)

    chosen = max((where for where in f1 if f1[where] >= best - one_bout), key=rank)
    return candidates[chosen]


def _prepare(
    videos: Sequence[tuple[ActionScores, Ethogram]],
    ignored: Sequence[Sequence[Interval]],
    action: Action,
) -> list[_Video]:
    prepared = []
    for (scores, truth), intervals in zip(videos, ignored, strict=True):
        if scores.num_frames != truth.num_frames:
            raise ValueError(
                f"Scores have {scores.num_frames} frames, the truth {truth.num_frames}: they must "
                "describe the same video."
            )
        ignored_T = ignored_mask(intervals, num_frames=truth.num_frames)
        prepared.append(
            _Video(
                score_T=scores.of(action.name),
                true_T=truth.mask(action.name),
                truth=spans_of(keep_true_bouts(truth.of(action.name), ignored_T)),
                ignored_T=ignored_T,
                fps=scores.fps,
            )
        )
    return prepared


def _fit_action(
    videos: Sequence[_Video],
    *,
    action: Action,
    default: ActionDecoding,
    min_bouts: int,
    rule: MatchRule,
) -> tuple[ActionDecoding, ActionFit]:
    objective = _Objective(videos, action=action, rule=rule)
    before = objective(default).bouts
    true_bouts = before.tp + before.fn
    best = default
    if true_bouts < min_bouts:
        reason = f"defaults: only {true_bouts} true bouts, at least {min_bouts} are needed to fit"
    else:
        for grid in _STAGES[action.kind]:
            best = _search(best, grid=grid, objective=objective)
        reason = (
            f"fitted to {true_bouts} true bouts in {len(videos)} videos"
            if best != default
            else f"defaults: nothing does better on {true_bouts} true bouts by more than one bout"
        )
    fit = ActionFit(
        action=action.name,
        fitted=best != default,
        reason=reason,
        true_bouts=true_bouts,
        f1_before=before.f1,
        f1_after=objective(best).bouts.f1,
    )
    return best, fit


def fit_decoding(
    videos: Sequence[tuple[ActionScores, Ethogram]],
    *,
    actions: ActionSet,
    defaults: DecodingParams | None = None,
    min_bouts: int = MIN_BOUTS,
    ignored: Sequence[Sequence[Interval]] | None = None,
    rule: MatchRule | None = None,
) -> FittedDecoding:
    """Choose the decoding of each action that maximises bout F1 pooled over the videos.

    Args:
        videos: scores and true ethogram of each video; none of them in the model's training.
        actions: what to fit.
        defaults: where to start from and what to keep for actions that are not fitted.
        min_bouts: fewest true bouts that an action is fitted to.
        ignored: per video, intervals that are not scored.
        rule: when two bouts match.

    Raises:
        ValueError: when scores and truth of a video differ in length.
    """
    params = defaults or DecodingParams.defaults(actions)
    ignored = ignored if ignored is not None else [()] * len(videos)
    report = []
    for action in actions.actions:
        best, fit = _fit_action(
            _prepare(videos, ignored, action),
            action=action,
            default=params[action.name],
            min_bouts=min_bouts,
            rule=rule or MatchRule(),
        )
        params = params.with_action(action.name, best)
        report.append(fit)
    return FittedDecoding(params=params, report=tuple(report))
