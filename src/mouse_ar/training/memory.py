"""How much memory a training run needs, before it is started."""

from __future__ import annotations

import math
from dataclasses import replace

from mouse_ar.mvd import PRESETS
from mouse_ar.training.config import TrainConfig

__all__ = ["out_of_memory_advice", "training_memory_bytes"]

# Weights, gradients and AdamW's two moments, all float32.
_BYTES_PER_WEIGHT = 16
# Activations kept per token, channel and block in 16 bit, without the attention matrix, which
# scaled-dot-product attention does not keep: Korthikanti et al. 2022, "Reducing activation
# recomputation in large transformer models", equation 2.
_BYTES_PER_CHANNEL = 34
# CUDA context, cuDNN/cuBLAS workspaces, fragmentation.
_OVERHEAD = 1.5e9


def training_memory_bytes(config: TrainConfig) -> float:
    """Rough estimate for one GPU; it says which settings fit, not what is left.

    Args:
        config: settings of the run.
    """
    model = replace(
        PRESETS[config.model], image_size=config.input_size, num_frames=config.num_frames
    )
    width, hidden = model.embed_dim, int(model.embed_dim * model.mlp_ratio)
    tokens = (model.image_size // model.patch_size) ** 2 * model.num_frames // model.tubelet_size
    tubelet = 3 * model.tubelet_size * model.patch_size**2
    weights = width * tubelet + model.depth * (4 * width * width + 2 * width * hidden)
    kept = _BYTES_PER_WEIGHT + (4 if config.ema_decay else 0)
    activations = config.batch_size * tokens * width * model.depth * _BYTES_PER_CHANNEL
    return weights * kept + activations + _OVERHEAD


def out_of_memory_advice(config: TrainConfig, error: BaseException) -> str:
    """What to lower, and by how much, when a GPU's memory is full.

    Args:
        config: settings of the run.
        error: torch's.
    """
    now = training_memory_bytes(config)

    def share(changed: TrainConfig) -> str:
        return f"about {training_memory_bytes(changed) / now:.0%} of the memory"

    found = []
    if config.batch_size > 1:
        size = config.batch_size // 2
        freq = math.ceil(config.total_batch / size)
        fewer = replace(config, batch_size=size, update_freq=freq)
        found.append(
            f"batch_size={size} with update_freq={freq} ({share(fewer)}, the same result but for "
            "rounding)"
        )
    if not config.grad_checkpointing:
        found.append("grad_checkpointing=true (less memory for activations, about a third slower)")
    step = PRESETS[config.model].tubelet_size
    frames = config.num_frames // 2 // step * step
    if frames:
        shorter = replace(config, num_frames=frames, sampling_rate=2 * config.sampling_rate)
        found.append(
            f"num_frames={frames} with sampling_rate={shorter.sampling_rate} ({share(shorter)}, "
            "the same time span seen at fewer moments)"
        )
    if len(found) < 3:
        found.append("a smaller model or input_size")
    return (
        "The GPU's memory is full. Set " + "; or ".join(found) + ". What was trained so far is "
        f"kept, but other settings start a run of their own ({error})."
    )
