"""The processes of one training run: who they are, and what they agree on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

__all__ = ["Team", "open_team"]

# One process may validate for long while the others wait. A process that dies closes its
# connections, and torchrun ends the rest: neither needs this time.
_PATIENCE = timedelta(hours=12)


@dataclass(frozen=True)
class Team:
    """The processes of a run, seen from one of them. Alone, everything is agreed at once.

    Args:
        rank: of this process.
        world_size: how many there are.
    """

    rank: int = 0
    world_size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes files and events."""
        return self.rank == 0

    def highest(self, *values: float) -> list[float]:
        """The highest of each value over all processes."""
        if self.world_size == 1:
            return list(values)
        tensor = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(tensor, op=dist.ReduceOp.MAX)
        return [float(value) for value in tensor]

    def from_leader(self, value: Any) -> Any:
        """What the leading process has; the others' values are passed over."""
        if self.world_size == 1:
            return value
        holder = [value]
        dist.broadcast_object_list(holder, src=0)
        return holder[0]

    def gathered(self, value: Any) -> list[Any]:
        """The value of every process, in the order of their ranks."""
        if self.world_size == 1:
            return [value]
        values: list[Any] = [None] * self.world_size
        dist.all_gather_object(values, value)
        return values

    def wait(self) -> None:
        """Wait for all."""
        if self.world_size > 1:
            self.highest(0.0)


@contextmanager
def open_team(device: torch.device) -> Iterator[Team]:
    """Join the processes that torchrun has started; alone where it has not.

    Args:
        device: of this process. Tensors on CUDA are exchanged by NCCL, all others by gloo.
    """
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    if world_size == 1:
        yield Team()
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, timeout=_PATIENCE)
    try:
        yield Team(rank=dist.get_rank(), world_size=dist.get_world_size())
    finally:
        dist.destroy_process_group()
