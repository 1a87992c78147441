"""Whose turn it is at a detector that works for one request at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio

from mouse_ar.detection.uploads import Rejected

__all__ = ["Turns"]

_RETRY_SECONDS = 2


class Turns:
    """Requests take turns in the order they came; for use on one event loop.

    Args:
        most_waiting: further ones are sent away, so that neither memory nor the time until an
            answer grows without end.
    """

    def __init__(self, *, most_waiting: int) -> None:
        self._most_waiting = most_waiting
        self._waiting = 0
        self._lock = anyio.Lock()

    @asynccontextmanager
    async def turn(self, gone: Callable[[], Awaitable[bool]]) -> AsyncIterator[None]:
        """Wait for a turn, and hold it.

        Args:
            gone: whether the client has left, asked when the turn has come.

        Raises:
            Rejected: 503, when too many wait, or nobody waits for this answer any more.
        """
        if self._waiting >= self._most_waiting:
            raise Rejected(
                503,
                f"{self._waiting} requests wait for the detector already: try again later.",
                headers={"Retry-After": str(_RETRY_SECONDS)},
            )
        self._waiting += 1
        try:
            await self._lock.acquire()
        finally:
            self._waiting -= 1
        try:
            if await gone():
                raise Rejected(503, "The client left before its turn.")
            yield
        finally:
            self._lock.release()
