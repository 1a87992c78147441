"""Arena, floor and light of one video."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mouse_ar.synthetic.config import SyntheticConfig

__all__ = ["ARENAS", "COATS", "LIGHTS", "Look", "Scene", "build_scene", "choose_look"]

UInt8Array = NDArray[np.uint8]
FloatArray = NDArray[np.float32]

ARENAS = ("round", "rectangular", "home-cage", "grid")
COATS = ("black", "white", "agouti", "brown")
LIGHTS = ("bright", "dim", "infrared")

# Floor brightness (grey levels under bright light) that keeps each coat visible.
_FLOOR_LEVELS = {
    "black": (135.0, 195.0),
    "white": (60.0, 110.0),
    "agouti": (175.0, 215.0),
    "brown": (150.0, 205.0),
}
_NOISE_MARGIN_PX = 48


@dataclass(frozen=True)
class Look:
    """The kind of arena, coat and light of one video, each from the tuples of this module."""

    arena: str
    coat: str
    light: str


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything that stays the same throughout a video, except for the mouse.

    Args:
        look: the kinds chosen.
        center_px: middle of the arena (x, y).
        half_px: half extents (x, y) of the floor; both the radius where it is round.
        background_HWC: uint8 RGB picture of the empty arena under its light.
        light_HW: float32 brightness factor per pixel (level, vignette, lamp position).
        noise_HWC: int16 sensor noise, larger than a frame: a random part is added to each.
    """

    look: Look
    center_px: tuple[float, float]
    half_px: tuple[float, float]
    background_HWC: UInt8Array
    light_HW: FloatArray
    noise_HWC: NDArray[np.int16]

    @property
    def is_round(self) -> bool:
        """Whether the arena is a circle."""
        return self.look.arena == "round"

    @property
    def is_grey(self) -> bool:
        """Whether the camera sees no colours."""
        return self.look.light == "infrared"

    def light_at(self, x: float, y: float) -> float:
        """Brightness factor at a point."""
        height, width = self.light_HW.shape
        row, column = min(max(int(y), 0), height - 1), min(max(int(x), 0), width - 1)
        return float(self.light_HW[row, column])

    def wall_distance(self, x: float, y: float) -> float:
        """Distance from a point inside to the nearest wall in pixels (negative outside)."""
        dx, dy = x - self.center_px[0], y - self.center_px[1]
        if self.is_round:
            return self.half_px[0] - float(np.hypot(dx, dy))
        return min(self.half_px[0] - abs(dx), self.half_px[1] - abs(dy))

    def inside(self, x: float, y: float, *, margin: float) -> tuple[float, float]:
        """The nearest point at least ``margin`` pixels from the wall."""
        dx, dy = x - self.center_px[0], y - self.center_px[1]
        if self.is_round:
            reach, distance = self.half_px[0] - margin, float(np.hypot(dx, dy))
            factor = min(1.0, reach / max(distance, 1e-6))
            return self.center_px[0] + dx * factor, self.center_px[1] + dy * factor
        limit_x, limit_y = self.half_px[0] - margin, self.half_px[1] - margin
        return (
            self.center_px[0] + min(max(dx, -limit_x), limit_x),
            self.center_px[1] + min(max(dy, -limit_y), limit_y),
        )

    def noise(self, rng: np.random.Generator) -> NDArray[np.int16]:
        """Sensor noise for one frame: int16 (H, W, 3)."""
        height, width = self.light_HW.shape
        top, left = rng.integers(0, _NOISE_MARGIN_PX, size=2)
        return self.noise_HWC[top : top + height, left : left + width]


def choose_look(config: SyntheticConfig, index: int) -> Look:
    """The look of a video: neighbours differ, and any 4 in a row show all arenas and coats."""
    rng = np.random.default_rng([config.seed, 77])
    arenas, coats, lights = (rng.permutation(np.array(v)) for v in (ARENAS, COATS, LIGHTS))
    return Look(
        arena=str(arenas[index % 4]),
        coat=str(coats[(index + index // 4) % 4]),
        light=str(lights[index % 3]),
    )


def build_scene(config: SyntheticConfig, *, look: Look, rng: np.random.Generator) -> Scene:
    """Paint the empty arena of one video."""
    size = np.array([config.width, config.height], dtype=np.float64)
    center = size / 2 + rng.uniform(-0.012, 0.012, size=2) * size
    half = np.full(2, size.min() * 0.465) if look.arena == "round" else size * 0.465
    level = rng.uniform(*_FLOOR_LEVELS[look.coat])
    floor_HWC = _paint_floor(config, look=look, level=level, rng=rng)
    _paint_walls(floor_HWC, look=look, center=center, half=half, level=level, rng=rng)
    light_HW = _paint_light(config, look=look, rng=rng)
    picture = floor_HWC * light_HW[:, :, None]
    if look.light == "infrared":
        picture[:] = picture.mean(axis=2, keepdims=True)
    return Scene(
        look=look,
        center_px=(float(center[0]), float(center[1])),
        half_px=(float(half[0]), float(half[1])),
        background_HWC=np.clip(cv2.GaussianBlur(picture, (3, 3), 0), 0, 255).astype(np.uint8),
        light_HW=light_HW,
        noise_HWC=_draw_noise(config, grey=look.light == "infrared", rng=rng),
    )


def _draw_noise(
    config: SyntheticConfig, *, grey: bool, rng: np.random.Generator
) -> NDArray[np.int16]:
    shape = (config.height + _NOISE_MARGIN_PX, config.width + _NOISE_MARGIN_PX)
    noise = rng.normal(0, config.noise_sigma, (*shape, 1 if grey else 3)).round()
    return np.repeat(noise, 3, axis=2).astype(np.int16) if grey else noise.astype(np.int16)


def _mottle(config: SyntheticConfig, cell_px: float, rng: np.random.Generator) -> FloatArray:
    """Smooth random texture (H, W) of about unit variance with blobs of ``cell_px``."""
    rows = max(2, round(config.height / cell_px))
    columns = max(2, round(config.width / cell_px))
    coarse = rng.normal(size=(rows, columns)).astype(np.float32)
    smooth = cv2.resize(coarse, (config.width, config.height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(smooth, dtype=np.float32)


def _paint_floor(
    config: SyntheticConfig, *, look: Look, level: float, rng: np.random.Generator
) -> FloatArray:
    tint = np.array({"home-cage": (1.05, 0.97, 0.82)}.get(look.arena, (1.0, 1.0, 0.98)))
    if look.arena in {"round", "rectangular"}:
        tint = tint * rng.uniform(0.92, 1.06, size=3)
    floor = np.empty((config.height, config.width, 3), dtype=np.float32)
    floor[:] = level * tint
    floor += 3.0 * _mottle(config, 24, rng)[:, :, None]
    if look.arena == "home-cage":
        floor += 6.0 * _mottle(config, 3, rng)[:, :, None]
        _strew(floor, level=level, rng=rng)
    elif look.arena == "grid":
        step = config.body_px * rng.uniform(0.16, 0.24)
        line = tuple(float(v) for v in level * tint * rng.uniform(0.72, 0.86))
        for x in np.arange(0, config.width, step):
            cv2.line(floor, (round(x), 0), (round(x), config.height), line, 1)
        for y in np.arange(0, config.height, step):
            cv2.line(floor, (0, round(y)), (config.width, round(y)), line, 1)
    return floor


def _strew(floor_HWC: FloatArray, *, level: float, rng: np.random.Generator) -> None:
    """Bedding: short chips of lighter and darker wood."""
    height, width = floor_HWC.shape[:2]
    for _ in range(width * height // 90):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        angle, length = rng.uniform(0, np.pi), rng.uniform(2, 5)
        end = (round(x + length * np.cos(angle)), round(y + length * np.sin(angle)))
        shade = level * rng.uniform(0.84, 1.16)
        cv2.line(floor_HWC, (round(x), round(y)), end, (shade * 1.05, shade * 0.95, shade * 0.8), 1)


def _paint_walls(
    floor_HWC: FloatArray,
    *,
    look: Look,
    center: NDArray[np.float64],
    half: NDArray[np.float64],
    level: float,
    rng: np.random.Generator,
) -> None:
    height, width = floor_HWC.shape[:2]
    wall = level * rng.uniform(0.35, 0.6) if rng.random() < 0.6 else min(level * 1.25, 240.0)
    x, y = np.arange(width) - center[0], np.arange(height) - center[1]
    if look.arena == "round":
        depth = half[0] - np.hypot(x[None, :], y[:, None])
    else:
        depth = np.minimum((half[0] - np.abs(x))[None, :], (half[1] - np.abs(y))[:, None])
    outside = np.clip(0.5 - depth, 0, 1)[:, :, None].astype(np.float32)
    # The foot of the wall throws a soft shade on the floor.
    shade = 1 - 0.18 * np.exp(-np.clip(depth, 0, None) / 4.0)[:, :, None].astype(np.float32)
    floor_HWC *= shade
    floor_HWC *= 1 - outside
    floor_HWC += outside * np.float32(wall)


def _paint_light(config: SyntheticConfig, *, look: Look, rng: np.random.Generator) -> FloatArray:
    level = {"bright": (0.95, 1.1), "dim": (0.5, 0.65), "infrared": (0.7, 0.95)}[look.light]
    lamp = rng.uniform(0.3, 0.7, size=2)
    x = (np.arange(config.width) / config.width - lamp[0])[None, :]
    y = (np.arange(config.height) / config.height - lamp[1])[:, None]
    vignette = 1 - rng.uniform(0.15, 0.6) * (x**2 + y**2)
    return np.asarray(rng.uniform(*level) * vignette, dtype=np.float32)
