"""In which number format the model computes."""

from __future__ import annotations

import math
import time

import torch
from torch import nn

from mouse_ar.mvd import MVD, MVDConfig

__all__ = ["PRECISIONS", "autocast", "pick_precision"]

PRECISIONS = ("auto", "fp32", "bf16", "fp16")

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
# Less is within the noise of the measurement, and fp32 is what results are compared in.
_WORTH_IT = 1.15
_TRIALS = 3
_MOST_TOKENS = 1568

_measured: dict[MVDConfig, str] = {}


def pick_precision(name: str | None, *, model: nn.Module, device: torch.device) -> str:
    """The format to compute in: fp32, bf16 or fp16.

    Args:
        name: one of :data:`PRECISIONS`; None is bf16 on a GPU that has it (else fp16), and fp32 on
            the CPU. ``auto`` is the same on a GPU; on the CPU it allows bf16, and one block of the
            model is timed to see whether that is faster here (a few tenths of a second, once).
        model: on ``device``.
        device: where it runs.

    Raises:
        ValueError: there is no such format.
    """
    if name is not None and name not in PRECISIONS:
        raise ValueError(f"No precision {name!r}; expected one of {', '.join(PRECISIONS)}.")
    if name not in (None, "auto"):
        return str(name)
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    if name is None or not isinstance(model, MVD):
        return "fp32"
    return _faster_on_cpu(model)


def autocast(precision: str, *, device: torch.device) -> torch.autocast:
    """The context to run a model in."""
    return torch.autocast(
        device.type,
        dtype=_DTYPES[precision] if precision != "fp32" else torch.bfloat16,
        enabled=precision != "fp32",
    )


def _faster_on_cpu(model: MVD) -> str:
    if model.config not in _measured:
        _measured[model.config] = _measure(model)
    return _measured[model.config]


def _measure(model: MVD) -> str:
    block = model.blocks[0]
    tokens = min(_MOST_TOKENS, math.prod(model.config.grid))
    tokens_NLD = torch.zeros(1, tokens, model.config.embed_dim)
    seconds = {name: _seconds(block, tokens_NLD, name) for name in ("fp32", "bf16")}
    return "bf16" if seconds["fp32"] > _WORTH_IT * seconds["bf16"] else "fp32"


@torch.inference_mode()
def _seconds(block: nn.Module, tokens_NLD: torch.Tensor, precision: str) -> float:
    """The least time of some trials; the first is for the libraries to get ready."""
    taken = []
    with autocast(precision, device=torch.device("cpu")):
        for _ in range(1 + _TRIALS):
            began = time.perf_counter()
            block(tokens_NLD)
            taken.append(time.perf_counter() - began)
    return min(taken[1:])
