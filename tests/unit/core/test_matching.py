from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mouse_ar.core.actions import ActionKind
from mouse_ar.core.matching import MatchRule, match_spans, spans_of
from mouse_ar.core.types import Interval

STATE, POINT = ActionKind.STATE, ActionKind.POINT

span_lists = st.lists(
    st.builds(lambda a, n: (a, a + n), st.integers(0, 40), st.integers(1, 12)), max_size=5
)


def match(
    predicted: list[tuple[int, int]],
    truth: list[tuple[int, int]],
    kind: ActionKind = STATE,
    rule: MatchRule | None = None,
) -> list[tuple[int, int]]:
    pairs = match_spans(
        np.array(predicted, dtype=np.int64).reshape(-1, 2),
        np.array(truth, dtype=np.int64).reshape(-1, 2),
        kind=kind,
        fps=20,
        rule=rule,
    )
    return [(int(a), int(b)) for a, b in pairs]


def quality(a: tuple[int, int], b: tuple[int, int], kind: ActionKind) -> float | None:
    """None when the two must not match."""
    if kind is POINT:
        seconds = abs(sum(a) - sum(b)) / 2 / 20
        return 1 - seconds / 0.25 if seconds <= 0.25 else None
    iou = Interval(*a).iou(Interval(*b))
    return iou if iou >= 0.5 else None


@pytest.mark.parametrize("kind", [STATE, POINT])
@given(predicted=span_lists, truth=span_lists)
def test_agrees_with_trying_every_matching(
    kind: ActionKind, predicted: list[tuple[int, int]], truth: list[tuple[int, int]]
) -> None:
    best = (0, 0.0)
    slots = [*range(len(truth)), *([None] * len(predicted))]
    for choice in set(itertools.permutations(slots, len(predicted))):
        values = [
            quality(p, truth[t], kind)
            for p, t in zip(predicted, choice, strict=True)
            if t is not None
        ]
        if None not in values:
            best = max(best, (len(values), sum(v for v in values if v is not None)))
    got = match(predicted, truth, kind)
    assert len({p for p, _ in got}) == len({t for _, t in got}) == len(got) == best[0]
    qualities = [quality(predicted[p], truth[t], kind) for p, t in got]
    assert sum(q for q in qualities if q is not None) == pytest.approx(best[1], abs=1e-6)


def test_state_threshold_is_inclusive() -> None:
    assert match([(0, 10)], [(0, 20)]) == [(0, 0)]
    assert match([(0, 9)], [(0, 20)]) == []
    assert match([(0, 9)], [(0, 20)], rule=MatchRule(state_iou=0.4)) == [(0, 0)]


def test_point_tolerance_is_inclusive_and_ignores_lengths() -> None:
    assert match([(0, 10)], [(9, 11)], POINT) == [(0, 0)]  # centres 5 and 10: 0.25 s at 20 fps
    assert match([(0, 10)], [(10, 12)], POINT) == []


def test_a_chain_of_competing_events_is_matched_in_full() -> None:
    # the nearest pair (1, 0) would leave the others unmatched
    assert match([(0, 2), (4, 6)], [(4, 6), (8, 10)], POINT) == [(0, 0), (1, 1)]


def test_long_overlapping_truth_does_not_hide_later_bouts() -> None:
    assert match([(0, 100), (10, 20), (50, 60)], [(50, 60), (0, 100)]) == [(0, 1), (2, 0)]


def test_nothing_to_match() -> None:
    assert match([], [(0, 5)]) == []
    assert match([(0, 5)], []) == []
    assert spans_of([]).shape == (0, 2)


def test_thousands_of_events_are_quick() -> None:
    starts = np.arange(0, 200_000, 10)
    truth = np.stack([starts, starts + 3], axis=1)
    pairs = match_spans(truth + 1, truth, kind=POINT, fps=25)
    assert len(pairs) == len(truth)


@pytest.mark.parametrize("rule", [{"state_iou": 0.0}, {"point_tolerance_seconds": -1.0}])
def test_bad_rules_are_refused(rule: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(rule))):
        MatchRule(**rule)
