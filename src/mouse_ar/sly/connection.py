"""Requests to a Supervisely instance that end in time, are repeated, and fail with a clear error.

The SDK's own requests have no time limit, send an exhausted stream when they repeat an upload,
and damage a download that they resume; so its client is used for the address and the token only.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import urlsplit

import httpx

from mouse_ar.detection.exchange import TransientError
from mouse_ar.detection.wire import clean_token
from mouse_ar.sly.errors import RefusedError, TransferError
from mouse_ar.sly.limits import Limits

if TYPE_CHECKING:
    from supervisely import Api

__all__ = ["Connection", "Limits"]

Result = TypeVar("Result")
Json = dict[str, Any]

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
# All other 4xx, and what the server does not know how to do, stay as they are.
_RETRIED_4XX = {408, 425, 429, 499}
_FINAL_5XX = {501, 505}
_LISTINGS = 5
# However long the first took: a big upload may fail only after all of the time allowed.
_LEAST_ATTEMPTS = 3


class Connection:
    """An instance, as the token of an SDK client sees it; calls may come from several threads.

    Args:
        api: the SDK's client: it gives the address and the headers.
        limits: time-outs and retries; by default those of the environment.
    """

    def __init__(self, api: Api, *, limits: Limits | None = None) -> None:
        self.limits = limits or Limits.from_environment()
        self.server = str(api.server_address).rstrip("/")
        self._base = f"{str(api.api_server_address).rstrip('/')}/v3/"
        self._client = httpx.Client(
            # One that no header can hold would be shown, token and all, in httpx's error.
            headers={name: clean_token(str(value)) for name, value in api.headers.items()},
            timeout=self._timeout(self.limits.silence_seconds),
            limits=httpx.Limits(max_connections=32, max_keepalive_connections=16),
            trust_env=urlsplit(self._base).hostname not in _LOOPBACK,
            # Certificates of an instance in the lab's own network, as the SDK takes them.
            verify=os.environ.get("REQUESTS_CA_BUNDLE") or True,
        )
        self._additional = dict(api.additional_fields)  # what an app adds to every request
        self._clock_lag = 0.0
        self._giving_up = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give up the connections."""
        self._giving_up.set()
        self._client.close()

    @contextmanager
    def giving_up(self) -> Iterator[None]:
        """While open, what other threads have under way ends soon and is not tried again."""
        self._giving_up.set()
        try:
            yield
        finally:
            self._giving_up.clear()

    def go_on(self) -> None:
        """Call it between the parts of a long request.

        Raises:
            TransientError: while :meth:`giving_up`.
        """
        if self._giving_up.is_set():
            raise TransientError("given up, as the rest of the run was")

    def call(
        self,
        endpoint: str,
        payload: Json | list[Any],
        *,
        what: str,
        recover: Callable[[], Any] | None = None,
    ) -> Any:
        """The JSON answer to a request.

        Args:
            endpoint: like ``videos.list``.
            payload: sent as JSON.
            what: what it does, for errors: "reading project 12".
            recover: for a request that must not be done twice: looks whether a failed attempt
                was done nevertheless, and returns its outcome or None.

        Raises:
            RefusedError: the instance said no.
            TransferError: every attempt failed.
        """
        return self.retry(
            lambda: self.once(endpoint, payload, what=what), what=what, recover=recover
        )

    def once(self, endpoint: str, payload: Json | list[Any], *, what: str) -> Any:
        """One attempt of :meth:`call`.

        Raises:
            TransientError: it failed in a way that another may not.
            RefusedError: the instance said no.
        """
        body = {**payload, **self._additional} if isinstance(payload, dict) else payload
        with self.open(endpoint, what=what, json=body) as response:
            return self.json_of(response)

    def json_of(self, response: httpx.Response) -> Any:
        """The whole answer as JSON, if it comes fast enough.

        Raises:
            TransientError: it does not, or is no JSON.
        """
        content = b"".join(self.chunks(response))
        try:
            return json.loads(content) if content else None
        except ValueError as error:
            raise TransientError(f"its answer is no JSON: {content[:80]!r}") from error

    def chunks(self, response: httpx.Response) -> Iterator[bytes]:
        """The body of an answer.

        Raises:
            TransientError: it is slower than the limit.
        """
        start, size = time.monotonic(), 0
        for chunk in response.iter_bytes():
            size += len(chunk)
            yield chunk
            self.go_on()
            allowed = self.limits.answer_seconds + size / self.limits.slowest_bytes_per_second
            if time.monotonic() - start > allowed:
                raise TransientError(f"its answer came too slowly ({size} bytes so far)")

    @contextmanager
    def open(
        self, endpoint: str, *, what: str, answer_seconds: float | None = None, **body: Any
    ) -> Iterator[httpx.Response]:
        """One attempt at a request whose answer is still to be read.

        Args:
            endpoint: like ``videos.download``.
            what: what it does, for errors.
            answer_seconds: longest wait for the answer to begin.
            body: for httpx: ``json``, ``files``, ``data``, ``params``, ``headers``.

        Raises:
            TransientError: it failed in a way that another may not.
            RefusedError: the instance said no.
        """
        timeout = self._timeout(answer_seconds or self.limits.silence_seconds)
        try:
            with self._client.stream(
                "POST", self._base + endpoint, timeout=timeout, **body
            ) as response:
                self._note_clock(response)
                if response.status_code >= 300:
                    raise self._error(response, what)
                yield response
        except httpx.TimeoutException as error:
            doing = "connect" if isinstance(error, httpx.ConnectTimeout) else "go on"
            raise TransientError(f"it did not {doing} in time") from error
        except httpx.HTTPError as error:
            raise TransientError(f"connection failed ({error or type(error).__name__})") from error

    def retry(
        self,
        attempt: Callable[[], Result],
        *,
        what: str,
        recover: Callable[[], Result | None] | None = None,
        progress: Callable[[], int] | None = None,
    ) -> Result:
        """The result of the first attempt that does not raise :class:`TransientError`.

        Args:
            attempt: does one attempt, with streams of its own.
            what: what it does, for errors.
            recover: see :meth:`call`.
            progress: how far the attempts have got; when that has grown, patience starts anew.

        Raises:
            TransferError: as many failed in a row as the limits allow.
        """
        failed, since, reached = 0, 0.0, -1
        while True:
            try:
                if failed and recover is not None and (done := recover()) is not None:
                    return done
                return attempt()
            except TransientError as error:
                got = progress() if progress is not None else reached
                if got > reached:
                    failed, reached = 0, got
                # Time without any progress counts from the first failure.
                since = since if failed else time.monotonic()
                failed += 1
                spent = time.monotonic() - since
                late = spent > self.limits.total_seconds and failed >= _LEAST_ATTEMPTS
                if failed >= self.limits.attempts or late or self._giving_up.is_set():
                    raise TransferError(
                        what,
                        f"{failed} attempts at {self.server}, the last: {error}",
                        status=error.status,
                    ) from error
                self._pause(failed, error.pause_seconds)

    def pages(self, endpoint: str, payload: Json, *, what: str, per_page: int = 500) -> list[Json]:
        """All entities of a listing, by id.

        Raises:
            TransferError: it changes all the time, or cannot be read.
        """
        for _ in range(_LISTINGS):
            found: dict[int, Json] = {}
            page, pages, total = 1, 1, 0
            while page <= pages:
                paging = {"sort": "id", "sort_order": "asc", "page": page, "per_page": per_page}
                answer = self.call(endpoint, {**payload, **paging}, what=what)
                found |= {int(entity["id"]): entity for entity in answer["entities"]}
                pages, total = int(answer.get("pagesCount") or 1), int(answer["total"])
                page += 1
            if len(found) == total:
                return [found[key] for key in sorted(found)]
        raise TransferError(what, f"got {len(found)} entries, the instance says {total}")

    def alive(self) -> bool:
        """Whether the instance answers at all."""
        try:
            self.once("instance.version", {}, what="asking for the version")
        except RefusedError:
            return True
        except TransientError:
            return False
        return True

    def server_time(self) -> float:
        """The instance's clock, in seconds since 1970, as its last answer showed it."""
        return time.time() + self._clock_lag

    def _timeout(self, read_seconds: float) -> httpx.Timeout:
        limits = self.limits
        return httpx.Timeout(
            connect=limits.connect_seconds,
            read=read_seconds,
            write=limits.silence_seconds,
            pool=limits.answer_seconds,
        )

    def _note_clock(self, response: httpx.Response) -> None:
        try:
            date = parsedate_to_datetime(response.headers["date"]).timestamp()
        except (KeyError, ValueError, TypeError):
            return
        self._clock_lag = date - time.time()

    def _error(self, response: httpx.Response, what: str) -> Exception:
        status = response.status_code
        if status < 400:
            target = response.headers.get("location", "elsewhere")
            return TransferError(
                what,
                f"it redirects to {target}",
                advice="set SERVER_ADDRESS to where it is, like https://…",
                status=status,
            )
        text = _message(response)
        if status in _RETRIED_4XX or (status >= 500 and status not in _FINAL_5XX):
            pause = _number(response.headers.get("retry-after"))
            return TransientError(f"HTTP {status}: {text}", status=status, pause_seconds=pause)
        return RefusedError(what, f"HTTP {status}: {text}", status=status)

    def _pause(self, failed: int, asked_seconds: float) -> None:
        limits = self.limits
        seconds = limits.first_pause_seconds * 2 ** (failed - 1)
        # Many clients that lost the server together shall not come back together.
        seconds *= random.uniform(0.75, 1.25)
        self._giving_up.wait(min(max(seconds, asked_seconds), limits.longest_pause_seconds))


def _message(response: httpx.Response) -> str:
    """What the server says about an error."""
    text = response.read()[:4000].decode("utf-8", "replace")
    try:
        data = json.loads(text)
    except ValueError:
        data = None
    if isinstance(data, Mapping):
        details = data.get("details")
        inner = details.get("message") if isinstance(details, Mapping) else None
        text = str(inner or data.get("message") or data.get("error") or text)
    return " ".join(text.split())[:300]


def _number(text: str | None) -> float:
    try:
        return max(0.0, float(text or 0))
    except ValueError:
        return 0.0
