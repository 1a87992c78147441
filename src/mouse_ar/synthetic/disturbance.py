"""What makes a mouse hard to find: light that changes, litter that moves, shadows, a shaky camera.

None of it is in the demo's videos. ``scripts/bench_detection.py`` measures detectors with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.types import Track

__all__ = ["DISTURBANCES", "Disturbance", "disturb"]

Array = NDArray[np.float64]
UInt8Array = NDArray[np.uint8]

DISTURBANCES = ("none", "lighting", "bedding", "shadow", "shake")

# A lamp beside the arena goes on: so much more light on its side, so much less on the other.
_LAMP_NEAR, _LAMP_FAR = 1.45, 0.7
_LAMP_SECONDS = 0.5
# Chips of litter per pixel of the picture, their length in px at 192 px height, and contrast.
_CHIPS_PER_PX, _CHIP_PX, _CHIP_LEVELS = 1 / 60, 5.0, (0.55, 1.5)
# A low lamp: the shadow lies so many body lengths off and takes this share of the light.
_SHADOW_OFF, _SHADOW_TAKES = (0.3, 0.22), 0.4
# Camera on a shaky stand: standard deviation in px at 192 px height, and seconds of one sway.
_SHAKE_PX, _SHAKE_SECONDS = 1.5, 0.15


@dataclass(frozen=True, eq=False)
class Disturbance:
    """One disturbance through all frames of a video.

    Args:
        kind: one of DISTURBANCES.
        shift_T2: movement of the camera in pixels.
        lamp_T: how far the second lamp is on, 0..1.
        chips_TN2: where the chips of litter lie, in pixels; no chips where there is no litter.
        ends_N2: from one end of a chip to the other, in pixels.
        levels_N: brightness of each chip relative to the floor below.
    """

    kind: str
    shift_T2: Array
    lamp_T: Array
    chips_TN2: NDArray[np.float32]
    ends_N2: Array
    levels_N: Array

    def strew(self, floor_HWC: UInt8Array, frame: int) -> None:
        """Draw the litter of a frame onto the floor, in place."""
        height, width = floor_HWC.shape[:2]
        for start, along, level in zip(
            self.chips_TN2[frame], self.ends_N2, self.levels_N, strict=True
        ):
            x, y = (int(v) for v in start)
            if 0 <= x < width and 0 <= y < height:
                color = tuple(min(255.0, float(v) * level) for v in floor_HWC[y, x])
                end = (round(x + along[0]), round(y + along[1]))
                cv2.line(floor_HWC, (x, y), end, color, 1, cv2.LINE_AA)

    def cast(self, floor_HWC: UInt8Array, mouse_HW: NDArray[Any], *, body_px: float) -> None:
        """Darken the floor beside the mouse, in place.

        Args:
            floor_HWC: the arena without the mouse.
            mouse_HW: where the mouse will be, bool.
            body_px: its length.
        """
        shade = mouse_HW.astype(np.float32)
        for share in (0.5, 1.0):
            dx, dy = (share * off * body_px for off in _SHADOW_OFF)
            move = np.array([[1, 0, dx], [0, 1, dy]])
            moved = cv2.warpAffine(mouse_HW.astype(np.float32), move, mouse_HW.shape[::-1])
            shade = np.maximum(shade, moved)
        light_HW = 1 - _SHADOW_TAKES * cv2.GaussianBlur(shade, (5, 5), 0)
        floor_HWC[:] = (floor_HWC * light_HW[..., None]).astype(np.uint8)

    def light(self, seen_HWC: NDArray[Any], frame: int) -> NDArray[Any]:
        """The picture under the second lamp."""
        share = self.lamp_T[frame]
        if share == 0:
            return seen_HWC
        across = np.linspace(_LAMP_NEAR, _LAMP_FAR, seen_HWC.shape[1])
        gain = 1 + share * (across - 1)
        return np.asarray(np.clip(seen_HWC * gain[:, None], 0, 255), dtype=np.uint8)


def disturb(
    kind: str, *, track: Track, fps: float, width: int, height: int, rng: np.random.Generator
) -> Disturbance:
    """Draw a disturbance.

    Args:
        kind: one of DISTURBANCES.
        track: the mouse, which moves the litter.
        fps: frames per second.
        width: of the picture in pixels.
        height: of the picture in pixels.
        rng: source of randomness.
    """
    num_frames, scale = track.num_frames, height / 192
    count = round(width * height * _CHIPS_PER_PX / scale**2) if kind == "bedding" else 0
    angles = rng.uniform(0, np.pi, count)
    ends_N2 = _CHIP_PX * scale * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    lamp_T = np.zeros(num_frames)
    if kind == "lighting":
        seconds = np.arange(num_frames) / fps
        on, off = (rng.uniform(*part) * seconds[-1] for part in ((0.2, 0.4), (0.65, 0.9)))
        rise, fall = ((seconds - at) / _LAMP_SECONDS for at in (on, off))
        lamp_T = np.clip(rise, 0, 1) - np.clip(fall, 0, 1)
    return Disturbance(
        kind=kind,
        shift_T2=_sway(num_frames, fps=fps, rng=rng) * scale * (kind == "shake"),
        lamp_T=lamp_T,
        chips_TN2=_kicked(rng.uniform(0, (width, height), (count, 2)), track=track, rng=rng),
        ends_N2=ends_N2,
        levels_N=rng.uniform(*_CHIP_LEVELS, count),
    )


def _sway(num_frames: int, *, fps: float, rng: np.random.Generator) -> Array:
    """A random walk that is pulled back to its middle: (T, 2) pixels."""
    keep = np.exp(-1 / (_SHAKE_SECONDS * fps))
    sway_T2 = rng.normal(0, _SHAKE_PX, (num_frames, 2))
    for frame in range(1, num_frames):
        sway_T2[frame] = keep * sway_T2[frame - 1] + np.sqrt(1 - keep**2) * sway_T2[frame]
    return sway_T2


def _kicked(chips_N2: Array, *, track: Track, rng: np.random.Generator) -> NDArray[np.float32]:
    """Where chips lie in every frame: a walking mouse pushes those below it aside."""
    chips_TN2 = np.empty((track.num_frames, *chips_N2.shape), dtype=np.float32)
    for frame in range(track.num_frames):
        box, before = track.box(frame), track.box(max(0, frame - 1))
        if box and before and len(chips_N2):
            speed = np.hypot(*np.subtract(box.center, before.center))
            low, high = (box.left, box.top), (box.right, box.bottom)
            below = np.logical_and(chips_N2 > low, chips_N2 < high).min(axis=1)
            chips_N2 = chips_N2 + below[:, None] * rng.normal(0, speed, chips_N2.shape)
        chips_TN2[frame] = chips_N2
    return chips_TN2
