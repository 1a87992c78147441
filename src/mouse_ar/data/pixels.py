"""From decoded frames to model input: one cropping function for training and inference."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from mouse_ar.core.cropping import CropBox

__all__ = ["MEAN", "MID_GREY", "STD", "crop_and_resize", "normalise"]

MID_GREY = 128
# Channel statistics of ImageNet in RGB, which public MVD weights expect.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)

UInt8Array = NDArray[np.uint8]


def crop_and_resize(frame_HWC: UInt8Array, *, crop: CropBox, size: int) -> UInt8Array:
    """Cut a square out of a frame and scale it; what lies outside the image is mid-grey.

    Args:
        frame_HWC: uint8 RGB frame.
        crop: square in pixels; may reach over the image.
        size: side of the result in pixels.

    Returns:
        uint8 (size, size, 3).
    """
    height, width = frame_HWC.shape[:2]
    left, top = max(0, crop.left), max(0, crop.top)
    right, bottom = min(width, crop.left + crop.side), min(height, crop.top + crop.side)
    if right <= left or bottom <= top:
        return np.full((size, size, 3), MID_GREY, dtype=np.uint8)
    part: NDArray[Any] = frame_HWC[top:bottom, left:right]
    if part.shape[:2] != (crop.side, crop.side):
        part = cv2.copyMakeBorder(
            part,
            top - crop.top,
            crop.top + crop.side - bottom,
            left - crop.left,
            crop.left + crop.side - right,
            cv2.BORDER_CONSTANT,
            value=(MID_GREY,) * 3,
        )
    # Area averaging avoids aliasing when shrinking; it equals nearest-neighbour when enlarging.
    method = cv2.INTER_AREA if crop.side > size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(part, (size, size), interpolation=method), dtype=np.uint8)


def normalise(frames_NTHWC: torch.Tensor) -> torch.Tensor:
    """uint8 (N, T, H, W, 3) -> float32 (N, 3, T, H, W) with ImageNet mean and deviation."""
    mean = torch.tensor(MEAN, device=frames_NTHWC.device).view(3, 1, 1, 1)
    std = torch.tensor(STD, device=frames_NTHWC.device).view(3, 1, 1, 1)
    pixels_NCTHW = frames_NTHWC.permute(0, 4, 1, 2, 3).float() / 255.0
    return (pixels_NCTHW - mean) / std
