"""AdamW with layer-wise learning-rate decay, and the warm-up + cosine schedule."""

from __future__ import annotations

import math

import torch

from mouse_ar.mvd import MVD
from mouse_ar.training.config import TrainConfig

__all__ = ["build_optimizer", "learning_rate", "scaled_lr"]


def build_optimizer(model: MVD, config: TrainConfig, *, world_size: int = 1) -> torch.optim.AdamW:
    """Group the parameters by layer and by whether they decay.

    A layer ``i`` of ``L`` has the rate ``lr * layer_decay ** (L - i)`` (BEiT, and MVD's own
    fine-tuning recipe); the factor is kept as ``lr_scale`` of the group.
    """
    skip = model.no_weight_decay()
    groups: dict[tuple[int, bool], dict[str, object]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        layer = model.layer_id(name)
        decays = parameter.ndim > 1 and name not in skip
        group = groups.setdefault(
            (layer, decays),
            {
                "params": [],
                "weight_decay": config.weight_decay if decays else 0.0,
                "lr_scale": config.layer_decay ** (model.num_layers - layer),
            },
        )
        params = group["params"]
        assert isinstance(params, list)
        params.append(parameter)
    return torch.optim.AdamW(
        list(groups.values()),
        lr=scaled_lr(config, world_size=world_size),
        betas=config.adam_betas,
        eps=1e-8,
    )


def scaled_lr(config: TrainConfig, *, world_size: int = 1) -> float:
    """Linear scaling rule: ``lr`` holds for a total batch of 256 over all processes."""
    return config.lr * config.total_batch * world_size / 256


def learning_rate(
    step: int, *, config: TrainConfig, steps_per_epoch: int, world_size: int = 1
) -> float:
    """Learning rate of an optimiser step: linear warm-up, then half a cosine."""
    peak = scaled_lr(config, world_size=world_size)
    floor = peak * config.min_lr
    warmup = round(config.warmup_epochs * steps_per_epoch)
    if step < warmup:
        return peak * (step + 1) / warmup
    total = max(1, config.epochs * steps_per_epoch - warmup)
    progress = min(1.0, (step - warmup) / total)
    return floor + (peak - floor) * 0.5 * (1 + math.cos(math.pi * progress))
