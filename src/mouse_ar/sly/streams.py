"""Files to and from an instance: every attempt with a stream of its own, every byte checked."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import httpx

from mouse_ar.detection.exchange import TransientError
from mouse_ar.sly.connection import Connection

__all__ = ["download", "hash_of", "partial_path", "upload"]

# Called with the bytes of the file that are done; fewer than before where it starts again.
ByteProgress = Callable[[int], None]

CHECKSUM_HEADER = "x-content-checksum-sha256"
# The server may look through a whole file before it answers.
_SERVER_BYTES_PER_SECOND = 20_000_000


def hash_of(path: Path) -> str:
    """SHA-256 of a file as instances write it: base64."""
    with path.open("rb") as file:
        return base64.b64encode(hashlib.file_digest(file, "sha256").digest()).decode("ascii")


def partial_path(path: Path) -> Path:
    """Where a file is built; hidden, and cleared away by the sweep of a project."""
    return path.with_name(f".{path.name}.partial")


def download(
    connection: Connection,
    endpoint: str,
    payload: Mapping[str, Any],
    path: Path,
    *,
    what: str,
    size: int | None = None,
    hash: str | None = None,
    progress: ByteProgress | None = None,
) -> str:
    """Download a file; it appears under its name only when it is whole and right.

    What an earlier attempt got is kept and continued where the hash is known, since that tells
    whether the parts fit.

    Args:
        connection: to the instance.
        endpoint: that answers with the bytes.
        payload: of the request.
        path: where to.
        what: for errors.
        size: expected size in bytes, if known.
        hash: expected hash as of :func:`hash_of`, if known.
        progress: called with the bytes so far.

    Returns:
        Its hash.

    Raises:
        RefusedError: the instance has no such file for us.
        TransferError: every attempt failed, or gave other bytes than expected.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = partial_path(path)
    tell = progress or (lambda _: None)
    if hash is None or size is None:
        part.unlink(missing_ok=True)

    def got() -> int:
        return part.stat().st_size if part.is_file() else 0

    def attempt() -> str:
        checksum = None
        if size is None or got() < size or not part.is_file():
            checksum = _fetch(connection, endpoint, payload, part, what=what, tell=tell)
        try:
            found = _checked(part, size=size, hashes=(hash, checksum))
        except TransientError:
            part.unlink(missing_ok=True)
            raise
        part.replace(path)
        return found

    def attempt_anew() -> str:
        try:
            return attempt()
        except TransientError:
            if hash is None or size is None:
                part.unlink(missing_ok=True)  # nothing would tell whether the parts fit
            raise

    return connection.retry(attempt_anew, what=what, progress=got)


def _fetch(
    connection: Connection,
    endpoint: str,
    payload: Mapping[str, Any],
    part: Path,
    *,
    what: str,
    tell: ByteProgress,
) -> str | None:
    """Fetch what is missing; the checksum of the whole file if the server tells it."""
    start = part.stat().st_size if part.is_file() else 0
    headers = {"accept-encoding": "identity"} | ({"range": f"bytes={start}-"} if start else {})
    with connection.open(endpoint, what=what, json=dict(payload), headers=headers) as response:
        start = start if _continues(response, start) else 0
        with part.open("ab" if start else "wb") as out:
            tell(start)
            for chunk in connection.chunks(response):
                out.write(chunk)
                tell(out.tell())
        return None if start else response.headers.get(CHECKSUM_HEADER)


def _continues(response: httpx.Response, start: int) -> bool:
    """Whether an answer is the rest of the file from ``start``; else it is the whole file."""
    if response.status_code != 206:
        return False
    found = re.match(r"bytes (\d+)-", response.headers.get("content-range", ""))
    if found is None or int(found[1]) != start:
        raise TransientError(
            f"asked for bytes from {start}, got {response.headers.get('content-range')!r}"
        )
    return True


def _checked(part: Path, *, size: int | None, hashes: tuple[str | None, str | None]) -> str:
    """The hash of a file that was fetched.

    Raises:
        TransientError: it is not what was expected.
    """
    got = part.stat().st_size
    if size is not None and got != size:
        raise TransientError(f"expected {size} bytes, got {got}")
    found = hash_of(part)
    for expected in hashes:
        if expected is not None and found != expected:
            raise TransientError(f"got other bytes: expected hash {expected}, got {found}")
    return found


def upload(
    connection: Connection,
    endpoint: str,
    path: Path,
    *,
    field: str,
    file_name: str,
    mime: str,
    what: str,
    check: Callable[[Any], Any],
    recover: Callable[[], Any] | None = None,
    fields: Mapping[str, str] | None = None,
    params: Mapping[str, Any] | None = None,
    progress: ByteProgress | None = None,
) -> Any:
    """Send one file in a multipart request, from a stream that each attempt opens anew.

    Args:
        connection: to the instance.
        endpoint: that takes it.
        path: the file.
        field: name of its part.
        file_name: name of the file in the request.
        mime: its type.
        what: for errors.
        check: gets the JSON answer; raises TransientError when it is not as expected.
        recover: looks whether a failed attempt arrived nevertheless; see ``Connection.call``.
        fields: text parts before the file.
        params: of the URL.
        progress: called with the bytes sent.

    Returns:
        What ``check`` returns.
    """
    size = path.stat().st_size
    seconds = connection.limits.answer_seconds + size / _SERVER_BYTES_PER_SECOND

    def attempt() -> Any:
        with path.open("rb") as file:
            stream = _Counted(file, connection, progress)
            with connection.open(
                endpoint,
                what=what,
                answer_seconds=seconds,
                params=dict(params or {}),
                data=dict(fields or {}),
                files=[(field, (file_name, stream, mime))],
            ) as response:
                answer = connection.json_of(response)
        return check(answer)

    return connection.retry(attempt, what=what, recover=recover)


class _Counted:
    """A stream that tells how far it has been read."""

    def __init__(
        self, file: BinaryIO, connection: Connection, progress: ByteProgress | None
    ) -> None:
        self._file = file
        self._connection = connection
        self._tell = progress or (lambda _: None)

    def read(self, size: int = -1) -> bytes:
        self._connection.go_on()
        chunk = self._file.read(size)
        self._tell(self._file.tell())
        return chunk

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
