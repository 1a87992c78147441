"""Many items at once: those that fail are listed, a dead instance ends the run."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import TypeVar

from mouse_ar.sly.connection import Connection
from mouse_ar.sly.errors import NoSpaceError, RefusedError, TransferError
from mouse_ar.sly.streams import ByteProgress

__all__ = ["Failure", "Progress", "SizeProgress", "for_each", "is_of_item", "sized"]

Item = TypeVar("Item")
# Called with (what, done, in all).
Progress = Callable[[str, int, int], None]
# Name of the item, and what went wrong.
Failure = tuple[str, str]

_MEGABYTE = 1_000_000
# Below that, whole megabytes would say little.
_FEW_MEGABYTES = 10
# What may be the fault of one item.
_OF_ITEM = (TransferError, OSError, ValueError)


def is_of_item(error: BaseException, connection: Connection) -> bool:
    """Whether others may work where this one failed."""
    if isinstance(error, RefusedError):
        return not error.ends_run
    if isinstance(error, TransferError):
        return connection.alive()
    if isinstance(error, OSError):
        return not isinstance(error, NoSpaceError) and error.errno != errno.ENOSPC
    return isinstance(error, ValueError)


def for_each(
    work: Callable[[Item], None],
    items: Iterable[Item],
    *,
    connection: Connection,
    workers: int,
) -> list[tuple[Item, str]]:
    """Do something with every item, several at a time.

    Args:
        work: gets one item; called from several threads.
        items: the items.
        connection: to the instance.
        workers: how many at a time.

    Returns:
        Those that failed, each with what went wrong, in the order of ``items``.

    Raises:
        TransferError: the instance is gone; what is under way is given up.
        BusyError: the project was lost to another run.
    """
    failures: dict[Future[None], str] = {}
    pool = ThreadPoolExecutor(workers, thread_name_prefix="transfer")
    try:
        futures = {pool.submit(work, item): item for item in items}
        for future in as_completed(futures):
            try:
                future.result()
            except _OF_ITEM as error:
                if not is_of_item(error, connection):
                    raise
                failures[future] = str(error)
    except BaseException:
        with connection.giving_up():
            pool.shutdown(wait=True, cancel_futures=True)
        raise
    pool.shutdown()
    return [(item, failures[future]) for future, item in futures.items() if future in failures]


def sized(what: str, done: int, total: int = 0) -> tuple[str, int, int]:
    """Bytes as a person counts them: megabytes, or kilobytes where there are only few of those.

    Args:
        what: is going on.
        done: bytes.
        total: bytes in all; 0 where that is unknown.

    Returns:
        What with the unit, units done, and units in all; the last byte completes the last one.
    """
    few = 0 < total < _FEW_MEGABYTES * _MEGABYTE
    unit, name = (1000, "kB") if few else (_MEGABYTE, "MB")
    in_all = -(-total // unit)
    return f"{what} ({name})", in_all if total and done >= total else done // unit, in_all


class SizeProgress:
    """Bytes of files that go at the same time, as one progress; see :func:`sized`.

    Args:
        tell: called with (what, done, in all).
        what: what is going on.
        total: bytes in all.
    """

    def __init__(self, tell: Progress | None, what: str, total: int) -> None:
        self._tell = tell or (lambda *_: None)
        self._what, self._total = what, total
        self._done: dict[object, int] = {}
        self._bytes, self._shown = 0, -1
        self._lock = threading.Lock()
        self._show()

    def of(self, key: object) -> ByteProgress:
        """The progress of one file."""

        def tell(done: int) -> None:
            with self._lock:
                self._bytes += done - self._done.get(key, 0)
                self._done[key] = done
                self._show()

        return tell

    def _show(self) -> None:
        what, done, total = sized(self._what, self._bytes, self._total)
        if self._total and done != self._shown:
            self._shown = done
            self._tell(what, done, total)
