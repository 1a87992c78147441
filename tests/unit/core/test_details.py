from __future__ import annotations

import json

import numpy as np
import pytest

from mouse_ar.core.actions import Action, ActionKind, ActionSet
from mouse_ar.core.details import EvaluationDetails, evaluate_details
from mouse_ar.core.metrics import VideoPair, evaluate
from mouse_ar.core.types import ActionScores, Bout, Ethogram, Interval

GROOM, TWITCH = "Groom", "Twitch"
ACTIONS = ActionSet(
    (Action(GROOM, GROOM, ActionKind.STATE), Action(TWITCH, TWITCH, ActionKind.POINT))
)
FPS, FRAMES = 10.0, 1000


def ethogram(*bouts: tuple[str, int, int]) -> Ethogram:
    return Ethogram(FRAMES, FPS, tuple(Bout(Interval(a, b), name) for name, a, b in bouts))


def scores(found: Ethogram) -> ActionScores:
    """Sure where the bouts are, with a hump of doubt behind them."""
    scores_TK = np.zeros((FRAMES, 3), dtype=np.float32)
    for column, name in enumerate(ACTIONS.names, start=1):
        scores_TK[:, column] = 0.4 * found.mask(name) + 0.1 * np.roll(found.mask(name), 5)
    scores_TK[:, 0] = 1 - scores_TK[:, 1:].sum(axis=1)
    return ActionScores(scores_TK, ACTIONS.classes, FPS)


VIDEOS = {
    "a": VideoPair(
        ethogram((GROOM, 102, 203), (GROOM, 500, 520), (TWITCH, 301, 304)),
        ethogram((GROOM, 100, 200), (TWITCH, 300, 303), (TWITCH, 700, 703)),
    ),
    "b": VideoPair(ethogram((GROOM, 50, 100)), ethogram((GROOM, 50, 90), (GROOM, 400, 450))),
    "c": VideoPair(ethogram(), ethogram((TWITCH, 20, 24)), (Interval(0, 100),)),
}


def details(videos: dict[str, VideoPair] = VIDEOS) -> EvaluationDetails:
    return evaluate_details(
        videos,
        evaluation=evaluate(videos, actions=ACTIONS),
        actions=ACTIONS,
        scores={name: scores(pair.truth) for name, pair in videos.items()},
        thresholds={GROOM: 0.3},
    )


def test_counts_durations_latencies_and_edges() -> None:
    groom = details().actions[GROOM]
    assert groom.count.videos == ("a", "b", "c")
    assert groom.count.true == (1, 2, 0)
    assert groom.count.predicted == (2, 1, 0)
    assert groom.duration.true == pytest.approx((10.0, 9.0, 0.0))
    assert groom.duration.predicted == pytest.approx((12.1, 5.0, 0.0))
    assert groom.latency.both.true == pytest.approx((10.0, 5.0))
    assert groom.latency.both.predicted == pytest.approx((10.2, 5.0))
    assert (groom.latency.missed, groom.latency.neither) == (0, 1)
    assert groom.onset.bouts == groom.offset.bouts == 2
    assert groom.onset.mean_seconds == pytest.approx((0.2 + 0.0) / 2)
    assert groom.offset.mean_absolute_seconds == pytest.approx((0.3 + 1.0) / 2)


def test_ignored_frames_are_in_no_figure() -> None:
    twitch = details().per_video["c"].actions[TWITCH]
    assert twitch.count.true == (0,)
    assert (twitch.latency.neither, twitch.latency.missed) == (1, 0)
    assert twitch.bouts.mean_average_precision is None
    assert details().per_video["c"].confusion.frames_KK.sum() == FRAMES - 100
    assert details().confusion.frames_KK.sum() == 3 * FRAMES - 100
    # a predicted bout there neither starts the latency nor counts
    early = {"c": VideoPair(ethogram((TWITCH, 40, 44)), ethogram(), (Interval(0, 100),))}
    assert details(early).actions[TWITCH].latency.neither == 1
    assert details(early).actions[TWITCH].count.predicted == (0,)


def test_kappa_agrees_with_the_confusion_of_one_action() -> None:
    only = {"v": VideoPair(ethogram((GROOM, 0, 300)), ethogram((GROOM, 100, 400)))}
    found = details(only)
    # 200 both, 100 each alone, 600 neither: observed 0.8, expected 0.3 * 0.3 + 0.7 * 0.7
    assert found.actions[GROOM].kappa == pytest.approx((0.8 - 0.58) / 0.42)
    assert found.confusion.kappa == pytest.approx(found.actions[GROOM].kappa)
    assert found.actions[TWITCH].kappa is None


def test_curves_mark_the_threshold_and_the_decoded_bouts() -> None:
    groom = details().actions[GROOM]
    assert groom.curves is not None
    assert groom.curves.average_precision == pytest.approx(1)
    operating, decoded = groom.curves.operating, groom.curves.decoded
    assert operating is not None
    assert (operating.threshold, operating.precision, operating.recall) == (0.3, 1.0, 1.0)
    frames = evaluate(VIDEOS, actions=ACTIONS).pooled[GROOM].frames
    assert decoded is not None
    assert (decoded.precision, decoded.recall) == (frames.precision, frames.recall)
    twitch = details().actions[TWITCH].curves
    assert twitch is not None
    assert twitch.operating is None


def test_pooled_figures_at_the_default_overlap_are_those_of_the_evaluation() -> None:
    found = details()
    at_half = found.actions[GROOM].bouts
    assert (
        at_half.counts[at_half.ious.index(0.5)]
        == evaluate(VIDEOS, actions=ACTIONS).pooled[GROOM].bouts
    )
    assert found.actions[TWITCH].bouts.centre_average_precision == pytest.approx(1 / 2)
    expected = [a.bouts.mean_average_precision for a in found.actions.values()]
    assert found.mean_average_precision == pytest.approx(np.mean(expected))


def test_videos_have_the_same_figures_and_no_intervals() -> None:
    found = details()
    assert list(found.per_video) == ["a", "b", "c"]
    assert found.intervals is not None
    assert found.intervals.videos == 3
    assert found.per_video["a"].intervals is None
    alone = details({"a": VIDEOS["a"]})
    assert found.per_video["a"].to_dict() == {
        key: value
        for key, value in alone.to_dict().items()
        if key not in {"per_video", "intervals_95"}
    }


def test_everything_is_json() -> None:
    text = json.dumps(details().to_dict(), allow_nan=False)
    found = json.loads(text)
    assert found["actions"][GROOM]["curves"]["recall"][-1] == 1
    assert "recall" not in found["per_video"]["a"]["actions"][GROOM]["curves"]
    assert found["confusion"]["classes"] == ["idle", GROOM, TWITCH]
    nothing = evaluate_details({}, evaluation=evaluate({}, actions=ACTIONS), actions=ACTIONS)
    assert nothing.mean_average_precision is None
    assert nothing.actions[GROOM].curves is None
    json.dumps(nothing.to_dict(), allow_nan=False)


def test_the_evaluation_must_be_of_the_same_videos() -> None:
    with pytest.raises(ValueError, match="for the same videos"):
        evaluate_details(VIDEOS, evaluation=evaluate({}, actions=ACTIONS), actions=ACTIONS)
