"""The model that a run starts from, and what is unwise about its settings."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from mouse_ar.mvd import MVD, PRESETS, load_pretrained, motion_init
from mouse_ar.training.config import TrainConfig

__all__ = ["build_model", "start_warnings"]

# Below this a step sees too few windows.
_SMALL_BATCH = 6


def build_model(
    config: TrainConfig, *, num_classes: int, emit: Callable[[dict[str, Any]], None]
) -> MVD:
    """A model on the CPU with public or own weights, or new ones.

    Args:
        config: settings; new weights are drawn from torch's generator.
        num_classes: background included.
        emit: receives a ``weights`` event where weights are loaded.
    """
    model = MVD(
        replace(
            PRESETS[config.model],
            image_size=config.input_size,
            num_frames=config.num_frames,
            num_classes=num_classes,
            drop_path=config.drop_path,
        )
    )
    if config.motion_init and not config.pretrained:
        motion_init(model, seed=config.seed)
    if config.pretrained:
        report = load_pretrained(model, Path(config.pretrained))
        emit({"event": "weights", "report": report.summary()})
    return model


def start_warnings(config: TrainConfig, *, device: torch.device, processes: int) -> list[str]:
    """What a run with these settings should be warned of."""
    found = []
    if device.type == "cuda" and config.total_batch * processes < _SMALL_BATCH:
        found.append(
            f"batch_size {config.batch_size} gives noisy gradients: accumulate them, for "
            f"example with update_freq={math.ceil(_SMALL_BATCH / config.batch_size)}."
        )
    if not config.pretrained and config.layer_decay < 1:
        found.append(
            f"layer_decay {config.layer_decay} is for pre-trained weights: from scratch the "
            "lower layers hardly learn. Set layer_decay=1.0, or give weights in pretrained."
        )
    return found
