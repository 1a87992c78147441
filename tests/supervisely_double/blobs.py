"""Contents of files, each stored once under its hash."""

from __future__ import annotations

import base64
import hashlib
import threading
from pathlib import Path
from typing import Any, BinaryIO

from supervisely_double import media
from supervisely_double.clock import new_id

_CHUNK = 1 << 20


class BlobStore:
    """A folder of blobs; hashes are sha256 in base64, as the SDK computes them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._metas: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()

    def put(self, content: bytes | BinaryIO | Path) -> str:
        """Store and return the hash."""
        if isinstance(content, Path):
            with content.open("rb") as stream:
                return self.put(stream)
        digest = hashlib.sha256()
        temporary = self.folder / f".{new_id()}"
        with temporary.open("wb") as out:
            if isinstance(content, bytes):
                digest.update(content)
                out.write(content)
            else:
                while chunk := content.read(_CHUNK):
                    digest.update(chunk)
                    out.write(chunk)
        file_hash = base64.b64encode(digest.digest()).decode()
        temporary.replace(self.path(file_hash))
        return file_hash

    def path(self, file_hash: str) -> Path:
        """Where the blob lies; "/" of base64 cannot be in a name."""
        return self.folder / file_hash.replace("/", "_")

    def __contains__(self, file_hash: str) -> bool:
        return self.path(file_hash).is_file()

    def size(self, file_hash: str) -> int:
        return self.path(file_hash).stat().st_size

    def video_meta(self, file_hash: str) -> dict[str, Any]:
        """``fileMeta``, read once; 400 for what is no video."""
        with self._lock:
            if file_hash not in self._metas:
                self._metas[file_hash] = media.file_meta(self.path(file_hash))
            return self._metas[file_hash]
