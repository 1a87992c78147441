"""Which parts of a video are most worth a human look, from its scores.

* *near the threshold*: what barely became a bout, or barely did not;
* *raw and smoothed scores disagree*: a state event that the smoothing made or swallowed;
* *found, but not labelled* and *labelled, but not found*: a model that is sure of itself against a
  label. Where a model was trained on such labels these are likely mistakes in them (the idea of
  confident learning: Northcutt, Jiang & Chuang 2021, J. Artif. Intell. Res. 70, 1373-1411).

Distances between scores are differences of their log-odds, so that 0.05 against 0.1 counts like
0.9 against 0.95. Nothing here is a probability; priorities only give an order.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, special

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.decoding import decode_spans, noise_floor, point_spans, smooth, state_spans
from mouse_ar.core.decoding_params import (
    ActionDecoding,
    DecodingParams,
    PointDecoding,
    StateDecoding,
)
from mouse_ar.core.platt import logit
from mouse_ar.core.types import ActionScores, Ethogram, Interval, merge_intervals

__all__ = ["ReviewItem", "review_items", "seconds_to_look_at", "with_context"]

# Log-odds from the threshold: within the first a score is near it, beyond the other one is sure.
NEAR = 1.0
SURE = 1.5
# A bout of which this share of the frames is below the threshold before smoothing is doubtful.
RAW_SHARE = 0.25
# An annotator's and a model's edges of the same bout may differ by this much.
STATE_TOLERANCE_SECONDS = 1.0
POINT_TOLERANCE_SECONDS = 0.25

DoubleArray = NDArray[np.float64]


@dataclass(frozen=True)
class ReviewItem:
    """A part of a video to look at.

    Args:
        action: what to look for.
        interval: the frames.
        priority: 0..1; the highest comes first.
        reason: why, in words.
    """

    action: str
    interval: Interval
    priority: float
    reason: str

    def __post_init__(self) -> None:
        if not 0 <= self.priority <= 1:
            raise ValueError(f"Priority must be within 0..1, got {self.priority}.")


def review_items(
    scores: ActionScores,
    *,
    actions: ActionSet,
    params: DecodingParams,
    labels: Ethogram | None = None,
    ignored: Iterable[Interval] = (),
) -> list[ReviewItem]:
    """Parts of one video in the order in which they are worth a look.

    Parts of one action that overlap are one, with the reasons of all.

    Args:
        scores: per-frame scores of the video.
        actions: what to look at.
        params: what the bouts were decoded with.
        labels: what a person has labelled in the same video, where known; no label at all means
            that nothing happens in it.
        ignored: frames that are known to be uncertain; nothing in them is asked for again.

    Raises:
        ValueError: scores and labels are of videos of different length, or scores lack an action.
        KeyError: an action has no parameters.
    """
    if labels is not None and labels.num_frames != scores.num_frames:
        raise ValueError(
            f"The labels are of a video of {labels.num_frames} frames, the scores of one of "
            f"{scores.num_frames}."
        )
    known = list(ignored)
    found: list[ReviewItem] = []
    for name in actions.names:
        if name not in scores.classes:
            raise ValueError(f"Scores have no class {name!r}, only {', '.join(scores.classes)}.")
        curve = _Curve(name, scores.of(name).astype(np.float64), params[name], scores.fps)
        items = [*curve.near(), *curve.raw_against_smoothed()]
        if labels is not None:
            spans = merge_intervals(bout.interval for bout in labels.of(name))
            items += [*curve.not_labelled(spans), *curve.not_found(spans)]
        kept = [i for i in items if not any(i.interval.overlap(part) for part in known)]
        found += _merged(kept)
    return sorted(found, key=lambda item: (-item.priority, item.interval, item.action))


class _Curve:
    """Scores of one action as its decoding sees them."""

    def __init__(
        self, action: str, score_T: DoubleArray, params: ActionDecoding, fps: float
    ) -> None:
        self.action, self.raw_T, self.params, self.fps = action, score_T, params, fps
        if isinstance(params, StateDecoding):
            self.score_T = smooth(score_T, seconds=params.smooth_seconds, fps=fps)
            # As state_spans bounds the floor.
            floor = min(noise_floor(self.score_T, sigmas=params.noise_sigmas), 0.9)
            self.threshold = max(params.on_threshold, floor)
            self.tolerance = round(STATE_TOLERANCE_SECONDS * fps)
        else:
            self.score_T = score_T
            floor = noise_floor(score_T, sigmas=params.noise_sigmas)
            self.threshold = max(params.threshold, floor)
            self.tolerance = round(POINT_TOLERANCE_SECONDS * fps)
        self.bouts = _intervals(decode_spans(score_T, params=params, fps=fps))
        self._threshold_odds = float(logit(np.array(self.threshold)))
        self.odds_T = logit(self.score_T) - self._threshold_odds

    def near(self) -> Iterator[ReviewItem]:
        """What a threshold a little lower or higher would decide otherwise."""
        for part in self._candidates():
            odds = self._peak_odds(part)
            if abs(odds) <= NEAR:
                is_bout = any(part.overlap(bout) for bout in self.bouts)
                verdict = "just found" if is_bout else "just not found"
                yield self._item(
                    part,
                    1 - abs(odds) / NEAR,
                    f"{verdict}: score {self._peak(part):.2f}, threshold {self.threshold:.2f}",
                )

    def raw_against_smoothed(self) -> Iterator[ReviewItem]:
        """State events that the smoothing made or swallowed; point events are not smoothed."""
        if not isinstance(self.params, StateDecoding):
            return
        for part in self.bouts:
            below = self.raw_T[part.start : part.stop] < self.params.off_threshold
            share = float(np.mean(below))
            if share >= RAW_SHARE:
                yield self._item(
                    part,
                    min(1.0, 2 * share),
                    f"before smoothing {share:.0%} of the bout is below the threshold",
                )
        sharp = replace(self.params, smooth_seconds=0.0)
        for part in _intervals(decode_spans(self.raw_T, params=sharp, fps=self.fps)):
            if not any(part.overlap(bout) for bout in self.bouts):
                mean = float(np.mean(self.raw_T[part.start : part.stop]))
                yield self._item(
                    part, min(1.0, mean), f"smoothing removed it: mean score {mean:.2f} before"
                )

    def not_labelled(self, labels: Sequence[Interval]) -> Iterator[ReviewItem]:
        """Where the model is sure, and no label of the action is near."""
        free_T = np.ones(len(self.score_T), dtype=bool)
        for label in labels:
            free_T[max(0, label.start - self.tolerance) : label.stop + self.tolerance] = False
        if isinstance(self.params, PointDecoding):
            parts = [p for p in self._candidates() if free_T[p.start : p.stop].all()]
        else:
            parts = self._long_runs(free_T & (self.odds_T >= SURE))
        for part in parts:
            odds = self._peak_odds(part)
            if odds >= SURE:
                reason = f"found, not labelled: score {self._peak(part):.2f}"
                yield self._item(part, 1 - math.exp(-odds), reason)

    def not_found(self, labels: Sequence[Interval]) -> Iterator[ReviewItem]:
        """Labels, or long parts of them, in which the model is sure that nothing happens."""
        for label in labels:
            if isinstance(self.params, PointDecoding):
                start, stop = max(0, label.start - self.tolerance), label.stop + self.tolerance
                parts = [label] if self.odds_T[start:stop].max() <= -SURE else []
            else:
                inside_T = np.zeros(len(self.score_T), dtype=bool)
                inside_T[label.start : label.stop] = True
                needed = min(self.tolerance, label.length)
                low = self._runs(inside_T & (self.odds_T <= -SURE))
                parts = [part for part in low if part.length >= needed]
            for part in parts:
                reason = f"labelled, not found: score {self._peak(part):.2f}"
                yield self._item(part, 1 - math.exp(self._peak_odds(part)), reason)

    def _candidates(self) -> list[Interval]:
        """What decoding with a threshold lower by :data:`NEAR` would give."""
        lower = float(special.expit(self._threshold_odds - NEAR))
        if isinstance(self.params, PointDecoding):
            share = lower / self.threshold
            relaxed = replace(
                self.params, threshold=lower, prominence=self.params.prominence * share
            )
            return _intervals(point_spans(self.score_T, params=relaxed, fps=self.fps))
        low = replace(
            self.params, on_threshold=lower, off_threshold=min(lower, self.params.off_threshold)
        )
        return _intervals(state_spans(self.score_T, params=low, fps=self.fps))

    def _long_runs(self, mask_T: NDArray[np.bool_]) -> list[Interval]:
        assert isinstance(self.params, StateDecoding)
        least = max(1.0, self.params.min_bout_seconds * self.fps)
        return [part for part in self._runs(mask_T) if part.length >= least]

    def _runs(self, mask_T: NDArray[np.bool_]) -> list[Interval]:
        labelled_T, _ = ndimage.label(mask_T)
        return [Interval(part[0].start, part[0].stop) for part in ndimage.find_objects(labelled_T)]

    def _peak(self, part: Interval) -> float:
        return float(self.score_T[part.start : part.stop].max())

    def _peak_odds(self, part: Interval) -> float:
        return float(self.odds_T[part.start : part.stop].max())

    def _item(self, part: Interval, priority: float, reason: str) -> ReviewItem:
        return ReviewItem(self.action, part, priority, reason)


def _intervals(spans: NDArray[np.int64]) -> list[Interval]:
    return [Interval(start, stop) for start, stop in spans.tolist()]


def _merged(items: Sequence[ReviewItem]) -> list[ReviewItem]:
    """Items of one action, those that overlap as one."""
    merged = []
    for part in merge_intervals((item.interval for item in items), max_gap=-1):
        inside = [item for item in items if item.interval.overlap(part)]
        inside.sort(key=lambda item: -item.priority)
        reasons = dict.fromkeys(item.reason for item in inside)
        merged.append(replace(inside[0], interval=part, reason="; ".join(reasons)))
    return merged


def with_context(interval: Interval, *, num_frames: int, fps: float, seconds: float) -> Interval:
    """An interval with some time before and after it, within the video."""
    frames = round(seconds * fps)
    return Interval(max(0, interval.start - frames), min(num_frames, interval.stop + frames))


def seconds_to_look_at(intervals: Iterable[Interval], *, edges_seconds: DoubleArray) -> float:
    """Time that intervals of one video cover together; what overlaps is looked at once.

    Args:
        intervals: half-open frame ranges.
        edges_seconds: float64 (T + 1,), when each frame begins and the last one ends.
    """
    return sum(
        float(edges_seconds[i.stop] - edges_seconds[i.start]) for i in merge_intervals(intervals)
    )
