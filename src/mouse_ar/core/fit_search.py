"""Grid search of decoding parameters over scored videos: what ``core.fitting`` looks through."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.actions import Action, ActionKind
from mouse_ar.core.decoding import (
    ActionDecoding,
    StateDecoding,
    noise_floor,
    point_spans,
    smooth,
    state_spans,
)
from mouse_ar.core.matching import MatchRule
from mouse_ar.core.metrics import bout_counts
from mouse_ar.core.results import Counts

__all__ = ["Objective", "Outcome", "ScoredVideo", "search"]

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


@dataclass(frozen=True, eq=False)
class ScoredVideo:
    """Scores and truth of one action in one video.

    Args:
        score_T: float (T,).
        true_T: bool (T,), whether the action is there.
        truth: int64 (M, 2), true bouts, without ignored ones.
        ignored_T: bool (T,), frames that are not scored.
        fps: frames per second.
    """

    score_T: NDArray[np.float32]
    true_T: NDArray[np.bool_]
    truth: SpanArray
    ignored_T: NDArray[np.bool_]
    fps: float


@dataclass(frozen=True)
class Outcome:
    """Counts of bouts and, for state events, of frames; outcomes add up."""

    bouts: Counts
    frames: Counts

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(self.bouts + other.bouts, self.frames + other.frames)


class Objective:
    """Counts of one action under given parameters, per video; nothing is decoded twice.

    Args:
        videos: with scores and truth.
        action: what is decoded.
        rule: when two bouts match.
    """

    def __init__(self, videos: Sequence[ScoredVideo], *, action: Action, rule: MatchRule) -> None:
        self._videos, self._action, self._rule = videos, action, rule
        self._smoothed: dict[float, list[NDArray[np.float64]]] = {}
        self._floors: dict[tuple[float, float], list[float]] = {}
        self._outcomes: dict[ActionDecoding, list[Outcome]] = {}

    def __len__(self) -> int:
        """Number of videos."""
        return len(self._videos)

    def __call__(self, params: ActionDecoding) -> Outcome:
        """Pooled over all videos."""
        return self.over(range(len(self._videos)))(params)

    def over(self, chosen: Sequence[int]) -> Callable[[ActionDecoding], Outcome]:
        """The same for some of the videos, by their positions."""

        def pooled(params: ActionDecoding) -> Outcome:
            outcomes = self._per_video(params)
            return sum((outcomes[i] for i in chosen), Outcome(Counts(), Counts()))

        return pooled

    def _per_video(self, params: ActionDecoding) -> list[Outcome]:
        if params not in self._outcomes:
            pairs = zip(self._videos, self._spans(params), strict=True)
            self._outcomes[params] = [self._outcome(params, *pair) for pair in pairs]
        return self._outcomes[params]

    def _outcome(self, params: ActionDecoding, video: ScoredVideo, spans: SpanArray) -> Outcome:
        bouts = bout_counts(
            spans,
            video.truth,
            action=self._action,
            fps=video.fps,
            ignored_T=video.ignored_T,
            rule=self._rule,
        )
        is_state = isinstance(params, StateDecoding)
        return Outcome(bouts, _frame_counts(spans, video) if is_state else Counts())

    def _spans(self, params: ActionDecoding) -> list[SpanArray]:
        seconds = params.smooth_seconds if isinstance(params, StateDecoding) else 0.0
        if seconds not in self._smoothed:
            self._smoothed[seconds] = [
                smooth(v.score_T, seconds=seconds, fps=v.fps) for v in self._videos
            ]
        rows = self._smoothed[seconds]
        key = (seconds, params.noise_sigmas)
        if key not in self._floors:
            self._floors[key] = [
                noise_floor(row, sigmas=params.noise_sigmas, unsmoothed_T=video.score_T)
                for row, video in zip(rows, self._videos, strict=True)
            ]
        triples = zip(rows, self._videos, self._floors[key], strict=True)
        if isinstance(params, StateDecoding):
            return [state_spans(r, params=params, fps=v.fps, floor=f) for r, v, f in triples]
        return [point_spans(r, params=params, fps=v.fps, floor=f) for r, v, f in triples]


def _frame_counts(spans: SpanArray, video: ScoredVideo) -> Counts:
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


def search(
    start: ActionDecoding,
    *,
    kind: ActionKind,
    objective: Callable[[ActionDecoding], Outcome],
    fixed: Collection[str] = (),
) -> ActionDecoding:
    """The best parameters in the grids of a kind; ``start`` where nothing is clearly better.

    Args:
        start: parameters to begin with.
        kind: state or point event, that of ``start``.
        objective: counts under given parameters.
        fixed: names of parameters that stay as in ``start``.
    """
    for stage in _STAGES[kind]:
        grid = {name: values for name, values in stage.items() if name not in fixed}
        start = _search_stage(start, grid=grid, objective=objective)
    return start


def _search_stage(
    start: ActionDecoding, *, grid: Grid, objective: Callable[[ActionDecoding], Outcome]
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
