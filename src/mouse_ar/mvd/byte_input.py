"""An MVD that takes pictures as they are stored, for inference."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mouse_ar.mvd.model import MVD

__all__ = ["ByteMVD"]

# Taken off the pixels: what is left, -128..127, is exact also in bfloat16.
_CENTRE = 128


class ByteMVD(nn.Module):
    """The same network on uint8 pixels: their normalisation is part of the embedding's weights.

    Pixels travel to the device, and into tubelets, in a quarter of the memory of floats, and the
    passes that normalise them are gone.

    Args:
        model: stays as it is; later changes of its embedding are not seen.
        mean: of each channel, for pixels of 0..1.
        std: likewise.
    """

    takes_bytes = True
    weight: Tensor
    bias: Tensor

    def __init__(self, model: MVD, *, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.model = model
        weight_DCTHW = model.patch_embed.proj.weight.detach().double()
        scale_C = 255 * torch.tensor(std, dtype=torch.float64, device=weight_DCTHW.device)
        shift_C = 255 * torch.tensor(mean, dtype=torch.float64, device=weight_DCTHW.device)
        weight_DTHWC = weight_DCTHW.permute(0, 2, 3, 4, 1) / scale_C
        offset_D = (weight_DTHWC * (_CENTRE - shift_C)).sum(dim=(1, 2, 3, 4))
        bias = model.patch_embed.proj.bias
        if bias is not None:
            offset_D = offset_D + bias.detach().double()
        self.register_buffer("weight", weight_DTHWC.flatten(1).float(), persistent=False)
        self.register_buffer("bias", offset_D.float(), persistent=False)

    def forward(self, frames_NTHWC: Tensor) -> Tensor:
        """Logits (N, num_classes) of windows, uint8 (N, num_frames, image_size, image_size, 3).

        Raises:
            ValueError: when the input has another shape.
        """
        config = self.model.config
        expected = (config.num_frames, config.image_size, config.image_size, 3)
        if tuple(frames_NTHWC.shape[1:]) != expected or frames_NTHWC.dtype != torch.uint8:
            raise ValueError(
                f"got {frames_NTHWC.dtype} frames of shape {tuple(frames_NTHWC.shape)}, expected "
                f"uint8 (N, {', '.join(map(str, expected))}). Cut the windows to the model's "
                "ClipSpec."
            )
        n, t, h, w, c = frames_NTHWC.shape
        kt, kh, kw = config.tubelet_size, config.patch_size, config.patch_size
        tubelets = frames_NTHWC.reshape(n, t // kt, kt, h // kh, kh, w // kw, kw, c)
        tubelets = tubelets.permute(0, 1, 3, 5, 2, 4, 6, 7).reshape(n, -1, kt * kh * kw * c)
        kind = frames_NTHWC.device.type
        low = torch.is_autocast_enabled(kind)
        values = tubelets.to(torch.get_autocast_dtype(kind) if low else torch.float32)
        tokens_NLD = F.linear(values.sub_(_CENTRE), self.weight, self.bias)
        return self.model.classify_tokens(tokens_NLD)
