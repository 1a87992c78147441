"""Models through ``torch.compile``, for inference."""

from __future__ import annotations

import torch

from mouse_ar.mvd.byte_input import ByteMVD
from mouse_ar.pipelines.precision import autocast

__all__ = ["CompileError", "compile_model"]


class CompileError(ValueError):
    """``torch.compile`` does not work on this computer."""


@torch.inference_mode()
def compile_model(model: ByteMVD, *, precision: str, device: torch.device) -> None:
    """Compile a model in place, for batches of any size, and run it once.

    A compiler that is missing is told of here, before any video has been read.

    Args:
        model: in eval mode on ``device``.
        precision: fp32, bf16 or fp16.
        device: where the model runs.

    Raises:
        CompileError: with the reason.
    """
    config = model.model.config
    shape = (2, config.num_frames, config.image_size, config.image_size, 3)
    model.compile(dynamic=True)
    try:
        with autocast(precision, device=device):
            model(torch.zeros(shape, dtype=torch.uint8, device=device))
    except Exception as error:  # dynamo, inductor and triton have no common base
        reason = str(error).strip().split("\n", 1)[0]
        raise CompileError(
            f"The model cannot be compiled on this computer: {reason}. Leave out --compile, or "
            "install a C++ compiler (g++) and the headers of Python."
        ) from error
