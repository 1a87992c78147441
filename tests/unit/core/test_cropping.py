from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mouse_ar.core.cropping import CropBox, crop_square
from mouse_ar.core.types import Box, Interval, Track


def still(box: Box, *, num_frames: int = 1) -> Track:
    return Track.from_boxes(num_frames, dict.fromkeys(range(num_frames), box))


@st.composite
def scenes(draw: st.DrawFn) -> tuple[Track, int, int]:
    """An image and boxes that touch it, some of them partly outside."""
    width, height = draw(st.integers(1, 300)), draw(st.integers(1, 300))
    num_frames = draw(st.integers(1, 6))
    boxes = {}
    for frame in range(num_frames):
        if draw(st.booleans()):
            left = draw(st.floats(-20, width - 0.5, width=32))
            top = draw(st.floats(-20, height - 0.5, width=32))
            right = max(left, 0) + draw(st.floats(0.25, 150, width=32))
            bottom = max(top, 0) + draw(st.floats(0.25, 150, width=32))
            boxes[frame] = Box(left, top, right, bottom)
    return Track.from_boxes(num_frames, boxes), width, height


@given(scene=scenes(), padding=st.floats(0, 1))
def test_crop_holds_all_boxes_and_stays_inside(
    scene: tuple[Track, int, int], padding: float
) -> None:
    track, width, height = scene
    span = Interval(0, track.num_frames)
    crop = crop_square(track, frames=span, width=width, height=height, padding=padding)
    assert crop == crop_square(
        track, frames=[track.num_frames - 1, 0], width=width, height=height, padding=padding
    )
    assert crop.side >= 1
    boxes = track.boxes_T4[track.present_T]
    for left, top, right, bottom in boxes:
        assert crop.left <= max(left, 0)
        assert crop.top <= max(top, 0)
        assert crop.right >= min(right, width)
        assert crop.bottom >= min(bottom, height)
    for first, last, size in (
        (crop.left, crop.right, width),
        (crop.top, crop.bottom, height),
    ):
        if crop.side <= size:
            assert first >= 0
            assert last <= size
        else:  # the same overhang on both sides, to a pixel
            assert first < 0 or last > size
            assert abs(-first - (last - size)) <= 1


def test_square_is_centred_on_the_box_and_padded_by_its_larger_side() -> None:
    track = still(Box(100, 200, 140, 220))  # 40 x 20
    crop = crop_square(track, frames=[0], width=640, height=480, padding=0.1)
    assert crop == CropBox(left=96, top=186, side=48)


def test_square_is_shifted_inside_the_image() -> None:
    track = still(Box(0, 460, 40, 480))
    crop = crop_square(track, frames=[0], width=640, height=480, padding=0.5)
    assert crop == CropBox(left=0, top=400, side=80)


def test_square_larger_than_the_image_is_centred_on_it_and_never_squeezed() -> None:
    track = still(Box(10, 10, 310, 90))
    crop = crop_square(track, frames=[0], width=640, height=100, padding=0.1)
    assert crop == CropBox(left=0, top=-130, side=360)


def test_boxes_between_the_sampled_frames_count() -> None:
    boxes = {0: Box(50, 50, 60, 60), 1: Box(90, 50, 100, 60), 2: Box(50, 50, 60, 60)}
    track = Track.from_boxes(4, {**boxes, 3: Box(0, 0, 200, 200)})
    crop = crop_square(track, frames=(2, 0), width=200, height=200, padding=0)
    assert crop == CropBox(left=50, top=30, side=50)


def test_box_reaching_out_of_the_image_counts_only_inside() -> None:
    track = still(Box(-1000, 40, 20, 60))
    crop = crop_square(track, frames=[0], width=100, height=100, padding=0)
    assert crop == CropBox(left=0, top=40, side=20)


@pytest.mark.parametrize("boxes", [{}, {0: Box(-50, -50, -10, -10)}])
def test_without_a_box_the_whole_image_is_the_crop(boxes: dict[int, Box]) -> None:
    track = Track.from_boxes(3, boxes)
    crop = crop_square(track, frames=[0, 1, 2], width=640, height=480, padding=0.1)
    assert crop == CropBox(left=0, top=-80, side=640)


def test_frames_outside_the_video_and_bad_sizes_are_refused() -> None:
    track = still(Box(0, 0, 1, 1), num_frames=5)
    with pytest.raises(ValueError, match=r"outside the track's 5 frames; pass Window\.indices"):
        crop_square(track, frames=Interval(-3, 2), width=10, height=10, padding=0)
    with pytest.raises(ValueError, match="outside the track's 5 frames"):
        crop_square(track, frames=[5], width=10, height=10, padding=0)
    with pytest.raises(ValueError, match="at least one frame"):
        crop_square(track, frames=[], width=10, height=10, padding=0)
    with pytest.raises(ValueError, match="at least 1x1 pixels, got 0x10"):
        crop_square(track, frames=[0], width=0, height=10, padding=0)
    with pytest.raises(ValueError, match=r"share >= 0, got -0\.1"):
        crop_square(track, frames=[0], width=10, height=10, padding=-0.1)
    with pytest.raises(ValueError, match=">= 1 pixel"):
        CropBox(0, 0, 0)


def test_values_are_plain_integers() -> None:
    track = Track(
        boxes_T4=np.array([[1.5, 2.5, 9.5, 8.5]], dtype=np.float32), observed_T=np.array([True])
    )
    crop = crop_square(track, frames=np.array([0]), width=50, height=50, padding=0.1)
    assert {type(v) for v in (crop.left, crop.top, crop.side)} == {int}
