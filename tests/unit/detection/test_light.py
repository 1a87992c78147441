"""The background under the light of a frame."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mouse_ar.detection.light import match_light

HEIGHT, WIDTH = 120, 160


def arena(seed: int = 0) -> np.ndarray:
    """A floor with some texture and a darker wall."""
    floor = np.random.default_rng(seed).uniform(120, 150, (HEIGHT, WIDTH, 1))
    floor[:, :12] *= 0.5
    return np.repeat(floor, 3, axis=2).astype(np.uint8)


def under_a_lamp(picture: np.ndarray, *, near: float, far: float) -> np.ndarray:
    return np.clip(picture * np.linspace(near, far, WIDTH)[:, None], 0, 255).astype(np.uint8)


@pytest.mark.parametrize("gain", [0.5, 0.8, 1.2])
def test_light_is_matched_despite_an_animal(gain: float) -> None:
    background = np.full((120, 160, 3), 150, np.uint8)
    frame = cv2.convertScaleAbs(background, alpha=gain)
    frame[20:90, 20:100] = 10
    lit = match_light(background, frame_HWC=frame)
    assert abs(float(lit.mean()) - 150 * gain) <= 1


def test_light_of_a_dark_picture_is_left_alone() -> None:
    background = np.full((120, 160, 3), 8, np.uint8)
    background[:40] = 100
    frame = np.full_like(background, 8)
    np.testing.assert_array_equal(match_light(background, frame_HWC=frame), background)


def test_a_lamp_at_the_side_is_matched_despite_an_animal() -> None:
    background = arena()
    expected = under_a_lamp(background, near=1.4, far=0.7)
    frame = expected.copy()
    cv2.ellipse(frame, (50, 60), (30, 18), 20, 0, 360, (15, 15, 15), -1)
    lit = match_light(background, frame_HWC=frame)
    assert np.abs(lit.astype(int) - expected).mean() < 2.5
    assert np.abs(background.astype(int) - expected).mean() > 20


@pytest.mark.parametrize("share", [0.2, 0.35])
def test_a_large_animal_at_one_side_is_no_lamp(share: float) -> None:
    frame = arena()
    frame[:, : round(share * WIDTH)] = 10
    lit = match_light(arena(), frame_HWC=frame)
    assert np.abs(lit.astype(int) - arena()).max() <= 2


def test_saturated_parts_do_not_count() -> None:
    background = arena()
    frame = under_a_lamp(background, near=2.6, far=1.0)
    assert (frame == 255).mean() > 0.2
    lit = match_light(background, frame_HWC=frame)
    assert np.abs(lit.astype(int) - frame).mean() < 4


def test_noise_alone_changes_nothing() -> None:
    noise = np.random.default_rng(1).normal(0, 6, (HEIGHT, WIDTH, 3))
    frame = np.clip(arena() + noise, 0, 255).astype(np.uint8)
    lit = match_light(arena(), frame_HWC=frame)
    assert np.abs(lit.astype(int) - arena()).max() <= 2


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (8, 8)])
def test_tiny_pictures(size: tuple[int, int]) -> None:
    picture = np.full((*size, 3), 90, np.uint8)
    lit = match_light(picture, frame_HWC=picture // 2)
    assert lit.shape == picture.shape
