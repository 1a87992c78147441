from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mouse_ar.core.actions import Action, ActionKind, ActionSet
from mouse_ar.core.summary import frame_edges_seconds, summarise, summarise_bins
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
    assert groom.bouts_per_hour == pytest.approx(180)
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
    assert empty.bouts_per_hour is None
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


def test_a_bout_over_a_bins_edge_counts_where_it_starts_and_lasts_in_both() -> None:
    rows = summarise_bins(ethogram((190, 230), (590, 600)), actions=ACTIONS, bin_seconds=20)
    groom = [row for row in rows if row.action == "Groom"]
    assert [(r.start_seconds, r.end_seconds) for r in groom] == [(0, 20), (20, 40), (40, 60)]
    assert [(r.start_frame, r.end_frame) for r in groom] == [(0, 199), (200, 399), (400, 599)]
    assert [r.count for r in groom] == [1, 0, 1]
    assert [r.seconds for r in groom] == pytest.approx([1, 3, 1])
    assert [r.time_budget for r in groom] == pytest.approx([0.05, 0.15, 0.05])
    assert [(r.count, r.seconds) for r in rows if r.action == "Twitch"] == [(0, 0)] * 3


def test_the_last_bin_is_as_long_as_what_is_left() -> None:
    groom = summarise_bins(ethogram((540, 600)), actions=ACTIONS, bin_seconds=45)[:2]
    assert groom[1].end_seconds == pytest.approx(60)
    assert (groom[1].start_frame, groom[1].end_frame) == (450, 599)
    assert groom[1].time_budget == pytest.approx(6 / 15)
    assert len(summarise_bins(ethogram(), actions=ACTIONS, bin_seconds=60)) == 2
    assert summarise_bins(ethogram(frames=0), actions=ACTIONS, bin_seconds=60) == []


def test_a_bout_that_starts_on_an_edge_belongs_to_the_later_bin() -> None:
    times = 0.1 + np.arange(600) * (1 / 30)  # 20 s come out as 19.999999999999996
    seen = Ethogram(600, 30, (Bout(Interval(300, 330), "Groom"),))
    rows = summarise_bins(seen, actions=ACTIONS, bin_seconds=10, timestamps=times)
    assert [row.count for row in rows if row.action == "Groom"] == [0, 1]
    assert rows[1].start_frame == 300


def test_a_bin_in_which_no_frame_begins_has_no_frames() -> None:
    times = np.array([0.0, 1.0, 5.5, 6.0])
    rows = summarise_bins(
        Ethogram(4, 1, (Bout(Interval(1, 2), "Groom"),)),
        actions=ACTIONS,
        bin_seconds=2,
        timestamps=times,
    )[:3]
    assert [(r.start_frame, r.end_frame) for r in rows] == [(0, 1), (None, None), (2, 2)]
    assert [r.seconds for r in rows] == pytest.approx([1, 2, 1.5])


@pytest.mark.parametrize("seconds", [0.0, -1.0, 0.5, math.inf, math.nan])
def test_bins_of_no_use_are_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="must last 1 second or more"):
        summarise_bins(ethogram(), actions=ACTIONS, bin_seconds=seconds)


@given(
    steps=st.lists(st.floats(0.005, 0.9), min_size=1, max_size=80),
    spans=st.lists(st.tuples(st.integers(0, 79), st.integers(1, 40)), max_size=8),
    bin_seconds=st.floats(1.0, 30.0),
)
def test_bins_add_up_to_the_video(
    steps: list[float], spans: list[tuple[int, int]], bin_seconds: float
) -> None:
    frames = len(steps)
    times = np.concatenate([[0.0], np.cumsum(steps)[:-1]])
    inside = [(a % frames, min(frames, a % frames + n)) for a, n in spans]
    seen = ethogram(*inside, frames=frames)

    rows = summarise_bins(seen, actions=ACTIONS, bin_seconds=bin_seconds, timestamps=times)

    for total in summarise(seen, actions=ACTIONS, timestamps=times):
        bins = [row for row in rows if row.action == total.action]
        assert sum(row.count for row in bins) == total.count
        assert sum(row.seconds for row in bins) == pytest.approx(total.total_seconds)
        lengths = [row.end_seconds - row.start_seconds for row in bins]
        assert sum(lengths) == pytest.approx(
            frame_edges_seconds(frames, fps=10, timestamps=times)[-1]
        )
        assert all(0 <= row.time_budget <= 1 for row in bins)
        named = [(r.start_frame, r.end_frame) for r in bins if r.start_frame is not None]
        covered = [f for a, b in named if b is not None for f in range(a, b + 1)]
        assert covered == list(range(frames))
