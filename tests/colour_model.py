"""A stand-in for a trained model: it reads the colours of the tiny videos."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from mouse_ar.core.decoding import DecodingParams
from mouse_ar.core.types import ClipSpec
from mouse_ar.pipelines.predictor import Predictor
from tiny import ACTIONS, FPS

SPEC = ClipSpec(num_frames=4, sampling_rate=1, input_size=16)


class ColourModel(torch.nn.Module):
    """Red is grooming, blue is a twitch, grey is idle; counts the windows it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.windows = 0

    def forward(self, pixels_NCTHW: torch.Tensor) -> torch.Tensor:
        self.windows += len(pixels_NCTHW)
        middle = pixels_NCTHW[:, :, 1:3].mean(dim=(2, 3, 4))
        red = middle[:, 0] - middle[:, 2]
        return torch.stack([torch.full_like(red, 1.5), 2 * red, -2 * red], dim=1)


def predictor(**changes: Any) -> Predictor:
    made = Predictor(
        model=ColourModel(),  # type: ignore[arg-type]
        spec=SPEC,
        actions=ACTIONS,
        decoding=DecodingParams.defaults(ACTIONS, spec=SPEC, fps=FPS),
        training_fps=FPS,
        sha256="0" * 64,
        device=torch.device("cpu"),
    )
    return replace(made, **changes)
