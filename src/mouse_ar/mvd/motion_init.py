"""A start for training from scratch that sees motion from the first step."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from mouse_ar.mvd.model import MVD

__all__ = ["motion_init"]

_STATIC_SHARE = 4  # one filter in four keeps the still picture
_STATIC_GAIN = 0.1
_MOTION_GAIN = 5.0


@torch.no_grad()
def motion_init(model: MVD, *, seed: int) -> None:
    """Make most filters of the tubelet embedding respond to change instead of appearance.

    With the usual random filters the still picture outweighs the motion in a token by one to two
    orders of magnitude, and a small network trained from scratch spends its first thousands of
    windows on finding that out. Here three filters in four are a smooth random pattern in space
    times a finite difference of first, second or third order in time; the rest average over time.
    Weights stay trainable. Needs ``tubelet_size`` >= 2.

    Args:
        model: changed in place.
        seed: of the spatial patterns.

    Raises:
        ValueError: tubelets of a single frame see no motion.
    """
    weight_DCTHW = model.patch_embed.proj.weight
    count, _, frames, height, width = weight_DCTHW.shape
    if frames < 2:
        raise ValueError(f"motion_init needs tubelet_size >= 2, got {frames}.")
    kernels = _differences(frames)
    patterns_DHW = _smooth_patterns(count, height, width, seed=seed)
    for index, pattern_HW in enumerate(patterns_DHW):
        if index < count // _STATIC_SHARE:
            kernel_T = torch.full((frames,), 1 / frames)
            gain = _STATIC_GAIN
            spatial_HW = pattern_HW - pattern_HW.mean()
        else:
            kernel_T = kernels[index % len(kernels)]
            gain = _MOTION_GAIN
            spatial_HW = pattern_HW
        weight_DCTHW[index] = gain * kernel_T.view(1, -1, 1, 1) * spatial_HW


def _differences(frames: int) -> list[Tensor]:
    """Finite differences of orders 1 to 3 at every place of the tubelet: (T,) each."""
    found = []
    for stencil in ([1.0, -1.0], [0.5, -1.0, 0.5], [0.5, -0.5, 0.5, -0.5]):
        for start in range(frames - len(stencil) + 1):
            kernel_T = torch.zeros(frames)
            kernel_T[start : start + len(stencil)] = torch.tensor(stencil)
            found.append(kernel_T)
    return found


def _smooth_patterns(count: int, height: int, width: int, *, seed: int) -> Tensor:
    """Random patterns of unit norm, blurred so that they answer to edges rather than noise."""
    generator = torch.Generator().manual_seed(seed)
    patterns = torch.randn(count, 1, height, width, generator=generator)
    line = torch.tensor([0.25, 0.5, 0.25])
    blur = (line[:, None] * line[None])[None, None]
    for _ in range(max(1, min(height, width) // 8)):
        patterns = conv2d(pad(patterns, (1, 1, 1, 1), mode="reflect"), blur)
    patterns = patterns - 0.5 * patterns.mean(dim=(2, 3), keepdim=True)
    unit: Tensor = patterns / patterns.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    return unit[:, 0]
