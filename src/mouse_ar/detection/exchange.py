"""HTTP requests that end in time, however slowly the other side works."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx

__all__ = ["Answer", "ClosedError", "Exchange", "Part", "TransientError"]

# Name of the field, and (file name, content, MIME type).
Part = tuple[str, tuple[str, bytes, str]]

_CONNECT_SECONDS = 10.0
_CLOSE_SECONDS = 5.0
# A large request may take longer to send than an answer to come.
_SLOWEST_BYTES_PER_SECOND = 50_000
_MOST_ANSWER_BYTES = 64 * 10**6


class TransientError(Exception):
    """One attempt failed in a way that another may not.

    Args:
        message: what happened.
        status: HTTP status, if there was one.
        pause_seconds: how long the service wants to be left alone.
    """

    def __init__(
        self, message: str, *, status: int | None = None, pause_seconds: float = 0.0
    ) -> None:
        super().__init__(message)
        self.status = status
        self.pause_seconds = pause_seconds


class ClosedError(Exception):
    """The exchange has been closed."""


@dataclass(frozen=True)
class Answer:
    """What came back.

    Args:
        status: of HTTP.
        headers: of HTTP.
        content: the body; None where it is too large.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes | None


class Exchange:
    """Keep-alive connections on a thread of their own; requests may come from several threads.

    httpx limits each read alone, so that a header which comes in single bytes would never end.
    Only its asynchronous client can be interrupted from outside.

    Args:
        headers: of every request.
        timeout_seconds: longest time to send a request, but for 1 s more for every 50 kB of it,
            then for the answer to begin, and then for its end.
        trust_env: whether proxies of the environment are used.
    """

    def __init__(
        self, *, headers: Mapping[str, str], timeout_seconds: float, trust_env: bool
    ) -> None:
        self._seconds = timeout_seconds
        self._client = httpx.AsyncClient(
            headers=dict(headers),
            timeout=httpx.Timeout(timeout_seconds, connect=min(_CONNECT_SECONDS, timeout_seconds)),
            trust_env=trust_env,
        )
        self._lock = threading.Lock()
        self._closed = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=_run, args=(self._loop,), daemon=True)
        self._thread.start()
        # One that is never closed must not keep its thread.
        self._stop = weakref.finalize(self, self._loop.call_soon_threadsafe, self._loop.stop)

    def post(
        self,
        url: str,
        *,
        parts: Sequence[Part] = (),
        fields: Mapping[str, str] | None = None,
        payload: Mapping[str, Any] | None = None,
    ) -> Answer:
        """The answer to one request.

        Args:
            url: where to.
            parts: files of a multipart request.
            fields: text parts beside them.
            payload: sent as JSON where there are no parts.

        Raises:
            TransientError: when there is none, or not in time.
            ClosedError: when this was closed, before or meanwhile.
        """
        body: dict[str, Any] = (
            {"files": list(parts), "data": dict(fields or {})}
            if parts
            else {"json": dict(payload or {})}
        )
        seconds = sum(len(part[1][1]) for part in parts) / _SLOWEST_BYTES_PER_SECOND
        with self._lock:
            if self._closed:
                raise ClosedError
            request = self._post(url, body, send_seconds=self._seconds + seconds)
            future = asyncio.run_coroutine_threadsafe(request, self._loop)
        try:
            return future.result()
        except CancelledError:
            raise ClosedError from None
        except httpx.TimeoutException as error:
            what = "connect" if isinstance(error, httpx.ConnectTimeout) else "answer"
            raise TransientError(f"it did not {what} in time") from error
        except httpx.RequestError as error:
            raise TransientError(f"connection failed ({error or type(error).__name__})") from error
        finally:
            future.cancel()  # where this thread was interrupted

    def close(self) -> None:
        """Give up the connections; requests under way end with :class:`ClosedError`."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            closing = asyncio.run_coroutine_threadsafe(self._give_up(), self._loop)
        with suppress(TimeoutError):
            closing.result(_CLOSE_SECONDS)
        self._stop()
        self._thread.join(_CLOSE_SECONDS)

    async def _post(self, url: str, body: Mapping[str, Any], *, send_seconds: float) -> Answer:
        what = "take the request"
        limit = asyncio.timeout(send_seconds)

        async def trace(event: str, _: Mapping[str, Any]) -> None:
            nonlocal what
            if event.endswith("send_request_body.complete"):
                what = "answer"
                limit.reschedule(self._loop.time() + self._seconds)

        try:
            async with (
                limit,
                self._client.stream("POST", url, **body, extensions={"trace": trace}) as response,
            ):
                what = "finish its answer"
                limit.reschedule(self._loop.time() + self._seconds)
                return Answer(response.status_code, response.headers, await _read(response))
        except TimeoutError:
            raise TransientError(f"it did not {what} in time") from None

    async def _give_up(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._client.aclose()


async def _read(response: httpx.Response) -> bytes | None:
    chunks, size = [], 0
    async for chunk in response.aiter_bytes():
        size += len(chunk)
        if size > _MOST_ANSWER_BYTES:
            return None
        chunks.append(chunk)
    return b"".join(chunks)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()
