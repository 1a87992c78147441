"""A file that has come in part, and of which version of it the part is."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import httpx

from mouse_ar.data.files import read_json, write_json

__all__ = ["PartialFile", "Version"]


@dataclass(frozen=True)
class Version:
    """What a server tells of the state of a file.

    Args:
        etag: its mark, if any.
        modified: when it was changed last, as the server writes it, if told.
        total: size in bytes, if told.
    """

    etag: str | None = None
    modified: str | None = None
    total: int | None = None

    @classmethod
    def of(cls, response: httpx.Response) -> Version:
        """As the headers of an answer with the file, or with its end, tell."""
        length = response.headers.get("content-length", "")
        if response.status_code == 206:
            length = response.headers.get("content-range", "").rpartition("/")[2]
        return cls(
            etag=response.headers.get("etag"),
            modified=response.headers.get("last-modified"),
            total=int(length) if length.isdigit() else None,
        )

    @property
    def validator(self) -> str | None:
        """For ``If-Range``: a weak mark does not promise the same bytes."""
        strong = self.etag if self.etag and not self.etag.startswith("W/") else None
        return strong or self.modified

    def fits(self, other: Version) -> bool:
        """Whether nothing that both tell differs."""
        mine, theirs = asdict(self), asdict(other)
        return all(v is None or theirs[k] is None or v == theirs[k] for k, v in mine.items())


class PartialFile:
    """The part of a file that has come, beside the place of the whole.

    Args:
        path: of the whole.
        source: its address: a part from elsewhere is not continued.
    """

    def __init__(self, path: Path, *, source: str) -> None:
        self._target, self._source = path, source
        self.path = path.with_name(f".{path.name}.partial")
        self._note = path.with_name(f".{path.name}.partial.json")
        self._version = self._read_note()

    @property
    def size(self) -> int:
        """Bytes that have come."""
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def total(self) -> int | None:
        """Bytes in all, if known."""
        return None if self._version is None else self._version.total

    @property
    def complete(self) -> bool:
        """Whether all bytes are there."""
        return self.total is not None and self.path.is_file() and self.size == self.total

    def resumable_from(self, *, checked: bool) -> int:
        """How many bytes can stay.

        Args:
            checked: whether a checksum will tell in the end if the parts fit; else the server
                must have told which version they are of.
        """
        version = self._version
        if version is None or not (checked or version.validator):
            return 0
        size = self.size
        return size if version.total is None or size < version.total else 0

    def range_headers(self, start: int) -> dict[str, str]:
        """Ask for the bytes from ``start`` on, or for the whole file if it has changed."""
        if start == 0:
            return {}
        validator = None if self._version is None else self._version.validator
        condition = {} if validator is None else {"if-range": validator}
        return {"range": f"bytes={start}-", **condition}

    def continued_by(self, response: httpx.Response, start: int, version: Version) -> bool:
        """Whether a partial answer goes on at ``start`` in the same version of the file."""
        found = re.match(r"bytes (\d+)-", response.headers.get("content-range", ""))
        same = self._version is not None and self._version.fits(version)
        return found is not None and int(found[1]) == start and same

    @contextmanager
    def open(self, start: int, version: Version) -> Iterator[BinaryIO]:
        """For writing from ``start`` on: 0 begins anew."""
        with self.path.open("ab" if start else "wb") as out:
            if not start:  # emptied first: no note may stand beside bytes of another version
                self._write_note(version)
            yield out

    def close(self, total: int) -> None:
        """All bytes have come, ``total`` of them."""
        version = self._version or Version()
        self._write_note(Version(version.etag, version.modified, total))

    def publish(self) -> None:
        """Give the file its name."""
        with self.path.open("rb") as file:
            os.fsync(file.fileno())
        self.path.replace(self._target)
        self._note.unlink(missing_ok=True)

    def discard(self) -> None:
        """Throw the part away."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)
        self._version = None

    def _read_note(self) -> Version | None:
        try:
            note: dict[str, Any] = read_json(self._note)
            return Version(**note["version"]) if note["source"] == self._source else None
        except (OSError, ValueError, KeyError, TypeError):
            return None  # without it the part is of no use, which costs time only

    def _write_note(self, version: Version) -> None:
        self._version = version
        write_json(self._note, {"source": self._source, "version": asdict(version)})
