"""Crops and normalisation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mouse_ar.core.cropping import CropBox
from mouse_ar.data.pixels import MID_GREY, crop_and_resize, normalise


def ramp(height: int = 40, width: int = 60) -> np.ndarray:
    """Every pixel's value tells its column (red) and row (green)."""
    frame_HWC = np.zeros((height, width, 3), dtype=np.uint8)
    frame_HWC[..., 0] = np.arange(width)[None]
    frame_HWC[..., 1] = np.arange(height)[:, None]
    return frame_HWC


def test_same_size_is_a_plain_cut() -> None:
    part = crop_and_resize(ramp(), crop=CropBox(5, 7, 16), size=16)
    np.testing.assert_array_equal(part, ramp()[7:23, 5:21])


@pytest.mark.parametrize(("left", "top"), [(-4, -6), (50, 30), (-20, 5)])
def test_outside_is_mid_grey_and_inside_stays_in_place(left: int, top: int) -> None:
    part = crop_and_resize(ramp(), crop=CropBox(left, top, 24), size=24)
    for row, column in np.ndindex(24, 24):
        y, x = top + row, left + column
        inside = 0 <= y < 40 and 0 <= x < 60
        expected = (x, y, 0) if inside else (MID_GREY,) * 3
        assert tuple(part[row, column]) == expected


def test_crop_that_misses_the_image_is_grey() -> None:
    part = crop_and_resize(ramp(), crop=CropBox(100, 100, 8), size=4)
    assert (part == MID_GREY).all()


def test_shrinking_averages_and_never_squeezes() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    part = crop_and_resize(noise, crop=CropBox(0, 0, 64), size=4)
    mean = noise.reshape(4, 16, 4, 16, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(part, mean, atol=1)


def test_normalised_by_imagenet_statistics_with_channels_first() -> None:
    frames = torch.zeros(2, 3, 4, 5, 3, dtype=torch.uint8)
    frames[..., 1] = 255
    pixels = normalise(frames)
    assert pixels.shape == (2, 3, 3, 4, 5)
    for channel, expected in enumerate([-0.485 / 0.229, (1 - 0.456) / 0.224, -0.406 / 0.225]):
        torch.testing.assert_close(
            pixels[:, channel], torch.full((2, 3, 4, 5), expected), atol=1e-6, rtol=0
        )
