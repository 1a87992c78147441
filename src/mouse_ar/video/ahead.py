"""Stages of a pipeline: an iterator that works in a thread of its own, a bounded way ahead."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Self, TypeVar

__all__ = ["Ahead", "NotYet", "check_wanted"]

Item = TypeVar("Item")

# How soon a stage that waits sees that nobody wants its work any more.
_POLL_SECONDS = 0.05

_local = threading.local()


class NotYet(Exception):
    """There is no item within the time that was given."""


class _Unwanted(Exception):
    """Nobody waits for what this thread does."""


def check_wanted() -> None:
    """Called by a source that waits for something else: ends it once its stage is closed."""
    stop = getattr(_local, "stop", None)
    if stop is not None and stop.is_set():
        raise _Unwanted


@dataclass(frozen=True)
class _End:
    """The source has ended, or failed with an error."""

    error: BaseException | None


class Ahead(Generic[Item]):
    """The items of an iterator, made in a thread while the consumer is busy with earlier ones.

    An error of the source is raised where its item would have come. Closing stops the thread and
    closes the source, and with it the stages that it reads from. It is an iterator for one thread.

    Args:
        source: runs in the new thread alone.
        size: items that may wait; the source stands still beyond that.
        name: of the thread.
        on_busy: called in the thread with the seconds that each item took, without those in which
            the source itself waited for an earlier stage.
    """

    def __init__(
        self,
        source: Iterable[Item],
        *,
        size: int,
        name: str,
        on_busy: Callable[[float], None] | None = None,
    ) -> None:
        self._items: queue.Queue[Item | _End] = queue.Queue(maxsize=size)
        self._stop = threading.Event()
        self._ended = False
        self._on_busy = on_busy
        self._thread = threading.Thread(target=self._run, args=(source,), name=name, daemon=True)
        self._thread.start()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Item:
        while True:
            try:
                return self.get(timeout_seconds=_POLL_SECONDS)
            except NotYet:
                check_wanted()

    def get(self, *, timeout_seconds: float) -> Item:
        """The next item.

        Raises:
            StopIteration: there are no more.
            NotYet: none has come within the time.
        """
        if self._ended or self._stop.is_set():
            raise StopIteration
        began = time.perf_counter()
        try:
            item = self._items.get(timeout=timeout_seconds)
        except queue.Empty:
            raise NotYet from None
        finally:
            _local.waited = _waited() + time.perf_counter() - began
        if not isinstance(item, _End):
            return item
        self._ended = True
        if item.error is not None:
            raise item.error
        raise StopIteration

    def close(self) -> None:
        """Stop, and wait until the thread has ended; closing twice is fine."""
        self._stop.set()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self, source: Iterable[Item]) -> None:
        end = _End(None)
        _local.stop = self._stop
        iterator = iter(source)
        try:
            while not self._stop.is_set():
                before, began = _waited(), time.perf_counter()
                try:
                    item = next(iterator)
                except StopIteration:
                    break
                if self._on_busy is not None:
                    waited = _waited() - before
                    self._on_busy(time.perf_counter() - began - waited)
                self._put(item)
        except BaseException as error:  # whatever it is, it belongs to whoever waits for the item
            end = _End(error)
        finally:
            if isinstance(iterator, Generator | Ahead):
                iterator.close()
            self._put(end)

    def _put(self, item: Item | _End) -> None:
        while not self._stop.is_set():
            try:
                self._items.put(item, timeout=_POLL_SECONDS)
            except queue.Full:
                continue
            return


def _waited() -> float:
    """Seconds that this thread has waited for earlier stages."""
    return float(getattr(_local, "waited", 0.0))
