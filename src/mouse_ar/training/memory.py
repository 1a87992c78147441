"""How much memory a training run needs, before it is started."""

from __future__ import annotations

from dataclasses import replace

from mouse_ar.mvd import PRESETS
from mouse_ar.training.config import TrainConfig

__all__ = ["training_memory_bytes"]

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
