"""Frames as an RT-DETRv2 expects them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

__all__ = ["INPUT_SIZE", "require_frames", "resize"]

# Side of the square input; the original serves at this size whatever it was trained with.
INPUT_SIZE = 640


def require_frames(frames_NHWC: NDArray[Any]) -> None:
    """Refuse what is no uint8 RGB batch (N, H, W, 3).

    Raises:
        ValueError: the frames have another shape or type.
    """
    frames = np.asarray(frames_NHWC)
    if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8:
        raise ValueError(
            f"Got frames of shape {frames.shape} and type {frames.dtype}, expected uint8 RGB "
            "(N, height, width, 3). Convert them."
        )
    if 0 in frames.shape[1:3]:
        raise ValueError(
            f"Got frames of {frames.shape[2]}x{frames.shape[1]} pixels, expected at least 1x1."
        )


def resize(frames_NHWC: NDArray[Any]) -> Tensor:
    """Frames squeezed to 640x640, as the original does (no letterbox): uint8 (N, 3, 640, 640).

    Divided by 255 they are the model's input. The values are those of torchvision's ``Resize`` on
    PIL images (bilinear with antialiasing) within one grey level, checked by the tests for
    shrinking, enlarging and extreme sizes; the whole batch takes an eighth of its time.

    Args:
        frames_NHWC: uint8 RGB frames of any size, at least 1x1.

    Raises:
        ValueError: the frames have another shape or type.
    """
    require_frames(frames_NHWC)
    pixels_NCHW = torch.from_numpy(np.ascontiguousarray(frames_NHWC)).permute(0, 3, 1, 2)
    return functional.interpolate(
        pixels_NCHW, size=(INPUT_SIZE, INPUT_SIZE), mode="bilinear", antialias=True
    )
