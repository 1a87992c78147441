from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_fscore_support

from mouse_ar.core.actions import Action, ActionKind, ActionSet
from mouse_ar.core.frame_curves import average_precision
from mouse_ar.core.metrics import Counts, VideoPair, evaluate
from mouse_ar.core.types import ActionScores, Bout, Ethogram, Interval

GROOM, TWITCH = "Groom", "Twitch"
ACTIONS = ActionSet(
    (Action(GROOM, GROOM, ActionKind.STATE), Action(TWITCH, TWITCH, ActionKind.POINT))
)


def ethogram(*bouts: tuple[str, int, int], frames: int = 1000, fps: float = 25) -> Ethogram:
    return Ethogram(frames, fps, tuple(Bout(Interval(a, b), name) for name, a, b in bouts))


def bouts_of(
    predicted: Ethogram, truth: Ethogram, action: str, ignored: tuple[Interval, ...] = ()
) -> Counts:
    result = evaluate({"v": VideoPair(predicted, truth, ignored)}, actions=ACTIONS)
    return result.pooled[action].bouts


def test_counts() -> None:
    counts = Counts(tp=3, fp=1, fn=2)
    assert counts.precision == pytest.approx(3 / 4)
    assert counts.recall == pytest.approx(3 / 5)
    assert counts.f1 == pytest.approx(2 * 0.75 * 0.6 / (0.75 + 0.6))
    assert Counts(fp=2).precision == 0
    assert Counts(fp=2).recall is None
    assert Counts(fp=2).f1 == 0
    assert Counts().f1 is None


def test_bouts_frames_and_rates() -> None:
    truth = ethogram((GROOM, 100, 200), (GROOM, 400, 500), (TWITCH, 300, 304))
    predicted = ethogram((GROOM, 110, 210), (GROOM, 700, 800), (TWITCH, 304, 308))
    result = evaluate({"v": VideoPair(predicted, truth)}, actions=ACTIONS)
    groom, twitch = result.pooled[GROOM], result.pooled[TWITCH]
    assert groom.bouts == Counts(tp=1, fp=1, fn=1)
    assert groom.frames == Counts(tp=90, fp=110, fn=110)
    assert groom.true_seconds == pytest.approx(8)
    assert groom.predicted_seconds == pytest.approx(8)
    assert groom.false_per_hour == pytest.approx(1 / 40 * 3600)
    assert twitch.bouts == Counts(tp=1)
    assert twitch.frames == Counts(fp=4, fn=4)
    assert result.macro_bout_f1 == pytest.approx((0.5 + 1) / 2)
    assert (groom.true_count, groom.predicted_count) == (2, 2)


def test_pooling_adds_counts_and_does_not_average() -> None:
    perfect = VideoPair(ethogram((GROOM, 0, 50)), ethogram((GROOM, 0, 50)))
    bad = VideoPair(
        ethogram((GROOM, 0, 50), (GROOM, 200, 250)), ethogram((GROOM, 400, 450), (GROOM, 500, 550))
    )
    result = evaluate({"a": perfect, "b": bad}, actions=ACTIONS)
    assert result.per_video["a"][GROOM].bouts.f1 == 1
    assert result.per_video["b"][GROOM].bouts.f1 == 0
    assert result.pooled[GROOM].bouts == Counts(tp=1, fp=2, fn=2)
    assert result.pooled[GROOM].scored_seconds == pytest.approx(80)


def test_an_absent_action_is_left_out_of_the_macro() -> None:
    pair = VideoPair(ethogram((GROOM, 0, 50)), ethogram((GROOM, 0, 50)))
    result = evaluate({"v": pair}, actions=ACTIONS)
    assert result.pooled[TWITCH].bouts.f1 is None
    assert result.macro_bout_f1 == 1
    nothing = evaluate({"v": VideoPair(ethogram(), ethogram())}, actions=ACTIONS)
    assert nothing.macro_bout_f1 is None
    assert evaluate({}, actions=ACTIONS).pooled[GROOM].false_per_hour is None
    invented = VideoPair(ethogram((TWITCH, 5, 8)), ethogram())
    assert evaluate({"v": invented}, actions=ACTIONS).macro_bout_f1 == 0


def test_a_bout_matches_only_its_own_action() -> None:
    assert bouts_of(ethogram((GROOM, 0, 50)), ethogram((TWITCH, 0, 50)), TWITCH) == Counts(fn=1)


def test_ignored_frames_are_not_scored() -> None:
    pair = VideoPair(ethogram((GROOM, 0, 100)), ethogram((GROOM, 50, 150)), [Interval(0, 60)])
    groom = evaluate({"v": pair}, actions=ACTIONS).pooled[GROOM]
    assert groom.frames == Counts(tp=40, fn=50)
    assert groom.scored_seconds == pytest.approx(940 / 25)
    assert groom.true_seconds == pytest.approx(90 / 25)


def test_a_true_bout_mostly_inside_an_ignored_interval_is_dropped() -> None:
    truth = ethogram((GROOM, 100, 200))
    assert bouts_of(ethogram(), truth, GROOM, (Interval(149, 300),)) == Counts()
    assert bouts_of(ethogram(), truth, GROOM, (Interval(150, 300),)) == Counts(fn=1)


def test_a_predicted_bout_centred_in_an_ignored_interval_counts_only_when_it_matches() -> None:
    predicted = ethogram((GROOM, 100, 200))
    assert bouts_of(predicted, ethogram(), GROOM, (Interval(140, 160),)) == Counts()
    assert bouts_of(predicted, ethogram(), GROOM, (Interval(0, 140),)) == Counts(fp=1)
    truth = ethogram((GROOM, 100, 200))
    assert bouts_of(predicted, truth, GROOM, (Interval(140, 160),)) == Counts(tp=1)


masks = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)


def from_mask(mask: np.ndarray) -> Ethogram:
    singles = tuple(Bout(Interval(int(i), int(i) + 1), GROOM) for i in np.flatnonzero(mask))
    return Ethogram(len(mask), 25, singles)


@given(masks)
def test_frame_scores_agree_with_scikit_learn(frames: list[tuple[bool, bool]]) -> None:
    predicted_T, true_T = np.array(frames).T
    pair = VideoPair(from_mask(predicted_T), from_mask(true_T))
    counts = evaluate({"v": pair}, actions=ACTIONS).pooled[GROOM].frames
    got = [counts.precision, counts.recall, counts.f1]
    expected = precision_recall_fscore_support(
        true_T, predicted_T, average="binary", zero_division=np.nan
    )[:3]
    for mine, theirs in zip(got, expected, strict=True):
        assert (np.isnan(theirs) and mine is None) or mine == pytest.approx(theirs)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0, 0.2, 0.5, 0.9])), min_size=1))
def test_average_precision_agrees_with_scikit_learn(frames: list[tuple[bool, float]]) -> None:
    truth = np.array([t for t, _ in frames])
    score = np.array([s for _, s in frames])
    got = average_precision(truth, score)
    if truth.any():
        assert got == pytest.approx(average_precision_score(truth, score))
    else:
        assert got is None


def test_average_precision_of_given_scores_leaves_out_ignored_frames() -> None:
    truth = ethogram((GROOM, 0, 4), frames=8)
    groom = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 1.0], dtype=np.float32)
    scores_TK = np.stack([1 - groom, groom, 0 * groom], axis=1)
    scores = {"v": ActionScores(scores_TK, ACTIONS.classes, 25)}
    whole = evaluate({"v": VideoPair(truth, truth)}, actions=ACTIONS, scores=scores)
    part = evaluate(
        {"v": VideoPair(truth, truth, [Interval(7, 8)])}, actions=ACTIONS, scores=scores
    )
    assert whole.pooled[GROOM].average_precision == pytest.approx(
        (1 / 2 + 2 / 3 + 3 / 4 + 4 / 5) / 4
    )
    assert part.pooled[GROOM].average_precision == 1
    assert part.per_video["v"][GROOM].average_precision == 1
    assert part.pooled[TWITCH].average_precision is None
    assert (
        evaluate({"v": VideoPair(truth, truth)}, actions=ACTIONS).pooled[GROOM].average_precision
        is None
    )


def test_the_result_is_json_without_nan() -> None:
    pair = VideoPair(ethogram((GROOM, 0, 50)), ethogram((GROOM, 0, 50)))
    data = evaluate({"v": pair}, actions=ACTIONS).to_dict()
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert data["pooled"][TWITCH]["bouts"]["f1"] is None
    assert data["per_video"]["v"][GROOM]["bouts"]["tp"] == 1
    assert data["match"] == {"state_iou": 0.5, "point_tolerance_seconds": 0.25}


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="1000 frames, truth 999"):
        VideoPair(ethogram(), ethogram(frames=999))
    scores = {"v": ActionScores(np.zeros((7, 3), dtype=np.float32), ACTIONS.classes, 25)}
    with pytest.raises(ValueError, match="'v': scores have 7 frames, the truth 1000"):
        evaluate({"v": VideoPair(ethogram(), ethogram())}, actions=ACTIONS, scores=scores)
