"""A real checkpoint whose network reads colours, as ``colour_model`` does, without training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from mouse_ar.core.decoding import DecodingParams
from mouse_ar.core.types import ClipSpec
from mouse_ar.mvd import MVD, PRESETS, save_checkpoint
from tiny import ACTIONS, FPS, GROOMING, TWITCH

SPEC = ClipSpec(num_frames=4, sampling_rate=1, input_size=32)
# Blue less red of a grey pixel, once it is normalised as the network expects.
_GREY = 0.35
METADATA: Mapping[str, Any] = {
    "val_score": 0.91,
    "epoch": 7,
    "train_config": {"model": "vit_tiny"},
    "decoding_report": {
        "report": [
            {"action": GROOMING, "fitted": True, "reason": "fitted to 34 true bouts in 5 videos"}
            | {"f1_before": 0.7, "f1_after": 0.753, "f1_held_out": 0.72},
            {"action": TWITCH, "fitted": False, "f1_before": None, "f1_after": None}
            | {"reason": "defaults: only 7 true bouts, at least 10 are needed to fit"},
        ]
    },
}


def colour_network() -> MVD:
    """Red is grooming, blue is a twitch, grey is idle."""
    model = MVD(replace(PRESETS["vit_tiny"], image_size=32, num_frames=4)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        # Red less blue, over every tubelet, into one feature and its opposite into another.
        weight = model.patch_embed.proj.weight
        share = 20.0 / weight[0, 0].numel()
        for feature, sign in ((0, 1.0), (1, -1.0)):
            weight[feature, 0], weight[feature, 2] = sign * share, -sign * share
            model.patch_embed.proj.bias[feature] = sign * 20.0 * _GREY
        model.fc_norm.weight.fill_(1.0)
        model.head.bias[0] = 6.0
        model.head.weight[1, 0], model.head.weight[1, 1] = 1.5, -1.5
        model.head.weight[2, 0], model.head.weight[2, 1] = -1.5, 1.5
    return model


def write_colour_checkpoint(path: Path, *, metadata: Mapping[str, Any] = METADATA) -> Path:
    save_checkpoint(
        path,
        colour_network(),
        spec=SPEC,
        actions=ACTIONS,
        decoding=DecodingParams.defaults(ACTIONS, spec=SPEC, fps=FPS).to_dict(),
        training_fps=FPS,
        metadata=metadata,
    )
    return path
