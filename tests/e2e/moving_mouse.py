"""Short videos of a dark blob that moves over a light floor: background subtraction finds it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.types import Box
from mouse_ar.video.writer import VideoWriter

WIDTH, HEIGHT, FPS, NUM_FRAMES = 160, 120, 10.0, 60
_RADII = (16, 10)


def true_box(frame: int, *, seed: int) -> Box:
    """Where the blob is: it runs around the cage, each video from another place."""
    angle = 2 * np.pi * (frame / NUM_FRAMES + seed / 7)
    x, y = WIDTH / 2 + 50 * np.cos(angle), HEIGHT / 2 + 35 * np.sin(angle)
    return Box(x - _RADII[0], y - _RADII[1], x + _RADII[0], y + _RADII[1])


def write_mouse(path: Path, *, seed: int) -> Path:
    floor_HW = np.random.default_rng(seed).integers(196, 204, (HEIGHT, WIDTH))
    y_HW, x_HW = np.mgrid[:HEIGHT, :WIDTH]
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, width=WIDTH, height=HEIGHT, fps=FPS, preset="ultrafast") as out:
        for frame in range(NUM_FRAMES):
            x, y = true_box(frame, seed=seed).center
            inside_HW = ((x_HW - x) / _RADII[0]) ** 2 + ((y_HW - y) / _RADII[1]) ** 2 <= 1
            grey_HW: NDArray[np.uint8] = np.where(inside_HW, 50, floor_HW).astype(np.uint8)
            out.write(np.repeat(grey_HW[:, :, None], 3, axis=2))
    return path
