"""A drawn mouse: geometry of all frames at once, painting frame by frame."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from mouse_ar.core.types import Track
from mouse_ar.synthetic.motion import Motion

__all__ = ["COAT_COLORS", "CoatColors", "MouseShape", "paint_mouse", "shape_mouse"]

Array = NDArray[np.float64]
UInt8Array = NDArray[np.uint8]
Color = tuple[float, float, float]

# Outline of the trunk from tail base (0) to neck (1): half breadth as a share of body length.
_TRUNK_AT = (0.0, 0.05, 0.2, 0.38, 0.6, 0.8, 0.93, 1.0)
_TRUNK_HALF = (0.0, 0.075, 0.155, 0.185, 0.175, 0.14, 0.105, 0.07)
# Outline of the head from the neck forwards, both as shares of body length.
_HEAD_AT = (-0.05, 0.0, 0.06, 0.12, 0.18, 0.235, 0.262, 0.27)
_HEAD_HALF = (0.0, 0.085, 0.108, 0.102, 0.075, 0.042, 0.022, 0.0)
_TRUNK_BACK, _TRUNK_FRONT = -0.46, 0.27
_EAR_AT, _EAR_ASIDE, _EAR_RADIUS = 0.045, 0.105, 0.058
_FOOT_RADIUS, _PAW_RADIUS = 0.04, 0.06
_SUBPIXEL_BITS = 4


@dataclass(frozen=True)
class CoatColors:
    """RGB under full light."""

    coat: Color
    back: Color
    skin: Color
    eye: Color


COAT_COLORS = {
    "black": CoatColors((42, 40, 41), (62, 60, 62), (168, 132, 128), (12, 12, 14)),
    "white": CoatColors((226, 222, 214), (243, 241, 236), (226, 164, 158), (150, 40, 52)),
    "agouti": CoatColors((118, 98, 74), (84, 69, 53), (172, 132, 118), (18, 15, 14)),
    "brown": CoatColors((92, 62, 42), (112, 79, 55), (166, 122, 108), (16, 12, 12)),
}


@dataclass(frozen=True, eq=False)
class MouseShape:
    """Where the parts of the mouse are in every frame, in pixels; float64 (T, points, 2).

    ``paws`` are NaN while they are on the ground. Left comes before right.
    """

    body_px: float
    trunk: Array
    back: Array
    head: Array
    ears: Array
    eyes: Array
    nose: Array
    feet: Array
    shoulders: Array
    paws: Array
    tail: Array

    def boxes(self, camera_T2: Array, *, width: int, height: int) -> Track:
        """Boxes around everything but the tail, shifted with the camera, cut to the image."""
        low, high = np.full((len(self.trunk), 2), np.inf), np.full((len(self.trunk), 2), -np.inf)
        for part, radius in (
            (self.trunk, 0.0),
            (self.head, 0.0),
            (self.ears, _EAR_RADIUS),
            (self.feet, _FOOT_RADIUS),
            # Paws on the ground stand in at the neck, which is well inside.
            (np.where(np.isnan(self.paws), self.head[:, :1], self.paws), _PAW_RADIUS),
        ):
            # Half a pixel more: drawing puts pixel centres, boxes put edges, on whole numbers.
            reach = radius * self.body_px
            low = np.minimum(low, part.min(axis=1) - reach)
            high = np.maximum(high, part.max(axis=1) + reach)
        size = np.array([width, height])
        low = np.clip(low + camera_T2, 0, size - 1)
        high = np.clip(high + camera_T2 + 1, 1, size)
        boxes_T4 = np.concatenate([low, high], axis=1).astype(np.float32)
        return Track(boxes_T4=boxes_T4, observed_T=np.ones(len(boxes_T4), dtype=bool))


def shape_mouse(motion: Motion, *, body_px: float) -> MouseShape:
    """Lay out the mouse in every frame.

    Args:
        motion: poses.
        body_px: length from tail base to nose of the standing mouse in pixels.
    """
    s = np.linspace(0, 1, 18)
    spine_T, half = _spine(motion, s), PchipInterpolator(_TRUNK_AT, _TRUNK_HALF)(s)
    aside_TN = half * motion.breadth[:, None]
    to_body = _Frame(motion.xy_T2, motion.heading, body_px)
    neck_angle = motion.heading + np.arctan2(motion.bend * 0.55, _TRUNK_FRONT - _TRUNK_BACK)
    neck_xy = to_body.place(spine_T[:, -1:])[:, 0]
    to_head = _Frame(neck_xy, neck_angle + motion.head_angle, body_px)
    at = np.linspace(_HEAD_AT[0], _HEAD_AT[-1], 14)
    head_half = PchipInterpolator(_HEAD_AT, _HEAD_HALF)(at)
    reach = motion.reach[:, None]
    ones = np.ones_like(reach)
    return MouseShape(
        body_px=body_px,
        trunk=to_body.place(_contour(spine_T, aside_TN)),
        back=to_body.place(_contour(spine_T[:, 2:-1], 0.5 * aside_TN[:, 2:-1])),
        head=to_head.place(_contour(_points(at * reach, 0 * at * reach), head_half * ones)),
        ears=to_head.place(_pair(_EAR_AT * ones, _EAR_ASIDE * ones)),
        eyes=to_head.place(_pair(0.155 * reach, 0.062 * ones)),
        nose=to_head.place(_points(0.262 * reach, 0 * reach)),
        feet=to_body.place(_feet(motion)),
        shoulders=to_head.place(_pair(0.0 * ones, 0.11 * ones)),
        paws=to_head.place(_paws(motion)),
        tail=to_body.place(_tail(motion, spine_T[:, 0])),
    )


@dataclass(frozen=True)
class _Frame:
    """Axes of a body part: origin (T, 2) in pixels, direction (T,) in radians, unit in pixels."""

    origin_T2: Array
    angle: Array
    unit_px: float

    def place(self, points_TN2: Array) -> Array:
        """Points given as (forward, right) in units -> pixels."""
        cos, sin = np.cos(self.angle)[:, None], np.sin(self.angle)[:, None]
        along, aside = points_TN2[..., 0] * self.unit_px, points_TN2[..., 1] * self.unit_px
        turned = np.stack([along * cos - aside * sin, along * sin + aside * cos], axis=-1)
        return np.asarray(turned + self.origin_T2[:, None])


def _points(along: Array, aside: Array) -> Array:
    return np.stack([along, aside], axis=-1)


def _pair(along: Array, aside: Array) -> Array:
    """Left and right of a part: two (T, 1) arrays -> (T, 2, 2)."""
    return np.concatenate([_points(along, -aside), _points(along, aside)], axis=1)


def _contour(spine_TN2: Array, half_TN: Array) -> Array:
    """Closed outline around a spine: down the left side, back up the right."""
    left, right = spine_TN2.copy(), spine_TN2.copy()
    left[..., 1] -= half_TN
    right[..., 1] += half_TN
    return np.concatenate([left, right[:, ::-1]], axis=1)


def _spine(motion: Motion, s: Array) -> Array:
    along = (_TRUNK_BACK + (_TRUNK_FRONT - _TRUNK_BACK) * s) * motion.length[:, None]
    curve = motion.bend[:, None] * 0.5 * (s - 0.45) ** 2
    return _points(along, curve + motion.sway[:, None] * np.sin(np.pi * s))


def _feet(motion: Motion) -> Array:
    """Front pair, then hind pair; diagonal feet swing together."""
    swing = 0.07 * motion.pace * np.sin(motion.gait)
    corners = [(0.19, -0.125, 1), (0.19, 0.125, -1), (-0.2, -0.165, -1), (-0.2, 0.165, 1)]
    return np.stack(
        [_points(x * motion.length + sign * swing, y * motion.breadth) for x, y, sign in corners],
        axis=1,
    )


def _paws(motion: Motion) -> Array:
    """Stroking paws in the axes of the head, from the nose (0) to behind the ear (1)."""
    along = 0.29 * motion.reach[:, None] - 0.22 * motion.strokes_T2
    aside = (0.035 + 0.105 * motion.strokes_T2) * np.array([-1.0, 1.0])
    return _points(along, aside)


def _tail(motion: Motion, root_T2: Array) -> Array:
    u = np.linspace(0, 1, 9)
    along = root_T2[:, :1] + 0.06 - 0.72 * u
    wave = 0.13 * u * np.sin(motion.tail[:, None] - 2.6 * u) + 0.3 * motion.bend[:, None] * u**2
    return _points(along, root_T2[:, 1:] + wave)


def paint_mouse(
    frame_HWC: UInt8Array, *, shape: MouseShape, frame: int, colors: CoatColors, light: float
) -> None:
    """Draw the mouse of one frame into a picture, in place.

    Args:
        frame_HWC: uint8 RGB.
        shape: geometry of all frames.
        frame: which of them.
        colors: of this coat.
        light: brightness factor where the mouse is.
    """
    unit = shape.body_px

    def ink(color: Color, factor: float = 1.0) -> Color:
        red, green, blue = (min(c * light * factor, 255.0) for c in color)
        return red, green, blue

    skin, coat, back = ink(colors.skin), ink(colors.coat), ink(colors.back)
    _drop_shadow(frame_HWC, outline=shape.trunk[frame], unit_px=unit)
    tail = shape.tail[frame]
    _line(frame_HWC, tail[:4], skin, 0.05 * unit)
    _line(frame_HWC, tail[3:], skin, 0.03 * unit)
    for foot in shape.feet[frame]:
        _disc(frame_HWC, foot, _FOOT_RADIUS * unit, skin)
    _fill(frame_HWC, shape.trunk[frame], coat)
    _fill(frame_HWC, shape.back[frame], back)
    for ear in shape.ears[frame]:
        _disc(frame_HWC, ear, _EAR_RADIUS * unit, ink(colors.coat, 0.85))
        _disc(frame_HWC, ear, 0.6 * _EAR_RADIUS * unit, skin)
    _fill(frame_HWC, shape.head[frame], coat)
    for eye in shape.eyes[frame]:
        _disc(frame_HWC, eye, 0.018 * unit, ink(colors.eye))
    _disc(frame_HWC, shape.nose[frame, 0], 0.016 * unit, skin)
    for shoulder, paw in zip(shape.shoulders[frame], shape.paws[frame], strict=True):
        if not np.isnan(paw[0]):
            _line(frame_HWC, np.stack([shoulder, paw]), coat, 0.05 * unit)
            _disc(frame_HWC, paw, _PAW_RADIUS * unit, skin)


def _fixed(points: Array) -> NDArray[np.int32]:
    return np.asarray(np.round(points * (1 << _SUBPIXEL_BITS)), dtype=np.int32)


def _fill(frame_HWC: UInt8Array, points_N2: Array, color: Color) -> None:
    cv2.fillPoly(frame_HWC, [_fixed(points_N2)], color, cv2.LINE_AA, _SUBPIXEL_BITS)


def _line(frame_HWC: UInt8Array, points_N2: Array, color: Color, width_px: float) -> None:
    thickness = max(1, round(width_px))
    cv2.polylines(
        frame_HWC, [_fixed(points_N2)], False, color, thickness, cv2.LINE_AA, _SUBPIXEL_BITS
    )


def _disc(frame_HWC: UInt8Array, center: Array, radius_px: float, color: Color) -> None:
    x, y = (int(v) for v in _fixed(center))
    radius = max(1, round(radius_px * (1 << _SUBPIXEL_BITS)))
    cv2.circle(frame_HWC, (x, y), radius, color, cv2.FILLED, cv2.LINE_AA, _SUBPIXEL_BITS)


def _drop_shadow(frame_HWC: UInt8Array, *, outline: Array, unit_px: float) -> None:
    """Darken the floor around the trunk."""
    height, width = frame_HWC.shape[:2]
    pad = round(0.12 * unit_px) + 2
    left, top = (max(0, int(v) - pad) for v in outline.min(axis=0))
    right = min(width, int(outline[:, 0].max()) + pad)
    bottom = min(height, int(outline[:, 1].max()) + pad)
    if right - left < 2 or bottom - top < 2:
        return
    shade = np.full((bottom - top, right - left), 255, dtype=np.uint8)
    offset = 0.03 * unit_px - np.array([left, top])
    cv2.fillPoly(shade, [_fixed(outline + offset)], 165, cv2.LINE_8, _SUBPIXEL_BITS)
    size = 2 * (round(0.08 * unit_px) // 2) + 3
    shade = cv2.blur(shade, (size, size))
    part = frame_HWC[top:bottom, left:right]
    cv2.multiply(part, cv2.merge([shade, shade, shade]), dst=part, scale=1 / 255)
