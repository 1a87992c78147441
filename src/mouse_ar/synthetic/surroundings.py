"""What happens around the mouse: the lamp, the camera and passing shadows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mouse_ar.synthetic.config import SyntheticConfig
from mouse_ar.synthetic.script import Distractor, Script

__all__ = ["Surroundings", "simulate_surroundings"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Surroundings:
    """Light and camera per frame.

    Args:
        gain_T: brightness factor.
        camera_T2: shift of the picture in pixels.
        shadow_T: place of a passing shadow across the picture, -0.35..1.35 of its width; NaN
            for none.
    """

    gain_T: Array
    camera_T2: Array
    shadow_T: Array


def simulate_surroundings(
    script: Script, *, config: SyntheticConfig, rng: np.random.Generator
) -> Surroundings:
    """Flicker, drift, camera bumps and shadows of one video."""
    return Surroundings(
        gain_T=_lamp(script, config=config, rng=rng),
        camera_T2=_camera(script, config=config, rng=rng),
        shadow_T=_shadow(script, rng=rng),
    )


def _lamp(script: Script, *, config: SyntheticConfig, rng: np.random.Generator) -> Array:
    seconds = np.arange(script.num_frames) / config.fps
    peak = config.flicker_percent / 100
    beat = np.sin(2 * np.pi * rng.uniform(2, 9) * seconds + rng.uniform(0, 6))
    gain = 1 + peak * (0.6 * beat + 0.4 * rng.uniform(-1, 1, script.num_frames))
    drift = np.sin(2 * np.pi * seconds / rng.uniform(15, 60) + rng.uniform(0, 6))
    gain += rng.uniform(0.01, 0.05) * drift
    for burst in script.of_kind(Distractor.FLICKER):
        gain[burst.start : burst.stop] += rng.uniform(-0.18, 0.18, burst.length)
    return np.asarray(gain)


def _camera(script: Script, *, config: SyntheticConfig, rng: np.random.Generator) -> Array:
    shift = np.zeros((script.num_frames, 2))
    reach = config.body_px * 0.07
    for bump in script.of_kind(Distractor.CAMERA_BUMP):
        angle = rng.uniform(0, 2 * np.pi, bump.length)
        size = rng.uniform(0.4, 1.0, bump.length) * reach
        shift[bump.start : bump.stop] = np.stack([np.cos(angle), np.sin(angle)], 1) * size[:, None]
    return shift


def _shadow(script: Script, *, rng: np.random.Generator) -> Array:
    place = np.full(script.num_frames, np.nan)
    for passing in script.of_kind(Distractor.SHADOW):
        course = np.linspace(-0.35, 1.35, passing.length)
        place[passing.start : passing.stop] = course if rng.random() < 0.5 else course[::-1]
    return place
