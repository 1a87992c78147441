"""Which bouts a prediction has wrong, the worst first: what a person should look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from mouse_ar.core.actions import Action, ActionSet
from mouse_ar.core.matching import MatchRule, match_spans, spans_of
from mouse_ar.core.metrics import VideoPair, ignored_mask, keep_true_bouts
from mouse_ar.core.types import Bout

__all__ = ["BoutError", "ErrorKind", "bout_errors"]


class ErrorKind(StrEnum):
    """What is wrong with a bout that found no partner."""

    FALSE = "false"
    MISSED = "missed"


@dataclass(frozen=True)
class BoutError:
    """A predicted bout without a true one, or the reverse.

    Args:
        video: name of the video.
        kind: false or missed.
        bout: the predicted bout of a false one, the true bout of a missed one.
        best_iou: largest temporal IoU with a bout of the other side, 0..1; above 0 the two
            overlap, but not as the rule asks, or the other one has a better partner.
    """

    video: str
    kind: ErrorKind
    bout: Bout
    best_iou: float


def bout_errors(
    videos: Mapping[str, VideoPair], *, actions: ActionSet, rule: MatchRule | None = None
) -> dict[tuple[str, ErrorKind], list[BoutError]]:
    """Unmatched bouts by action and kind, as :func:`~mouse_ar.core.metrics.evaluate` counts them.

    False bouts come by falling confidence, missed ones by falling length; what is equal keeps the
    order of the videos and of time.

    Args:
        videos: prediction and truth by video name.
        actions: what to look at.
        rule: when two bouts match; the default is IoU 0.5 and 0.25 s.
    """
    found: dict[tuple[str, ErrorKind], list[BoutError]] = {}
    for action in actions.actions:
        errors = [
            error
            for name, pair in videos.items()
            for error in _of_video(name, pair, action=action, rule=rule or MatchRule())
        ]
        false = [error for error in errors if error.kind is ErrorKind.FALSE]
        missed = [error for error in errors if error.kind is ErrorKind.MISSED]
        found[action.name, ErrorKind.FALSE] = sorted(false, key=lambda e: -e.bout.confidence)
        found[action.name, ErrorKind.MISSED] = sorted(missed, key=lambda e: -e.bout.interval.length)
    return found


def _of_video(name: str, pair: VideoPair, *, action: Action, rule: MatchRule) -> list[BoutError]:
    ignored_T = ignored_mask(pair.ignored, num_frames=pair.truth.num_frames)
    predicted = pair.predicted.of(action.name)
    scored = set(keep_true_bouts(pair.truth.of(action.name), ignored_T))
    truth = [bout for bout in pair.truth.of(action.name) if bout.interval in scored]
    pairs = match_spans(
        spans_of([b.interval for b in predicted]),
        spans_of([b.interval for b in truth]),
        kind=action.kind,
        fps=pair.truth.fps,
        rule=rule,
    )
    matched_predicted, matched_true = set(pairs[:, 0].tolist()), set(pairs[:, 1].tolist())
    false = [
        _error(name, ErrorKind.FALSE, bout, truth)
        for index, bout in enumerate(predicted)
        if index not in matched_predicted
        and not ignored_T[(bout.interval.start + bout.interval.stop) // 2]
    ]
    missed = [
        _error(name, ErrorKind.MISSED, bout, predicted)
        for index, bout in enumerate(truth)
        if index not in matched_true
    ]
    return false + missed


def _error(video: str, kind: ErrorKind, bout: Bout, others: Sequence[Bout]) -> BoutError:
    overlaps = [bout.interval.iou(other.interval) for other in others]
    return BoutError(video, kind, bout, max(overlaps, default=0.0))
