"""What this computer can train on."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import torch

__all__ = ["TrainingDevice", "training_devices"]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingDevice:
    """A GPU, or the processor.

    Args:
        name: as torch has it: ``cuda:0``, ``cuda`` for all of them, or ``cpu``.
        title: for lists.
        free_bytes: memory that is free now; None for the processor.
    """

    name: str
    title: str
    free_bytes: int | None = None


def training_devices() -> list[TrainingDevice]:
    """The GPUs, the one with the most free memory first, and the processor last."""
    found: list[TrainingDevice] = []
    try:
        for index in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(index)
            title = (
                f"{torch.cuda.get_device_name(index)} (cuda:{index}), "
                f"{free / 1e9:.1f} of {total / 1e9:.1f} GB free"
            )
            found.append(TrainingDevice(f"cuda:{index}", title, free))
    except Exception as error:  # a driver that is broken or older than torch wants
        _LOG.warning("The GPUs cannot be used: %s", error)
    found.sort(key=lambda device: -(device.free_bytes or 0))
    if len(found) > 1:
        found.append(TrainingDevice("cuda", f"All {len(found)} GPUs together"))
    return [*found, TrainingDevice("cpu", "CPU (slow: for trials only)")]
