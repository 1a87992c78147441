"""Labelled videos of a drawn mouse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.types import Bout, Ethogram, Track
from mouse_ar.synthetic.config import GROOMING, TWITCH, SyntheticConfig
from mouse_ar.synthetic.disturbance import Disturbance, disturb
from mouse_ar.synthetic.motion import Motion, simulate
from mouse_ar.synthetic.mouse import COAT_COLORS, CoatColors, MouseShape, paint_mouse, shape_mouse
from mouse_ar.synthetic.scene import Look, Scene, build_scene, choose_look
from mouse_ar.synthetic.script import Behaviour, Script, write_script
from mouse_ar.synthetic.surroundings import Surroundings, simulate_surroundings

__all__ = ["SyntheticVideo", "make_video"]

UInt8Array = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class SyntheticVideo:
    """One video: truth at once, pixels on demand.

    Args:
        name: file name without extension; says what can be seen.
        width: frame width in pixels.
        height: frame height in pixels.
        look: arena, coat and light.
        ethogram: the labelled actions.
        unlabelled: behaviours and distractors that carry no label, for analysis of errors; they
            overlap each other.
        track: box of the body without the tail in every frame.
    """

    name: str
    width: int
    height: int
    look: Look
    ethogram: Ethogram
    unlabelled: Ethogram
    track: Track
    _scene: Scene = field(repr=False)
    _motion: Motion = field(repr=False)
    _surroundings: Surroundings = field(repr=False)
    _shape: MouseShape = field(repr=False)
    _disturbance: Disturbance = field(repr=False)
    _noise_seed: tuple[int, ...] = field(repr=False)

    @property
    def num_frames(self) -> int:
        """Frames of the video."""
        return self.ethogram.num_frames

    @property
    def fps(self) -> float:
        """Frames per second."""
        return self.ethogram.fps

    def frames(self) -> Iterator[UInt8Array]:
        """Paint the frames in order, uint8 RGB (H, W, 3); every call yields the same pixels."""
        rng = np.random.default_rng(self._noise_seed)
        colors = COAT_COLORS[self.look.coat]
        if self._scene.is_grey:
            colors = _grey(colors)
        for frame in range(self.num_frames):
            yield self._paint(frame, colors=colors, rng=rng)

    def _paint(self, frame: int, *, colors: CoatColors, rng: np.random.Generator) -> UInt8Array:
        scene, around = self._scene, self._surroundings
        scene_HWC = self._floor(frame, colors=colors)
        light = scene.light_at(*self._motion.xy_T2[frame])
        paint_mouse(scene_HWC, shape=self._shape, frame=frame, colors=colors, light=light)
        seen: NDArray[Any] = self._disturbance.light(cv2.GaussianBlur(scene_HWC, (3, 3), 0), frame)
        gain = around.gain_T[frame]
        if np.isnan(around.shadow_T[frame]):
            seen = cv2.convertScaleAbs(seen, alpha=gain)
        else:
            across = np.arange(self.width) / self.width - around.shadow_T[frame]
            factor = gain * (1 - 0.35 * np.exp(-((across / 0.14) ** 2)))
            seen = np.clip(seen * factor[:, None], 0, 255).astype(np.uint8)
        shift = around.camera_T2[frame] + self._disturbance.shift_T2[frame]
        if shift.any():
            dx, dy = shift
            move = np.array([[1, 0, dx], [0, 1, dy]])
            size = (self.width, self.height)
            seen = cv2.warpAffine(seen, move, size, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(cv2.add(seen, scene.noise(rng), dtype=cv2.CV_8U), dtype=np.uint8)

    def _floor(self, frame: int, *, colors: CoatColors) -> UInt8Array:
        """The arena without the mouse, as disturbed."""
        floor_HWC = self._scene.background_HWC.copy()
        self._disturbance.strew(floor_HWC, frame)
        if self._disturbance.kind == "shadow":
            blank_HWC = np.zeros_like(floor_HWC)
            paint_mouse(blank_HWC, shape=self._shape, frame=frame, colors=colors, light=1.0)
            mouse_HW = blank_HWC.max(axis=2) > 0
            self._disturbance.cast(floor_HWC, mouse_HW, body_px=self._shape.body_px)
        return floor_HWC


def make_video(config: SyntheticConfig, index: int) -> SyntheticVideo:
    """Make video ``index`` of a data set; it does not depend on how many others there are.

    Raises:
        ValueError: ``index`` is negative.
    """
    if index < 0:
        raise ValueError(f"Video index must be >= 0, got {index}.")
    rng = np.random.default_rng([config.seed, index, 0])
    look = choose_look(config, index)
    scene = build_scene(config, look=look, rng=rng)
    script = write_script(config, positive_free=index in config.positive_free, rng=rng)
    body_px = config.body_px * rng.uniform(0.9, 1.1)
    motion = simulate(script, config=config, scene=scene, body_px=body_px, rng=rng)
    around = simulate_surroundings(script, config=config, rng=rng)
    shape = shape_mouse(motion, body_px=body_px)
    size = {"width": config.width, "height": config.height}
    disturbance = disturb(
        config.disturbance,
        track=shape.boxes(around.camera_T2, **size),
        fps=config.fps,
        rng=np.random.default_rng([config.seed, index, 2]),
        **size,
    )
    return SyntheticVideo(
        name=f"mouse_{index:02d}_{look.arena}_{look.coat}_{look.light}",
        width=config.width,
        height=config.height,
        look=look,
        ethogram=_labels(script, fps=config.fps),
        unlabelled=_unlabelled(script, fps=config.fps),
        track=shape.boxes(around.camera_T2 + disturbance.shift_T2, **size),
        _scene=scene,
        _motion=motion,
        _surroundings=around,
        _shape=shape,
        _disturbance=disturbance,
        _noise_seed=(config.seed, index, 1),
    )


def _grey(colors: CoatColors) -> CoatColors:
    return CoatColors(
        *((sum(c) / 3,) * 3 for c in (colors.coat, colors.back, colors.skin, colors.eye))
    )


def _labels(script: Script, *, fps: float) -> Ethogram:
    grooming = [Bout(stay, GROOMING) for kind, stay in script.behaviours if kind is Behaviour.GROOM]
    twitches = [Bout(interval, TWITCH) for interval in script.twitches]
    return Ethogram(num_frames=script.num_frames, fps=fps, bouts=(*grooming, *twitches))


def _unlabelled(script: Script, *, fps: float) -> Ethogram:
    stays = [
        Bout(stay, kind.value) for kind, stay in script.behaviours if kind is not Behaviour.GROOM
    ]
    events = [Bout(interval, kind.value) for kind, interval in script.distractors]
    return Ethogram(num_frames=script.num_frames, fps=fps, bouts=(*stays, *events))
