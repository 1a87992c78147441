"""Fit the decoding of each action to bout-level F1 on videos with known bouts.

A grid search per action that maximises the pooled bout F1. Few bouts fit noise, so there are two
guards. An action keeps its defaults unless there are enough true bouts; and what was found is used
only if the same search, repeated without a part of the videos, does better than the defaults on
the part left out, all parts taken together. Clips of one video are left out together. Among
parameters of equal F1 the choice falls on those with the best frame F1 (state events), then on
the middle of a plateau rather than its edge (mean F1 of the neighbours in the grid), then on the
nearest to the defaults.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mouse_ar.core.actions import Action, ActionSet
from mouse_ar.core.decoding import ActionDecoding, DecodingParams
from mouse_ar.core.fit_search import Objective, Outcome, ScoredVideo, search
from mouse_ar.core.matching import MatchRule, spans_of
from mouse_ar.core.metrics import ignored_mask, keep_true_bouts
from mouse_ar.core.results import Counts, mean_of
from mouse_ar.core.types import ActionScores, Ethogram, Interval

__all__ = ["MIN_BOUTS", "ActionFit", "FittedDecoding", "fit_decoding"]

MIN_BOUTS = 10
"""True bouts below which fitted parameters would describe those few bouts rather than the model."""

# Parts of the videos that are left out in turn, at most.
_PARTS = 5

Pooled = Callable[[ActionDecoding], Outcome]


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
        f1_held_out: pooled bout F1 of every part of the videos with parameters fitted to the
            others; None where that was not tried.
    """

    action: str
    fitted: bool
    reason: str
    true_bouts: int
    f1_before: float | None
    f1_after: float | None
    f1_held_out: float | None = None

    @property
    def honest_f1(self) -> float | None:
        """Bout F1 on videos that the parameters in use were not fitted to, where that is known.

        The fit flatters the weaker model most: with a handful of bouts there is nearly always a
        setting that catches them.
        """
        return self.f1_held_out if self.fitted and self.f1_held_out is not None else self.f1_after


@dataclass(frozen=True)
class FittedDecoding:
    """Decoding parameters and how each action came by them."""

    params: DecodingParams
    report: tuple[ActionFit, ...]

    @property
    def macro_bout_f1(self) -> float | None:
        """Mean of :attr:`ActionFit.honest_f1` over the actions that have one."""
        return mean_of(fit.honest_f1 for fit in self.report)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"params": self.params.to_dict(), "report": [asdict(fit) for fit in self.report]}


def _prepare(
    videos: Sequence[tuple[ActionScores, Ethogram]],
    ignored: Sequence[Sequence[Interval]],
    action: Action,
) -> list[ScoredVideo]:
    prepared = []
    for (scores, truth), intervals in zip(videos, ignored, strict=True):
        if scores.num_frames != truth.num_frames:
            raise ValueError(
                f"Scores have {scores.num_frames} frames, the truth {truth.num_frames}: they must "
                "describe the same video."
            )
        ignored_T = ignored_mask(intervals, num_frames=truth.num_frames)
        prepared.append(
            ScoredVideo(
                score_T=scores.of(action.name),
                true_T=truth.mask(action.name),
                truth=spans_of(keep_true_bouts(truth.of(action.name), ignored_T)),
                ignored_T=ignored_T,
                fps=scores.fps,
            )
        )
    return prepared


def _parts(groups: Sequence[str]) -> list[list[int]]:
    """Positions of the videos of each part that is left out in turn: whole groups, all once."""
    number = {group: n for n, group in enumerate(dict.fromkeys(groups))}
    parts = min(_PARTS, len(number))
    return [[i for i, g in enumerate(groups) if number[g] % parts == p] for p in range(parts)]


def _held_out(
    objective: Objective, groups: Sequence[str], find: Callable[[Pooled], ActionDecoding]
) -> Counts:
    """Counts of each part of the videos with what the other parts would choose."""
    total = Counts()
    for left_out in _parts(groups):
        kept = sorted(set(range(len(groups))) - set(left_out))
        total += objective.over(left_out)(find(objective.over(kept))).bouts
    return total


def _fit_action(
    videos: Sequence[ScoredVideo],
    groups: Sequence[str],
    *,
    action: Action,
    default: ActionDecoding,
    min_bouts: int,
    rule: MatchRule,
    fixed: Collection[str],
) -> tuple[ActionDecoding, ActionFit]:
    objective = Objective(videos, action=action, rule=rule)

    def find(counts: Pooled) -> ActionDecoding:
        return search(default, kind=action.kind, objective=counts, fixed=fixed)

    before = objective(default).bouts
    true_bouts = before.tp + before.fn
    best, held_out = default, None
    if true_bouts < min_bouts:
        reason = f"defaults: only {true_bouts} true bouts, at least {min_bouts} are needed to fit"
    else:
        best = find(objective)
        if best == default:
            reason = f"defaults: nothing does better on {true_bouts} true bouts by more than one"
        elif len(set(groups)) == 1:
            reason = f"fitted to {true_bouts} true bouts of one video, which nothing else confirms"
        else:
            held_out = _held_out(objective, groups, find).f1
            reason = f"fitted to {true_bouts} true bouts in {len(set(groups))} videos"
            if (held_out or 0.0) <= (before.f1 or 0.0):
                best = default
                reason = (
                    f"defaults: what fits {true_bouts} true bouts does no better on videos left out"
                )
    fit = ActionFit(
        action=action.name,
        fitted=best != default,
        reason=reason,
        true_bouts=true_bouts,
        f1_before=before.f1,
        f1_after=objective(best).bouts.f1,
        f1_held_out=held_out,
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
    groups: Sequence[str] | None = None,
    fixed: Collection[str] = (),
) -> FittedDecoding:
    """Choose the decoding of each action that maximises bout F1 pooled over the videos.

    Args:
        videos: scores and true ethogram of each video; none of them in the model's training.
        actions: what to fit.
        defaults: where to start from and what to keep for actions that are not fitted.
        min_bouts: fewest true bouts that an action is fitted to.
        ignored: per video, intervals that are not scored.
        rule: when two bouts match.
        groups: per video, what it belongs to, e.g. the video that a clip was cut from. A group is
            left out as a whole. Without it every video stands for itself.
        fixed: names of parameters that keep their defaults, e.g. ``noise_sigmas``.

    Raises:
        ValueError: when scores and truth of a video differ in length, or there is not one group
            and one list of ignored intervals per video.
    """
    params = defaults or DecodingParams.defaults(actions)
    ignored = ignored if ignored is not None else [()] * len(videos)
    groups = groups if groups is not None else [str(i) for i in range(len(videos))]
    if len(groups) != len(videos):
        raise ValueError(
            f"fit_decoding: got {len(groups)} groups for {len(videos)} videos, expected as many."
        )
    report = []
    for action in actions.actions:
        best, fit = _fit_action(
            _prepare(videos, ignored, action),
            groups,
            action=action,
            default=params[action.name],
            min_bouts=min_bouts,
            rule=rule or MatchRule(),
            fixed=fixed,
        )
        params = params.with_action(action.name, best)
        report.append(fit)
    return FittedDecoding(params=params, report=tuple(report))
