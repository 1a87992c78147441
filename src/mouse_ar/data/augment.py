"""Random changes of a batch of windows, made on the device and the same for all frames.

Every number follows from (seed, epoch, number of the window in the epoch): not from the batch a
window is in, the process that trains on it, or what was drawn before. Parameters differ from window
to window; the pixels of the whole batch are changed at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.transforms.v2 import functional as vision

from mouse_ar.data.pixels import MEAN, MID_GREY, STD, normalise

__all__ = ["BatchAugmentation", "PixelChanges", "plain_inputs"]

FloatArray = NDArray[np.float64]

# Tell the numbers drawn here from others of the same seed, epoch and item.
_WINDOW, _PAIR = 2, 3
# Columns of a window's uniform numbers.
(
    _FLIP,
    _TURN,
    _GAMMA,
    _CONTRAST,
    _BRIGHTNESS,
    _SATURATION,
    _ERASE,
    _AREA,
    _RATIO,
    _ROW,
    _COLUMN,
) = range(11)
# An erased rectangle: share of the picture and ratio of its sides. Zhong et al. 2020, "Random
# Erasing", go up to 0.4 of the picture; here the mouse fills it and its head must mostly stay.
_ERASED_AREA = (0.02, 0.2)
_ERASED_RATIO = (1 / 3, 3.0)


@dataclass(frozen=True)
class PixelChanges:
    """What may happen to the pixels of a window, and how much.

    Args:
        flip: ``none``, ``horizontal`` (mirror left-right in half of the windows) or ``dihedral``
            (also up-down and quarter turns: all eight poses are equally likely).
        color: brightness and contrast, each a factor from ``1 - color`` to ``1 + color``.
        gamma: exponent from ``1 / (1 + gamma)`` to ``1 + gamma``.
        saturation: factor from ``1 - saturation`` to ``1 + saturation``; grey stays grey.
        erase: share of windows in which a rectangle is blanked.
        mix: share of pairs of windows that are mixed with each other.
        mixup: alpha of the Beta distribution of blended pairs; 0 = none are blended.
        cutmix: alpha of the Beta distribution of pairs that swap a rectangle; 0 = none do.
    """

    flip: str = "none"
    color: float = 0.0
    gamma: float = 0.0
    saturation: float = 0.0
    erase: float = 0.0
    mix: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0


def plain_inputs(
    batch: Mapping[str, Any], *, device: torch.device | str = "cpu"
) -> tuple[torch.Tensor, torch.Tensor]:
    """A batch without random changes: inputs float32 (N, 3, T, H, W) and target (N, K)."""
    frames = batch["frames"].to(device, non_blocking=True)
    return normalise(frames), batch["target"].to(device, non_blocking=True)


class BatchAugmentation:
    """Turns a batch as loaded into model inputs and targets.

    Args:
        changes: what is done.
        seed: of the run.
        device: where it is done.
    """

    def __init__(
        self, changes: PixelChanges, *, seed: int = 0, device: torch.device | str = "cpu"
    ) -> None:
        self._changes = changes
        self._seed = seed
        self._device = torch.device(device)

    @torch.no_grad()
    def __call__(
        self, batch: Mapping[str, Any], *, epoch: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Change a batch at random.

        Args:
            batch: ``frames`` uint8 (N, T, H, W, 3), ``target`` float32 (N, K), and ``sample``
                int64 (N,): the windows' numbers in the epoch.
            epoch: number of the epoch.

        Returns:
            Inputs float32 (N, 3, T, H, W), normalised, and soft targets float32 (N, K).
        """
        changes = self._changes
        frames_NTHWC = batch["frames"].to(self._device, non_blocking=True)
        target_NK = batch["target"].to(self._device, non_blocking=True)
        samples = [int(sample) for sample in batch["sample"]]
        draws_ND = np.stack(
            [
                np.random.default_rng([self._seed, epoch, sample, _WINDOW]).random(_COLUMN + 1)
                for sample in samples
            ]
        )
        pixels_NTCHW = self._posed(frames_NTHWC.permute(0, 1, 4, 2, 3), draws_ND)
        pixels_NTCHW = self._recoloured(pixels_NTCHW.float().div_(255), draws_ND)
        if changes.erase > 0:
            blank_NHW = _rectangles(draws_ND, share=changes.erase, side=pixels_NTCHW.shape[-1])
            # As what lies outside of the image; without colour, which infrared video never has.
            pixels_NTCHW.masked_fill_(self._tensor(blank_NHW)[:, None, None], MID_GREY / 255)
        pixels_NTCHW = vision.normalize(pixels_NTCHW, list(MEAN), list(STD))
        if changes.mix > 0:
            pixels_NTCHW, target_NK = self._mixed(pixels_NTCHW, target_NK, samples, epoch)
        return pixels_NTCHW.transpose(1, 2).contiguous(), target_NK

    def _tensor(self, values: NDArray[Any]) -> torch.Tensor:
        tensor = torch.from_numpy(values)
        if tensor.is_floating_point():
            tensor = tensor.float()
        return tensor.to(self._device, non_blocking=True)

    def _posed(self, pixels_NTCHW: torch.Tensor, draws_ND: FloatArray) -> torch.Tensor:
        """Mirrored and turned."""
        if self._changes.flip == "none":
            return pixels_NTCHW
        # Not in place: on the CPU these are the loader's own pixels.
        posed = pixels_NTCHW.clone()
        mirrored = self._tensor(np.flatnonzero(draws_ND[:, _FLIP] < 0.5))
        posed[mirrored] = vision.horizontal_flip(posed[mirrored])
        if self._changes.flip == "dihedral":
            turns_N = np.floor(draws_ND[:, _TURN] * 4)
            for turns in (1, 2, 3):
                turned = self._tensor(np.flatnonzero(turns_N == turns))
                posed[turned] = torch.rot90(posed[turned], turns, dims=(-2, -1))
        return posed

    def _recoloured(self, pixels_NTCHW: torch.Tensor, draws_ND: FloatArray) -> torch.Tensor:
        """As another camera or lamp would see it; all of 0..1."""
        changes = self._changes

        def each(values_N: FloatArray) -> torch.Tensor:
            return self._tensor(values_N).view(-1, 1, 1, 1, 1)

        def around_one(column: int, width: float) -> torch.Tensor:
            return each(1 + width * (2 * draws_ND[:, column] - 1))

        if changes.gamma > 0:
            exponents_N = (1 + changes.gamma) ** (2 * draws_ND[:, _GAMMA] - 1)
            pixels_NTCHW = pixels_NTCHW.pow_(each(exponents_N))
        if changes.color > 0:
            # Contrast around the mean of all frames: one of each frame would flicker.
            mean_N = pixels_NTCHW.mean(dim=(1, 2, 3, 4), keepdim=True)
            pixels_NTCHW = pixels_NTCHW.sub_(mean_N).mul_(around_one(_CONTRAST, changes.color))
            pixels_NTCHW = pixels_NTCHW.add_(mean_N).mul_(around_one(_BRIGHTNESS, changes.color))
            pixels_NTCHW = pixels_NTCHW.clamp_(0, 1)
        if changes.saturation > 0:
            grey = vision.rgb_to_grayscale(pixels_NTCHW, num_output_channels=1)
            colourful = around_one(_SATURATION, changes.saturation)
            pixels_NTCHW = torch.lerp(grey, pixels_NTCHW, colourful).clamp_(0, 1)
        return pixels_NTCHW

    def _mixed(
        self, pixels_NTCHW: torch.Tensor, target_NK: torch.Tensor, samples: list[int], epoch: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Windows 2i and 2i + 1 of the epoch mixed with each other, where both are here.

        Neighbours in the shuffled epoch, not in the batch: so a batch cut otherwise mixes alike.
        """
        here = {sample: place for place, sample in enumerate(samples)}
        shares = [self._own_share(sample // 2, pixels_NTCHW.shape[-1], epoch) for sample in samples]
        mixed = [
            place
            for place, (sample, own_HW) in enumerate(zip(samples, shares, strict=True))
            if sample ^ 1 in here and (own_HW < 1).any()
        ]
        if not mixed:
            return pixels_NTCHW, target_NK
        partners = [here[samples[place] ^ 1] for place in mixed]
        own_MHW = self._tensor(np.stack([shares[place] for place in mixed]))
        share_M1 = own_MHW.mean(dim=(1, 2))[:, None]
        pixels_MTCHW = torch.lerp(
            pixels_NTCHW[partners], pixels_NTCHW[mixed], own_MHW[:, None, None]
        )
        target_MK = torch.lerp(target_NK[partners], target_NK[mixed], share_M1)
        pixels_NTCHW[mixed] = pixels_MTCHW
        # Not in place: on the CPU these are the loader's own targets.
        places = torch.tensor(mixed, device=self._device)
        return pixels_NTCHW, target_NK.index_copy(0, places, target_MK)

    def _own_share(self, pair: int, side: int, epoch: int) -> FloatArray:
        """How much of each of its pixels a window of a pair keeps: (H, W) of 0..1."""
        changes = self._changes
        rng = np.random.default_rng([self._seed, epoch, pair, _PAIR])
        own_HW = np.ones((side, side))
        mixed, cut, row, column = rng.random(4)
        if mixed >= changes.mix:
            return own_HW
        if not changes.mixup or (changes.cutmix and cut < 0.5):
            # Yun et al. 2019, "CutMix": the rectangle covers 1 - lambda of the picture, but for
            # what of it lies outside.
            extent = side * np.sqrt(1 - rng.beta(changes.cutmix, changes.cutmix))
            ranges = [
                slice(max(0, round(centre - extent / 2)), max(0, round(centre + extent / 2)))
                for centre in (row * side, column * side)
            ]
            own_HW[ranges[0], ranges[1]] = 0.0
            return own_HW
        share = rng.beta(changes.mixup, changes.mixup)
        # Of a pair each keeps the larger part of itself: the other way round they only swap places.
        return own_HW * max(share, 1 - share)


def _rectangles(draws_ND: FloatArray, *, share: float, side: int) -> NDArray[np.bool_]:
    """What is erased of each window: bool (N, H, W)."""
    low, high = _ERASED_AREA
    area_N = side**2 * (low + (high - low) * draws_ND[:, _AREA])
    ratio_N = np.exp(np.interp(draws_ND[:, _RATIO], (0, 1), np.log(_ERASED_RATIO)))
    extents = (np.sqrt(area_N * ratio_N), np.sqrt(area_N / ratio_N))
    inside = []
    for column, extent_N in zip((_ROW, _COLUMN), extents, strict=True):
        extent_N = np.minimum(np.rint(extent_N), side)
        first_N = np.floor(draws_ND[:, column] * (side - extent_N + 1))
        at_S = np.arange(side)
        inside.append((at_S >= first_N[:, None]) & (at_S < (first_N + extent_N)[:, None]))
    rows_NH, columns_NW = inside
    erased_N = draws_ND[:, _ERASE] < share
    return np.asarray(rows_NH[:, :, None] & columns_NW[:, None, :] & erased_N[:, None, None])
