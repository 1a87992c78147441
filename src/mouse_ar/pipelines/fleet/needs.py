"""What a task asks of a computer, and how a cluster fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["FleetError", "TaskNeeds", "described"]

_GB = 1024**3


class FleetError(RuntimeError):
    """The cluster cannot be used (any more): no failure of a video, so it ends a run."""


@dataclass(frozen=True)
class TaskNeeds:
    """What is set aside on a computer for each task.

    Args:
        cpus: processor cores.
        gpus: GPUs.
        memory_gb: GB of memory; 0 does not ask.
    """

    cpus: float = 1.0
    gpus: float = 0.0
    memory_gb: float = 0.0

    def __post_init__(self) -> None:
        if not self.cpus > 0 or self.gpus < 0 or self.memory_gb < 0:
            raise ValueError(
                f"A task needs more than 0 CPUs and no negative GPUs or memory, got {self}."
            )

    def options(self) -> dict[str, float | int]:
        """As Ray calls them."""
        memory = {"memory": int(self.memory_gb * _GB)} if self.memory_gb else {}
        return {"num_cpus": self.cpus, "num_gpus": self.gpus, **memory}

    def at_once(self, resources: Mapping[str, float]) -> int:
        """How many tasks a computer with these resources, as Ray names them, runs at a time."""
        wanted = {"CPU": self.cpus, "GPU": self.gpus, "memory": self.memory_gb * _GB}
        return int(min(resources.get(name, 0.0) // of for name, of in wanted.items() if of))

    def __str__(self) -> str:
        parts = [f"{self.cpus:g} CPU cores"]
        parts += [f"{self.gpus:g} GPU"] if self.gpus else []
        parts += [f"{self.memory_gb:g} GB of memory"] if self.memory_gb else []
        return ", ".join(parts)


def described(resources: Mapping[str, float]) -> str:
    """What a computer has, for the user.

    Args:
        resources: as Ray names them.
    """
    cpus, gpus, memory = (resources.get(name, 0.0) for name in ("CPU", "GPU", "memory"))
    return f"{cpus:g} CPU cores, {gpus:g} GPU, {memory / _GB:.1f} GB of memory"
