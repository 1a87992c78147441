"""Random squares and frame steps: the mouse stays in view, real frames only."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mouse_ar.core.cropping import CropBox
from mouse_ar.core.types import Box, ClipSpec, Interval, Track
from mouse_ar.core.windows import window_at
from mouse_ar.data.jitter import WindowJitter
from mouse_ar.data.stream import window_crop

SPEC = ClipSpec(num_frames=4, sampling_rate=4, input_size=32)


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@settings(max_examples=200, deadline=None)
@given(
    left=st.integers(0, 90),
    top=st.integers(0, 60),
    size=st.tuples(st.integers(1, 80), st.integers(1, 60)),
    drift=st.integers(-3, 3),
    padding=st.sampled_from([0.0, 0.1, 0.5]),
    amount=st.sampled_from([0.0, 0.1, 0.4, 0.9]),
    seed=st.integers(0, 1000),
)
def test_mouse_stays_inside_and_the_square_in_the_image(
    left: int,
    top: int,
    size: tuple[int, int],
    drift: int,
    padding: float,
    amount: float,
    seed: int,
) -> None:
    width, height = 100, 70
    spec = ClipSpec(num_frames=4, sampling_rate=4, input_size=32, crop_padding=padding)
    boxes = {
        i: Box(left + i * drift, top, left + i * drift + size[0], top + size[1]) for i in range(16)
    }
    track = Track.from_boxes(16, boxes)
    window = window_at(0, num_frames=16, spec=spec)
    image = {"width": width, "height": height}
    crop = window_crop(window, track=track, spec=spec, **image)
    keep = window_crop(window, track=track, spec=spec, padding=0.0, **image)

    square = WindowJitter(crop=amount).square(crop, keep=keep, rng=rng(seed), **image)

    for box in (boxes[i] for i in window.indices):
        assert square.left <= max(box.left, 0)
        assert square.top <= max(box.top, 0)
        assert square.right >= min(box.right, width)
        assert square.bottom >= min(box.bottom, height)
    for start, stop, length in (
        (square.left, square.right, width),
        (square.top, square.bottom, height),
    ):
        assert (start >= 0 and stop <= length) or (start <= 0 and stop >= length)
    assert abs(square.side - crop.side) <= amount * crop.side + 1
    if amount == 0:
        assert square == crop


def test_squares_differ_in_place_and_size() -> None:
    crop, keep = CropBox(100, 50, 80), CropBox(110, 60, 60)
    squares = [
        WindowJitter(crop=0.1).square(crop, keep=keep, width=400, height=300, rng=rng(seed))
        for seed in range(200)
    ]
    for values in ([s.left for s in squares], [s.top for s in squares], [s.side for s in squares]):
        assert len(set(values)) > 8
        assert np.std(values) > 2
    assert np.mean([s.left + s.side / 2 for s in squares]) == pytest.approx(140, abs=1.5)


@pytest.mark.parametrize(
    ("rate", "share", "steps"),
    [(1, 0.9, [1]), (2, 0.25, [2]), (2, 0.5, [1, 2, 3]), (4, 0.25, [3, 4, 5]), (8, 0.25, [6, 10])],
)
def test_steps_are_whole_and_never_nothing(rate: int, share: float, steps: list[int]) -> None:
    found = WindowJitter(step=share).steps(rate)
    assert [found[0], found[-1]] == [steps[0], steps[-1]]
    assert rate in found


@settings(max_examples=200, deadline=None)
@given(start=st.integers(-20, 60), num_frames=st.integers(1, 60), seed=st.integers(0, 99))
def test_another_step_keeps_the_centre_and_shows_no_further_mirrored_frames(
    start: int, num_frames: int, seed: int
) -> None:
    plain = window_at(start, num_frames=num_frames, spec=SPEC)
    other = WindowJitter(step=0.25).window(plain, num_frames=num_frames, spec=SPEC, rng=rng(seed))
    middles = [(w.interval.start + w.interval.stop) / 2 for w in (plain, other)]
    assert abs(middles[0] - middles[1]) <= 1
    inside = Interval(min(0, start), max(num_frames, plain.interval.stop))
    assert inside.start <= other.interval.start
    assert other.interval.stop <= inside.stop
    assert all(0 <= i < num_frames for i in other.indices)
    if inside == Interval(0, num_frames):
        steps = set(np.diff(other.indices).tolist())
        assert len(steps) == 1
        assert steps <= {3, 4, 5}


def test_every_step_is_drawn() -> None:
    plain = window_at(30, num_frames=100, spec=SPEC)
    jitter = WindowJitter(step=0.25)
    seen = {
        jitter.window(plain, num_frames=100, spec=SPEC, rng=rng(seed)).interval.length
        for seed in range(40)
    }
    assert seen == {12, 16, 20}


def test_wrong_shares_are_told() -> None:
    with pytest.raises(ValueError, match=r"crop must be within \[0, 1\), got 1"):
        WindowJitter(crop=1.0)
