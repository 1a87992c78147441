"""Models through ``torch.compile``, for inference."""

from __future__ import annotations

import torch

from mouse_ar.mvd.byte_input import ByteMVD
from mouse_ar.pipelines.precision import autocast

__all__ = ["CompileError", "compile_model"]


class CompileError(ValueError):
    """``torch.compile`` does not work on this computer."""


def compile_model(model: ByteMVD, *, precision: str, device: torch.device) -> None:
    """Compile a model in place, for batches of any size, and run it.

    A compiler that is missing is told of here, before any video has been read.

    Args:
        model: in eval mode on ``device``.
        precision: fp32, bf16 or fp16.
        device: where the model runs.

    Raises:
        CompileError: with the reason.
    """
    config = model.model.config
    shape = (config.num_frames, config.image_size, config.image_size, 3)
    # As the engine makes them: a tensor of inference mode, or a single window, is another program.
    batches = [torch.zeros((windows, *shape), dtype=torch.uint8) for windows in (2, 1)]
    model.compile(dynamic=True)
    try:
        with torch.inference_mode(), autocast(precision, device=device):
            for pixels in batches:
                model(pixels.to(device))
    except Exception as error:  # dynamo, inductor and triton have no common base
        reason = str(error).strip().split("\n", 1)[0]
        raise CompileError(
            f"The model cannot be compiled on this computer: {reason}. Leave out --compile, or "
            "install a C++ compiler (g++) and the headers of Python."
        ) from error
