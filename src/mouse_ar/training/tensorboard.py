"""Mirrors a run's events to TensorBoard: ``tensorboard --logdir RUN/tensorboard``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

__all__ = ["TensorBoardLog"]

_OF_STEPS = ("loss", "lr", "grad_norm", "windows_per_second", "data_wait", "memory_mb")


class TensorBoardLog:
    """Takes the events of a run.

    Args:
        folder: of the logs.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: SummaryWriter | None = None

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Write what of an event is a number."""
        kind, step = event["event"], int(event.get("step", event.get("epoch", 0)))
        if kind == "resume":
            # What the interrupted run wrote after its last state is written again.
            self.close()
            self._writer = SummaryWriter(str(self._folder), purge_step=event.get("step"))
        elif kind == "step":
            self._add({f"train/{name}": event.get(name) for name in _OF_STEPS}, step)
        elif kind == "validation":
            self._add({"val/score": event["score"]} | dict(_numbers("val", event["metrics"])), step)
        elif kind == "validation_windows":
            self._add(dict(_numbers("windows", event["metrics"])), step)

    def close(self) -> None:
        """Write what is still in memory."""
        if self._writer is not None:
            self._writer.close()

    def _add(self, values: Mapping[str, Any], step: int) -> None:
        if self._writer is None:
            self._writer = SummaryWriter(str(self._folder))
        for name, value in values.items():
            if value is not None:
                self._writer.add_scalar(name, float(value), step)


def _numbers(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _numbers(f"{prefix}/{name}", value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{prefix}/{name}", float(value)
