"""In which numbers a training step calculates."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch

__all__ = ["Precision", "choose_precision"]


@dataclass(frozen=True)
class Precision:
    """Autocast of the forward pass.

    Args:
        device_type: ``cpu`` or ``cuda``.
        dtype: of matrix products; None = everything in float32.
    """

    device_type: str
    dtype: torch.dtype | None = None

    def autocast(self) -> AbstractContextManager[None]:
        """Surrounds the forward pass."""
        enabled = self.dtype is not None
        return torch.autocast(self.device_type, dtype=self.dtype, enabled=enabled)

    def scaler(self) -> torch.amp.GradScaler:
        """Loss scaling: float16 gradients would vanish without it, others do not need it."""
        return torch.amp.GradScaler(self.device_type, enabled=self.dtype is torch.float16)


def choose_precision(amp: str, device: torch.device) -> Precision:
    """What the setting ``amp`` means on a device.

    Args:
        amp: ``auto``, ``bf16``, ``fp16`` or ``fp32``.
        device: where the run trains.
    """
    if amp == "auto" and device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return Precision("cuda", torch.bfloat16 if native else torch.float16)
    dtypes = {"bf16": torch.bfloat16, "fp16": torch.float16}
    return Precision(device.type, dtypes.get(amp))
