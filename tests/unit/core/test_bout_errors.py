"""Which bouts are wrong, and which of them come first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mouse_ar.core.actions import Action, ActionKind, ActionSet
from mouse_ar.core.bout_errors import ErrorKind, bout_errors
from mouse_ar.core.matching import MatchRule
from mouse_ar.core.metrics import VideoPair, evaluate
from mouse_ar.core.types import Bout, Ethogram, Interval

GROOM, TWITCH = "Groom", "Twitch"
ACTIONS = ActionSet(
    (Action(GROOM, GROOM, ActionKind.STATE), Action(TWITCH, TWITCH, ActionKind.POINT))
)


def ethogram(*bouts: tuple[str, int, int, float]) -> Ethogram:
    found = tuple(Bout(Interval(a, b), name, sure) for name, a, b, sure in bouts)
    return Ethogram(200, 25.0, found)


def test_the_most_confident_and_the_longest_come_first() -> None:
    truth = ethogram((GROOM, 0, 10, 1), (GROOM, 50, 90, 1), (GROOM, 120, 140, 1))
    predicted = ethogram((GROOM, 22, 30, 0.5), (GROOM, 85, 110, 0.9), (GROOM, 121, 140, 0.4))
    found = bout_errors({"v": VideoPair(predicted, truth)}, actions=ACTIONS)
    false, missed = found[GROOM, ErrorKind.FALSE], found[GROOM, ErrorKind.MISSED]
    assert [e.bout.confidence for e in false] == [0.9, 0.5]
    assert [e.bout.interval for e in missed] == [Interval(50, 90), Interval(0, 10)]
    assert [e.best_iou for e in false] == [5 / 60, 0.0]
    assert [e.best_iou for e in missed] == [5 / 60, 0.0]
    assert found[TWITCH, ErrorKind.FALSE] == found[TWITCH, ErrorKind.MISSED] == []


def test_videos_are_ranked_together_and_the_rule_counts() -> None:
    truth, predicted = ethogram((TWITCH, 50, 53, 1)), ethogram((TWITCH, 60, 63, 0.3))
    nothing = ethogram()
    pairs = {"a": VideoPair(predicted, truth), "b": VideoPair(ethogram((TWITCH, 5, 8, 1)), nothing)}
    found = bout_errors(pairs, actions=ACTIONS)  # 10 frames are 0.4 s apart
    assert [e.video for e in found[TWITCH, ErrorKind.FALSE]] == ["b", "a"]
    assert [e.video for e in found[TWITCH, ErrorKind.MISSED]] == ["a"]
    wide = MatchRule(point_tolerance_seconds=0.5)
    found = bout_errors(pairs, actions=ACTIONS, rule=wide)
    assert [e.video for e in found[TWITCH, ErrorKind.FALSE]] == ["b"]


spans = st.lists(
    st.tuples(st.integers(0, 180), st.integers(1, 20), st.floats(0, 1)), max_size=8
).map(lambda found: [(start, start + length, sure) for start, length, sure in found])


@given(true=spans, predicted=spans, hidden=st.integers(0, 190), name=st.sampled_from(ACTIONS.names))
def test_there_are_as_many_as_the_metrics_count(
    true: list[tuple[int, int, float]],
    predicted: list[tuple[int, int, float]],
    hidden: int,
    name: str,
) -> None:
    pair = VideoPair(
        ethogram(*((name, *span) for span in predicted)),
        ethogram(*((name, *span) for span in true)),
        ignored=(Interval(hidden, hidden + 10),),
    )
    counts = evaluate({"v": pair}, actions=ACTIONS).pooled[name].bouts
    found = bout_errors({"v": pair}, actions=ACTIONS)
    assert len(found[name, ErrorKind.FALSE]) == counts.fp
    assert len(found[name, ErrorKind.MISSED]) == counts.fn
