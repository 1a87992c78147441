"""The path of the earlier public app, re-enacted from its description for comparison.

Boxes are given per frame. For each window decord fetches its frames; each is cut to the union of
the window's boxes, scaled by PIL and normalised by itself. 16 windows are stacked and go through a
network whose attention is written out (matrix product, softmax, matrix product) and whose tubelets
are a 3-D convolution. One step follows the other.
"""

from __future__ import annotations

import types
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mouse_ar.core.types import ClipSpec, Interval, Track
from mouse_ar.mvd import MVD

__all__ = ["EarlierPath"]

_MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
_STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


def _plain_attention(self: torch.nn.Module, tokens_NLD: Tensor) -> Tensor:
    n, length, dim = tokens_NLD.shape
    heads = self.num_heads
    bias = torch.cat([self.q_bias, torch.zeros_like(self.v_bias), self.v_bias])
    qkv = torch.nn.functional.linear(tokens_NLD, self.qkv.weight, bias)
    query, key, value = qkv.reshape(n, length, 3, heads, dim // heads).permute(2, 0, 3, 1, 4)
    weights = (query * (dim // heads) ** -0.5) @ key.transpose(-2, -1)
    mixed = weights.softmax(dim=-1) @ value
    return self.proj(mixed.transpose(1, 2).reshape(n, length, dim))


def _convolved(self: torch.nn.Module, pixels_NCTHW: Tensor) -> Tensor:
    return self.proj(pixels_NCTHW).flatten(2).transpose(1, 2)


class EarlierPath:
    """Scores a video as the earlier app did.

    Args:
        model: its weights are shared, not copied.
        device: where it runs.
        spec: of the windows.
        stride: between windows.
        batch_size: windows per forward pass.
    """

    def __init__(
        self, model: MVD, *, device: torch.device, spec: ClipSpec, stride: int, batch_size: int
    ) -> None:
        with torch.device("meta"):
            self._model = MVD(model.config)
        self._model.load_state_dict(model.state_dict(), assign=True)
        self._model.pos_embed = model.pos_embed
        self._model.eval()
        for block in self._model.blocks:
            block.attn.forward = types.MethodType(_plain_attention, block.attn)
        embed = self._model.patch_embed
        embed.forward = types.MethodType(_convolved, embed)
        self._device, self._spec = device, spec
        self._stride, self._batch_size = stride, batch_size

    @torch.inference_mode()
    def run(self, path: Path, track: Track, *, classify: bool = True) -> list[np.ndarray]:
        """Probabilities of each window; zeros without the network."""
        import decord

        reader = decord.VideoReader(str(path), num_threads=1)
        span = self._spec.window_frames
        found: list[np.ndarray] = []
        batch: list[Tensor] = []
        starts = range(0, len(reader) - span + 1, self._stride)
        for number, start in enumerate(starts):
            batch.append(self._window(reader, start, track))
            if len(batch) == self._batch_size or number == len(starts) - 1:
                pixels = torch.stack(batch).to(self._device)
                if classify:
                    found += list(self._model(pixels).softmax(dim=1).cpu().numpy())
                batch = []
        return found

    def _window(self, reader: object, start: int, track: Track) -> Tensor:
        indices = start + self._spec.sampling_rate * np.arange(self._spec.num_frames)
        frames = reader.get_batch(indices).asnumpy()  # type: ignore[attr-defined]
        boxes = track.crop(Interval(start, start + self._spec.window_frames)).boxes_T4
        left, top = boxes[:, :2].min(axis=0).astype(int)
        right, bottom = np.ceil(boxes[:, 2:].max(axis=0)).astype(int)
        size = (self._spec.input_size, self._spec.input_size)
        tensors = []
        for frame in frames:
            image = Image.fromarray(frame).crop((left, top, right, bottom))
            pixels = np.asarray(image.resize(size, Image.Resampling.BILINEAR))
            tensor = torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 255
            tensors.append((tensor - _MEAN) / _STD)
        return torch.stack(tensors, dim=1)
