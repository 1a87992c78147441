"""Downloading one large file over HTTP: resumed, retried, checked, and there whole or not at all.

What has come so far lies beside the target as ``.NAME.partial``, with a note on which version of
the file it belongs to; a further call goes on after it where the server lets it.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import httpx
from filelock import FileLock, Timeout

from mouse_ar import __version__
from mouse_ar.data.answers import DownloadError, RetryableError, check_status, page_of
from mouse_ar.data.disk import NoSpaceError, check_space
from mouse_ar.data.files import sha256_of
from mouse_ar.data.partial_file import PartialFile, Version

__all__ = [
    "ByteProgress",
    "DownloadLimits",
    "Received",
    "download",
]

_PAUSE_STEP_SECONDS = 0.5

# Called with (bytes done, bytes in all); 0 in all where nobody knows.
ByteProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class DownloadLimits:
    """How patient a download is.

    Args:
        attempts: in a row that may fail without a byte more.
        first_pause_seconds: before the second attempt; doubles with every further one.
        longest_pause_seconds: it grows no further, whatever the server asks for.
        connect_seconds: to reach the server.
        read_seconds: without a byte before an attempt is given up.
    """

    attempts: int = 6
    first_pause_seconds: float = 1.0
    longest_pause_seconds: float = 60.0
    connect_seconds: float = 15.0
    read_seconds: float = 60.0


@dataclass(frozen=True)
class Received:
    """A file that has come.

    Args:
        path: where it is.
        size: in bytes.
        sha256: of its bytes, hexadecimal.
    """

    path: Path
    size: int
    sha256: str


def download(
    url: str,
    path: Path,
    *,
    size: int | None = None,
    sha256: str | None = None,
    locate: Callable[[httpx.Client], str] | None = None,
    check: Callable[[Path], object] | None = None,
    progress: ByteProgress | None = None,
    limits: DownloadLimits = DownloadLimits(),
) -> Received:
    """Download a file; it appears under its name only when it is whole and right.

    Args:
        url: address, also for errors.
        path: where to; folders are created.
        size: expected, in bytes, if known.
        sha256: expected, hexadecimal, if known.
        locate: finds the direct address of the file, anew for each attempt; ``url`` by default.
        check: gets the file before it has its name; raises ValueError where its content is
            wrong.
        progress: called with (bytes done, bytes in all or 0); whatever it raises ends the
            download, and a further call goes on.
        limits: patience.

    Raises:
        DownloadError: it did not work; what has come is kept if it can be continued.
        NoSpaceError: the disk is too full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path.with_name(f".{path.name}.lock"), timeout=0):
            transfer = _Transfer(
                url, path, size=size, sha256=sha256, locate=locate, progress=progress, limits=limits
            )
            transfer.run()
            return transfer.finish(check)
    except Timeout as error:
        raise DownloadError(
            f"{path.name} is being downloaded to {path.parent} by another process. Wait until it "
            "is there."
        ) from error


@contextmanager
def _writing_to(path: Path) -> Iterator[None]:
    """Say of a disk that has become full which one it is."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise NoSpaceError(
            f"The disk of {path.parent} is full. Make room; what has come of {path.name} is kept."
        ) from error


class _Transfer:
    """One download; see :func:`download`."""

    def __init__(
        self,
        url: str,
        path: Path,
        *,
        size: int | None,
        sha256: str | None,
        locate: Callable[[httpx.Client], str] | None,
        progress: ByteProgress | None,
        limits: DownloadLimits,
    ) -> None:
        self._url, self._path, self._size, self._sha256 = url, path, size, sha256
        self._locate = locate or (lambda _: url)
        self._tell = progress or (lambda *_: None)
        self._limits = limits
        self._part = PartialFile(path, source=url)

    def run(self) -> None:
        """Fetch all bytes into the partial file, in as many attempts as it takes."""
        failed, best = 0, self._part.size
        timeout = httpx.Timeout(self._limits.read_seconds, connect=self._limits.connect_seconds)
        agent = {"user-agent": f"mouse-ar/{__version__}", "accept-encoding": "identity"}
        with httpx.Client(follow_redirects=True, timeout=timeout, headers=agent) as client:
            while not self._part.complete:
                try:
                    self._attempt(client)
                    return
                except (RetryableError, httpx.TransportError) as error:
                    got = self._part.size
                    failed, best = (1, got) if got > best else (failed + 1, best)
                    if failed >= self._limits.attempts:
                        raise DownloadError(self._given_up(error, failed)) from error
                    self._pause(failed, getattr(error, "pause_seconds", 0.0))
                except (httpx.InvalidURL, httpx.TooManyRedirects) as error:
                    raise DownloadError(f"{self._url}: no usable address ({error}).") from error

    def finish(self, check: Callable[[Path], object] | None) -> Received:
        """Give the file its name, if it is what was expected; else throw it away."""
        part = self._part
        try:
            self._require(part.size, self._size, what="bytes")
            found = sha256_of(part.path)
            self._require(found, self._sha256, what="as SHA-256")
            if check is not None:
                check(part.path)
        except (DownloadError, ValueError):
            part.discard()  # the same bytes would fail again
            raise
        size = part.size
        part.publish()
        return Received(self._path, size, found)

    def _attempt(self, client: httpx.Client) -> None:
        address = self._locate(client)
        start = self._part.resumable_from(checked=self._sha256 is not None)
        headers = self._part.range_headers(start)
        with client.stream("GET", address, headers=headers) as response:
            if response.status_code == 416:
                self._part.discard()
                raise RetryableError("the server has no such part of the file any more")
            page = page_of(response)
            check_status(response, page, url=self._url)
            if page is not None:
                raise DownloadError(
                    f"{self._url}: answered with a web page instead of the file: “{page.quote()}”. "
                    "Open the address in a browser to see what is asked for."
                )
            if address.startswith("https:") and response.url.scheme != "https":
                raise DownloadError(
                    f"{self._url}: led to an address without encryption ({response.url}), where "
                    "anybody could change the file. Nothing was taken."
                )
            self._receive(response, start)

    def _receive(self, response: httpx.Response, start: int) -> None:
        version = Version.of(response)
        if response.status_code == 206 and not self._part.continued_by(response, start, version):
            self._part.discard()
            raise RetryableError("the file has changed since its first part was taken")
        if response.status_code == 200:
            start = 0
        if version.total is not None:
            try:
                self._require(version.total, self._size, what="bytes")
            except DownloadError:
                self._part.discard()
                raise
            what = f"downloading {self._path.name}"
            check_space(self._path.parent, version.total - start, what=what)
        total = version.total or self._size or 0
        with self._part.open(start, version) as out, _writing_to(self._path):
            self._tell(start, total)
            self._copy(response, out, total)
            got = out.tell()
        if version.total is not None and got != version.total:
            raise RetryableError(f"the answer ended after {got} of {version.total} bytes")
        self._part.close(got)

    def _copy(self, response: httpx.Response, out: BinaryIO, total: int) -> None:
        # As it comes: with a chunk size httpx would lose what it gathers when the line is cut.
        for chunk in response.iter_raw():
            out.write(chunk)
            self._tell(out.tell(), total)

    def _require(self, got: object, expected: object, *, what: str) -> None:
        if expected is not None and got != expected:
            raise DownloadError(
                f"{self._url}: expected {expected} {what}, got {got}. The file at this address "
                "is another one than is meant, or was damaged on its way; it was not kept. Try "
                "once more; if it stays so, the address or the expectation is out of date."
            )

    def _given_up(self, error: Exception, failed: int) -> str:
        words = str(error) or type(error).__name__
        kept = self._part.resumable_from(checked=self._sha256 is not None)
        rest = (
            f" {kept / 1e6:.1f} MB are kept; the same command goes on after them." if kept else ""
        )
        return (
            f"{self._url}: {failed} attempts in a row failed, the last: {words}. Check the "
            f"connection and the address.{rest}"
        )

    def _pause(self, failed: int, wanted: float) -> None:
        """Wait before the next attempt; ``progress`` can end it."""
        seconds = max(wanted, self._limits.first_pause_seconds * 2 ** (failed - 1))
        until = time.monotonic() + min(seconds, self._limits.longest_pause_seconds)
        while (left := until - time.monotonic()) > 0:
            self._tell(self._part.size, self._part.total or 0)
            time.sleep(min(left, _PAUSE_STEP_SECONDS))
