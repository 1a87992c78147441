"""Frame-level and bout-level scores of predicted ethograms against true ones.

Definitions:

* precision TP/(TP+FP), recall TP/(TP+FN), F1 2TP/(2TP+FP+FN). A value whose denominator is 0 is
  undefined: ``None``, never 0, 1 or NaN.
* Pooled values add up the counts of all videos; they are not means over videos.
* The macro bout F1 is the mean over the actions' pooled bout F1. An action with neither true nor
  predicted bouts has none and is left out; with no action left the macro is ``None``.
* Ignored intervals (annotations marked uncertain): their frames are not scored; a true bout more
  than half inside is dropped; a predicted bout that matches nothing is dropped when its centre
  lies inside. Time in them counts neither for durations nor for rates per hour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.actions import Action, ActionSet
from mouse_ar.core.frame_curves import average_precision
from mouse_ar.core.matching import MatchRule, match_spans, spans_of
from mouse_ar.core.results import ActionResult, Counts, Evaluation
from mouse_ar.core.types import ActionScores, Bout, Ethogram, Interval

__all__ = [
    "ActionResult",
    "Counts",
    "Evaluation",
    "VideoPair",
    "bout_counts",
    "evaluate",
    "ignored_mask",
    "keep_true_bouts",
]

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class VideoPair:
    """Prediction and truth of one video, and the intervals that are not scored."""

    predicted: Ethogram
    truth: Ethogram
    ignored: Sequence[Interval] = ()

    def __post_init__(self) -> None:
        if self.predicted.num_frames != self.truth.num_frames:
            raise ValueError(
                f"Prediction has {self.predicted.num_frames} frames, truth "
                f"{self.truth.num_frames}: they must describe the same video."
            )


def ignored_mask(ignored: Sequence[Interval], *, num_frames: int) -> BoolArray:
    """Frames inside any of the intervals: bool (T,)."""
    mask_T = np.zeros(num_frames, dtype=bool)
    for interval in ignored:
        mask_T[max(interval.start, 0) : max(interval.stop, 0)] = True
    return mask_T


def keep_true_bouts(bouts: Sequence[Bout], ignored_T: BoolArray) -> list[Interval]:
    """Intervals of the bouts that lie at least half outside the ignored frames."""
    intervals = [b.interval for b in bouts]
    return [i for i in intervals if ignored_T[i.start : i.stop].mean() <= 0.5]


def bout_counts(
    predicted: NDArray[np.int64],
    truth: NDArray[np.int64],
    *,
    action: Action,
    fps: float,
    ignored_T: BoolArray,
    rule: MatchRule,
) -> Counts:
    """Bout-level counts of one action in one video.

    Args:
        predicted: int64 (N, 2) half-open frame ranges.
        truth: int64 (M, 2), already without ignored bouts (:func:`keep_true_bouts`).
        action: name and kind of the action.
        fps: frames per second.
        ignored_T: bool (T,) frames that are not scored.
        rule: when two bouts match.
    """
    pairs = match_spans(predicted, truth, kind=action.kind, fps=fps, rule=rule)
    unmatched = np.delete(predicted, pairs[:, 0], axis=0)
    false = int((~ignored_T[unmatched.sum(axis=1) // 2]).sum())
    return Counts(tp=len(pairs), fp=false, fn=len(truth) - len(pairs))


def _video_result(
    pair: VideoPair, *, action: Action, ignored_T: BoolArray, rule: MatchRule
) -> ActionResult:
    fps, scored_T = pair.truth.fps, ~ignored_T
    predicted_T = pair.predicted.mask(action.name) & scored_T
    true_T = pair.truth.mask(action.name) & scored_T
    return ActionResult(
        frames=Counts(
            tp=int((predicted_T & true_T).sum()),
            fp=int((predicted_T & ~true_T).sum()),
            fn=int((~predicted_T & true_T).sum()),
        ),
        bouts=bout_counts(
            spans_of([b.interval for b in pair.predicted.of(action.name)]),
            spans_of(keep_true_bouts(pair.truth.of(action.name), ignored_T)),
            action=action,
            fps=fps,
            ignored_T=ignored_T,
            rule=rule,
        ),
        true_seconds=float(true_T.sum()) / fps,
        predicted_seconds=float(predicted_T.sum()) / fps,
        scored_seconds=float(scored_T.sum()) / fps,
    )


def _frame_average_precision(
    videos: Mapping[str, VideoPair],
    scores: Mapping[str, ActionScores],
    ignored: Mapping[str, BoolArray],
    action: str,
) -> float | None:
    with_scores = [name for name in videos if name in scores]
    if not with_scores:
        return None
    truth = [videos[name].truth.mask(action)[~ignored[name]] for name in with_scores]
    score = [scores[name].of(action)[~ignored[name]] for name in with_scores]
    return average_precision(np.concatenate(truth), np.concatenate(score))


def evaluate(
    videos: Mapping[str, VideoPair],
    *,
    actions: ActionSet,
    scores: Mapping[str, ActionScores] | None = None,
    rule: MatchRule | None = None,
) -> Evaluation:
    """Score predictions against the truth, per video and pooled.

    Args:
        videos: prediction and truth by video name.
        actions: what to score.
        scores: per-frame scores by video name, for the average precision; videos without are
            left out of it.
        rule: when two bouts match; the default is IoU 0.5 and 0.25 s.

    Raises:
        ValueError: when scores and truth of a video differ in length.
    """
    rule, scores = rule or MatchRule(), scores or {}
    for name, pair in videos.items():
        if name in scores and scores[name].num_frames != pair.truth.num_frames:
            raise ValueError(
                f"Video {name!r}: scores have {scores[name].num_frames} frames, the truth "
                f"{pair.truth.num_frames}: they must describe the same video."
            )
    ignored = {
        name: ignored_mask(pair.ignored, num_frames=pair.truth.num_frames)
        for name, pair in videos.items()
    }
    per_video: dict[str, dict[str, ActionResult]] = {name: {} for name in videos}
    pooled: dict[str, ActionResult] = {}
    for action in actions.actions:
        total = ActionResult()
        for name, pair in videos.items():
            result = _video_result(pair, action=action, ignored_T=ignored[name], rule=rule)
            precision = _frame_average_precision({name: pair}, scores, ignored, action.name)
            per_video[name][action.name] = replace(result, average_precision=precision)
            total += result
        precision = _frame_average_precision(videos, scores, ignored, action.name)
        pooled[action.name] = replace(total, average_precision=precision)
    return Evaluation(pooled=pooled, per_video=per_video, rule=rule)
