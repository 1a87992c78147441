"""An RT-DETRv2 with random weights, which costs the same time as a trained one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

__all__ = ["random_checkpoint"]


def random_checkpoint(keys: Path, backbone: str, folder: Path) -> Path:
    """Weights of the names and shapes of a backbone, as the original code would save them."""
    generator = torch.Generator().manual_seed(0)
    weights = {}
    for name, shape in json.loads(keys.read_text())[backbone].items():
        noise = torch.randn(shape, generator=generator)
        scale = float(np.prod(shape[1:])) ** -0.5 if len(shape) > 1 else 0.02
        weights[name] = noise.abs() + 0.5 if name.endswith("running_var") else noise * scale
        if name.endswith("num_points_scale"):
            weights[name] = torch.full(shape, 0.25)
        if name.endswith("num_batches_tracked"):
            weights[name] = torch.tensor(0)
    torch.save({"ema": {"module": weights}}, folder / "random.pth")
    return folder / "random.pth"
