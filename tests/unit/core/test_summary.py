from __future__ import annotations

import numpy as np
import pytest

from mouse_ar.core.actions import Action, ActionKind, ActionSet
from mouse_ar.core.summary import frame_edges_seconds, summarise
from mouse_ar.core.types import Bout, Ethogram, Interval

ACTIONS = ActionSet(
    (Action("Groom", "Groom", ActionKind.STATE), Action("Twitch", "Twitch", ActionKind.POINT))
)


def ethogram(*spans: tuple[int, int], frames: int = 600) -> Ethogram:
    return Ethogram(frames, 10, tuple(Bout(Interval(a, b), "Groom") for a, b in spans))


def test_a_minute_with_three_bouts() -> None:
    groom, twitch = summarise(ethogram((50, 100), (200, 210), (300, 330)), actions=ACTIONS)
    assert groom.action == "Groom"
    assert groom.count == 3
    assert groom.total_seconds == pytest.approx(9)
    assert groom.mean_seconds == pytest.approx(3)
    assert groom.median_seconds == pytest.approx(3)
    assert groom.latency_seconds == pytest.approx(5)
    assert groom.time_budget == pytest.approx(0.15)
    assert groom.mean_inter_bout_seconds == pytest.approx((10 + 9) / 2)
    assert groom.rate_per_minute == pytest.approx(3)
    assert (twitch.count, twitch.total_seconds, twitch.time_budget) == (0, 0, 0)
    assert twitch.mean_seconds is None
    assert twitch.latency_seconds is None
    assert twitch.mean_inter_bout_seconds is None


def test_overlapping_bouts_count_once_in_the_total() -> None:
    groom = summarise(ethogram((0, 100), (50, 150)), actions=ACTIONS)[0]
    assert groom.count == 2
    assert groom.total_seconds == pytest.approx(15)
    assert groom.mean_seconds == pytest.approx(10)
    assert groom.mean_inter_bout_seconds is None


def test_timestamps_of_a_variable_frame_rate_rule_over_fps() -> None:
    steps = np.where(np.arange(599) < 300, 0.1, 0.2)
    times = 7.0 + np.concatenate([[0.0], np.cumsum(steps)])  # does not start at 0
    groom = summarise(ethogram((290, 310)), actions=ACTIONS, timestamps=times)[0]
    assert groom.latency_seconds == pytest.approx(29.0)
    assert groom.total_seconds == pytest.approx(10 * 0.1 + 10 * 0.2)
    assert groom.time_budget == pytest.approx(
        3.0 / frame_edges_seconds(600, fps=10, timestamps=times)[-1]
    )


def test_a_bout_up_to_the_last_frame_has_the_whole_last_frame() -> None:
    times = np.arange(600) / 10
    with_times = summarise(ethogram((590, 600)), actions=ACTIONS, timestamps=times)[0]
    assert with_times.total_seconds == pytest.approx(1)
    assert summarise(ethogram((590, 600)), actions=ACTIONS)[0].total_seconds == pytest.approx(1)


def test_videos_of_none_and_one_frame() -> None:
    empty = summarise(ethogram(frames=0), actions=ACTIONS)[0]
    assert empty.time_budget is None
    assert empty.rate_per_minute is None
    one = summarise(ethogram((0, 1), frames=1), actions=ACTIONS, timestamps=np.array([3.0]))[0]
    assert one.total_seconds == pytest.approx(0.1)
    assert one.time_budget == pytest.approx(1)


@pytest.mark.parametrize(
    ("times", "match"),
    [
        (np.zeros(3), "strictly increasing"),
        (np.array([0, 1, np.nan]), "finite"),
        (np.arange(2.0), r"shape \(3,\)"),
    ],
)
def test_bad_timestamps_are_refused(times: np.ndarray, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        frame_edges_seconds(3, fps=25, timestamps=times)
