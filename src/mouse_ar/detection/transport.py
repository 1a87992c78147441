"""JSON over HTTP from a service that may be slow, restart or die."""

from __future__ import annotations

import json
import logging
import random
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx

from mouse_ar.detection.errors import DetectorRefusedError, DetectorUnavailableError
from mouse_ar.detection.exchange import Answer, ClosedError, Exchange, Part, TransientError
from mouse_ar.detection.wire import TOKEN_HEADER, clean_token

__all__ = ["Part", "ServiceConnection", "TransientError", "public_url"]

_MAX_PAUSE_SECONDS = 30.0
_RETRIED = {408, 425, 429, 500, 502, 503, 504}
_LACKING = {400, 404, 405, 422, 500, 501}
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class ServiceConnection:
    """Keep-alive connections to one service; calls may come from several threads.

    The SDK's own calls have no time limit at all; here a service that stalls, or sends a byte now
    and then, is noticed, and so is an answer without an end.

    Args:
        url: of the service, e.g. ``http://127.0.0.1:8000``.
        token: sent as ``x-api-key``.
        name: how errors call the service; its URL by default.
        timeout_seconds: longest wait for an answer to begin, and then for its end; see
            :class:`~.exchange.Exchange`.
        retries: attempts after the first one.

    Raises:
        ValueError: when the URL is none, or the token cannot be sent.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        name: str | None = None,
        timeout_seconds: float = 120.0,
        retries: int = 5,
    ) -> None:
        host = _host(url)
        if timeout_seconds <= 0 or retries < 0:
            raise ValueError(
                "A connection needs timeout_seconds > 0 and retries >= 0, "
                f"got {timeout_seconds}, {retries}."
            )
        token = clean_token(token or "")
        self.name = name or public_url(url)
        self.retries = retries
        self._url = url.rstrip("/")
        self._closed = threading.Event()
        # The one thing that must differ between clients: they would all come back at once.
        self._jitter = random.SystemRandom()
        self._exchange = Exchange(
            headers={TOKEN_HEADER: token} if token else {},
            timeout_seconds=timeout_seconds,
            # A lab's proxy cannot reach the service on this very machine.
            trust_env=host not in _LOOPBACK,
        )
        logging.getLogger("httpx").addFilter(_without_secrets)

    def close(self) -> None:
        """Give up the connections; a pause between attempts ends at once."""
        self._closed.set()
        self._exchange.close()

    def post(
        self,
        method: str,
        *,
        parts: Sequence[Part] = (),
        fields: Mapping[str, str] | None = None,
        may_lack: bool = False,
        retries: int | None = None,
        recheck: Callable[[], None] | None = None,
    ) -> Any:
        """The JSON that the service answers, tried again while that may help.

        Args:
            method: path below the URL.
            parts: files of a multipart request; without any, ``{}`` is sent as JSON.
            fields: text parts beside them.
            may_lack: None is returned where the service has no such method or it fails there.
            retries: attempts after the first one; those of the connection by default.
            recheck: called before every further attempt: the service may have been restarted.
                Where every attempt fails with HTTP 500 and it still passes, the service is well
                and the request is what it fails on.

        Raises:
            DetectorUnavailableError: when there is no use in trying on.
            DetectorRefusedError: when this request is not taken.
        """
        attempts = 1 + (self.retries if retries is None else retries)
        began = time.monotonic()
        statuses, pause_seconds = set(), 0.0
        for attempt in range(attempts):
            if attempt:
                self._closed.wait(self._pause(attempt, at_least=pause_seconds))
            try:
                if attempt and recheck is not None:
                    recheck()
                return self.once(method, parts=parts, fields=fields, may_lack=may_lack)
            except TransientError as error:
                cause, pause_seconds = str(error), error.pause_seconds
                statuses.add(error.status)
        spent = time.monotonic() - began
        cause = f"{cause} ({attempts} attempt(s) in {spent:.0f} s)"
        if statuses == {500} and recheck is not None and self._passes(recheck):
            raise DetectorRefusedError(
                f"Detector {self.name} fails on these frames: {cause}; its log says why.",
                status=500,
            )
        raise self.unavailable(cause)

    def once(
        self,
        method: str,
        *,
        parts: Sequence[Part] = (),
        fields: Mapping[str, str] | None = None,
        payload: Mapping[str, Any] | None = None,
        may_lack: bool = False,
    ) -> Any:
        """One attempt of :meth:`post`.

        Args:
            method: path below the URL.
            parts: see there.
            fields: see there.
            payload: sent as JSON where there are no parts.
            may_lack: see there.

        Raises:
            TransientError: when another attempt may succeed.
        """
        try:
            answer = self._exchange.post(
                f"{self._url}/{method}", parts=parts, fields=fields, payload=payload
            )
        except ClosedError:
            raise self.unavailable("the connection to it has been closed here") from None
        if may_lack and answer.status in _LACKING:
            return None
        return self._judge(answer)

    def unavailable(self, cause: str) -> DetectorUnavailableError:
        """The error that says what is wrong with the service, and that nothing is lost."""
        return DetectorUnavailableError(
            f"Detector {self.name} cannot be used: {cause}. Finished videos are kept; "
            "once that is put right, a new start continues after them."
        )

    def _passes(self, check: Callable[[], None]) -> bool:
        try:
            check()
        except TransientError:
            return False
        return True

    def _judge(self, answer: Answer) -> Any:
        status, content = answer.status, answer.content
        if content is None:
            raise self.unavailable("its answer is larger than any of a detector")
        if status == 200:
            try:
                return json.loads(content)
            except ValueError:
                raise TransientError(
                    f"it answers {_looks(content)} where a detector answers JSON; is the address "
                    "that of a serving session or of mouse-ar serve-detector?"
                ) from None
        said = f"HTTP {status}: {_detail(content)}"
        if status in _RETRIED:
            raise TransientError(said, status=status, pause_seconds=_asked_pause(answer))
        if status in {401, 403}:
            raise self.unavailable(f"it does not accept the token ({said})")
        if status in {404, 405, 410} or status < 400:
            to = answer.headers.get("location")
            raise self.unavailable(
                f"there is no detector (any more) at this address ({said}"
                + (f"; it redirects to {public_url(to)})" if to else ")")
            )
        raise DetectorRefusedError(
            f"Detector {self.name} does not take the frames: {said}.", status=status
        )

    def _pause(self, attempt: int, *, at_least: float) -> float:
        jittered = 2.0 ** (attempt - 1) * self._jitter.uniform(0.5, 1.0)
        return min(_MAX_PAUSE_SECONDS, max(jittered, at_least))


def _asked_pause(answer: Answer) -> float:
    """Seconds of Retry-After; a date there is passed over."""
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() else 0.0


def public_url(url: str) -> str:
    """A URL without what opens the session: a password, or the token of ``/net/TOKEN``."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an address that cannot be read"
    where = parts.netloc.rpartition("@")[2]
    path = re.sub(r"/net/[^/]+", "/net/…", parts.path)
    return f"{parts.scheme}://{where}{path}".rstrip("/")


def _host(url: str) -> str:
    """The host of a service's address.

    Raises:
        ValueError: when it is no such address; shows no secrets of it.
    """
    try:
        read = httpx.URL(url)
    except (httpx.InvalidURL, ValueError) as error:
        said = f" ({error})"
    else:
        said = ""
        # httpx takes any number.
        if read.scheme in {"http", "https"} and read.host and (read.port or 0) < 2**16:
            return read.host
    shown = public_url(url) if "://" in url else repr(url)
    raise ValueError(
        f"Expected the address of a detector like http://host:8000, got {shown}{said}."
    ) from None


def _without_secrets(record: logging.LogRecord) -> bool:
    """Of httpx, which logs the URL of every request."""
    if isinstance(record.args, tuple):
        record.args = tuple(
            public_url(str(part)) if isinstance(part, httpx.URL) else part for part in record.args
        )
    return True


def _looks(content: bytes) -> str:
    text = content[:2000].decode("utf-8", errors="replace").strip()
    if not text:
        return "nothing"
    title = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
    if title:
        return f"an HTML page ({title[1].strip()[:80]!r})"
    return "an HTML page" if text.lower().startswith(("<!doctype", "<html")) else f"{text[:80]!r}"


def _detail(content: bytes) -> str:
    """What a service says about an error, in one line."""
    try:
        said = json.loads(content)
    except ValueError:
        return _looks(content)
    if isinstance(said, dict):
        details = said.get("details")
        said = (
            (details.get("message") if isinstance(details, dict) else None)
            or said.get("message")
            or said.get("detail")
            or said.get("error")
            or said
        )
    text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
    return " ".join(text.split())[:300]
