"""Tasks that are under way on a cluster: what came of them, and what is started again when."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from mouse_ar.pipelines.fleet.needs import FleetError

__all__ = ["Ended", "UnderWay"]

_LOG = logging.getLogger(__name__)

Item = TypeVar("Item")

# Before a lost task is started again, the first time and later. A computer that is gone may be
# given tasks for up to half a minute more, until its cluster misses it.
_PAUSES_SECONDS = (5.0, 20.0, 60.0)


@dataclass(frozen=True)
class _Task(Generic[Item]):
    item: Item
    work: Any
    losses: int = 0
    due: float = 0.0

    @property
    def name(self) -> str:
        """What a user calls it."""
        return str(getattr(self.item, "key", self.item))


@dataclass(frozen=True)
class Ended(Generic[Item]):
    """A task that has come to its end.

    Args:
        item: what it was for.
        answer: what it gave, or why there is none.
    """

    item: Item
    answer: Any


@dataclass
class UnderWay(Generic[Item]):
    """Tasks that are being done, wait on the cluster, or were lost and wait here.

    Args:
        ray: the module, connected.
        start: has the cluster do a task of this work, and gives its reference.
    """

    ray: Any
    start: Callable[[Any], Any]
    _sent: dict[Any, _Task[Item]] = field(default_factory=dict)
    _lost: list[_Task[Item]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._sent) + len(self._lost)

    def add(self, item: Item, work: Any) -> None:
        """Have a task done."""
        self._sent[self.start(work)] = _Task(item, work)

    def next_end(self, *, timeout_seconds: float) -> Ended[Item] | None:
        """A task that has ended, unless none does so in time.

        Raises:
            FleetError: a task raised something, or the cluster refuses it.
        """
        for task in [task for task in self._lost if task.due <= time.monotonic()]:
            self._lost.remove(task)
            self._sent[self.start(task.work)] = task
        if not self._sent:
            time.sleep(timeout_seconds)
            return None
        done, _ = self.ray.wait(list(self._sent), timeout=timeout_seconds)
        if not done:
            return None
        task, errors = self._sent.pop(done[0]), self.ray.exceptions
        try:
            return Ended(task.item, self.ray.get(done[0]))
        except errors.RayTaskError as error:
            raise FleetError(f"A task failed: {error.cause}") from error
        except (
            errors.LocalRayletDiedError,
            errors.NodeDiedError,
            errors.ObjectLostError,
            errors.OutOfMemoryError,
            errors.WorkerCrashedError,
        ) as error:
            return self._lose(task, error)
        except errors.RayError as error:
            raise FleetError(f"The cluster does not do a task: {error}") from error

    def _lose(self, task: _Task[Item], error: Exception) -> Ended[Item] | None:
        # What follows the first sentence is advice on Ray's own logs.
        how = f"{type(error).__name__}: {str(error).splitlines()[0].split('. ')[0].rstrip('.')}"
        losses, most = task.losses + 1, len(_PAUSES_SECONDS)
        if losses > most:
            return Ended(
                task.item,
                OSError(
                    f"The process or computer that was at this video was lost {losses} times, at "
                    f"last with {how}. Perhaps the memory does not suffice: --ray-memory asks for "
                    "more."
                ),
            )
        pause = _PAUSES_SECONDS[task.losses]
        _LOG.warning(
            "%s: its process or computer was lost (%s). It is started again in %.0f s, for the %d. "
            "time of %d.",
            task.name,
            how,
            pause,
            losses,
            most,
        )
        self._lost.append(replace(task, losses=losses, due=time.monotonic() + pause))
        return None

    def end(self) -> None:
        """Have no task done any more."""
        self._lost.clear()
        for ref in self._sent:
            with suppress(self.ray.exceptions.RayError):
                self.ray.cancel(ref, force=True)
        self._sent.clear()
