from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mouse_ar.data.clock import Clock


@dataclass(frozen=True)
class Times:
    timestamps_seconds: NDArray[np.float64]
    fps: float


def steady(fps: float, num_frames: int = 1000, *, start: float = 0.0) -> Clock:
    return Clock(Times(start + np.arange(num_frames) / fps, fps))


@given(
    fps=st.sampled_from([10.0, 24000 / 1001, 25.0, 30000 / 1001, 30.0, 60.0, 120.0, 240.0]),
    first=st.integers(0, 999),
    length=st.integers(1, 500),
    decimals=st.sampled_from([3, 6, 12]),
)
def test_frames_survive_being_written_as_seconds(
    fps: float, first: int, length: int, decimals: int
) -> None:
    stop = min(first + length, 1000)
    start_seconds, stop_seconds = round(first / fps, decimals), round(stop / fps, decimals)

    assert steady(fps, start=7.3).span(start_seconds, stop_seconds) == (first, stop)
    assert steady(fps).frame_at(start_seconds) == first


def test_true_timestamps_rule_not_the_average_rate() -> None:
    clock = Clock(Times(np.array([0.0, 0.1, 0.2, 1.0, 1.1, 1.2]), fps=5.0))

    assert clock.frame_at(0.9) == 2
    assert clock.span(0.15, 1.05) == (1, 4)
    assert clock.duration_seconds == pytest.approx(1.4)


def test_times_outside_of_the_video_give_frames_outside() -> None:
    clock = steady(10.0, 100)

    assert clock.frame_at(-0.05) < 0
    assert clock.frame_at(10.0) == 100
    assert clock.frame_at(12.05) == 120
    assert clock.span(9.0, 15.0)[1] > 100


def test_a_container_may_claim_one_frame_more() -> None:
    assert steady(25.0, 100).span(3.0, 4.04) == (75, 100)


def test_short_spans_keep_one_frame() -> None:
    assert steady(10.0).span(1.02, 1.03) == (10, 11)


@pytest.mark.parametrize(
    ("frame", "seconds", "expected"),
    [
        (50, 0.5, (48, 53)),
        (50, 0.0, (50, 51)),
        (0, 0.5, (0, 3)),
        (99, 0.5, (97, 100)),
        (100, 0.5, (100, 101)),
    ],
)
def test_point_events_lie_around_their_moment(
    frame: int, seconds: float, expected: tuple[int, int]
) -> None:
    assert steady(10.0, 100).around(frame, seconds) == expected


def test_video_without_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one frame"):
        Clock(Times(np.array([]), 25.0))
