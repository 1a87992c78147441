"""What a local mirror remembers of its project on an instance."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mouse_ar.data.files import read_json, write_json
from mouse_ar.pipelines.store import Store

__all__ = ["Entry", "MirrorState", "digest_of", "mirror_state"]

_SAVE_EVERY = 50


@dataclass(frozen=True)
class Entry:
    """A video as it was last brought in line with the instance.

    Args:
        id: its number there.
        hash: SHA-256 of the file in base64; None where only the annotation was taken.
        link: where it lies, if it is a linked one.
        annotation: SHA-256 of the local annotation file as it was then.
    """

    id: int
    hash: str | None
    link: str | None
    annotation: str


class MirrorState:
    """Which project of which instance a folder mirrors, and what of it is here.

    If the file is lost, only the knowledge goes which of two differing annotations is the newer
    one; such videos are then reported instead of overwritten.
    """

    def __init__(self, store: Store) -> None:
        self._path = store.folder / "mirror.json"
        self.hashes = store.hashes
        data = read_json(self._path) if self._path.is_file() else {}
        self.server: str | None = data.get("server")
        self.project_id: int | None = data.get("project_id")
        self.entries = {key: Entry(**entry) for key, entry in (data.get("videos") or {}).items()}
        self._unsaved = 0

    @property
    def linked(self) -> bool:
        """Whether it is known what the folder mirrors."""
        return self.project_id is not None

    def is_of(self, server: str, project_id: int) -> bool:
        """Whether the folder mirrors this project."""
        return (self.server, self.project_id) == (server, project_id)

    def link(self, server: str, project_id: int) -> None:
        """Remember what the folder mirrors; entries of another project are forgotten."""
        if not self.is_of(server, project_id):
            self.server, self.project_id, self.entries = server, project_id, {}
            self.save()

    def note(self, key: str, entry: Entry) -> None:
        """Remember a video."""
        self.entries[key] = entry
        self._unsaved += 1
        if self._unsaved >= _SAVE_EVERY:
            self.save()

    def save(self) -> None:
        """Write it down."""
        self._unsaved = 0
        videos: Mapping[str, Any] = {k: asdict(e) for k, e in sorted(self.entries.copy().items())}
        data = {"server": self.server, "project_id": self.project_id, "videos": videos}
        write_json(self._path, data, indent=1)
        self.hashes.save()


@contextmanager
def mirror_state(folder: Path) -> Iterator[MirrorState]:
    """The state of a folder, for this run alone; saved in the end whatever happens.

    Raises:
        BusyError: another run works in the folder.
    """
    store = Store(folder)
    with store.lock():
        state = MirrorState(store)
        try:
            yield state
        finally:
            if state.linked:
                state.save()


def digest_of(path: Path) -> str:
    """SHA-256 of a small file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
