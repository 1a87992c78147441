"""Files that runs keep about themselves: manifest, file hashes, lock."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.manifest import Manifest, ManifestError
from mouse_ar.data.files import sha256_of, write_json, write_text
from mouse_ar.data.local_project import LocalProject
from mouse_ar.data.project_layout import dataset_folder
from mouse_ar.data.project_meta import merge_meta

__all__ = ["BusyError", "HashCache", "Store", "refuse_foreign", "refuse_overlap"]

STATE_FOLDER = ".mouse_ar"
# What runs write beside the folders of a project.
_TOP_FILES = (
    *("bins.csv", "bouts.csv", "summary.csv"),
    *("key_id_map.json", "meta.json", "run.json"),
)


class BusyError(RuntimeError):
    """Another run is writing to the same project."""


def refuse_overlap(source: Path, target: Path) -> None:
    """Refuse to write into what is read, or to read from what is written.

    Raises:
        ValueError: one of the two lies inside the other, or they are the same.
    """
    one, other = source.resolve(), target.resolve()
    if other.is_relative_to(one):
        raise ValueError(
            f"The results {target} would lie inside the input {source}: choose another place."
        )
    if one.is_relative_to(other):
        raise ValueError(
            f"The input {source} lies inside the results {target}, which would overwrite it: "
            "choose another place for the results."
        )


def refuse_foreign(project: Path, *, actions: ActionSet, confidence: bool) -> None:
    """Refuse a folder that holds something else, before anything is written or cleared away.

    Raises:
        FileExistsError: the folder is no project and not empty.
        ValueError: it is a project of another kind.
    """
    if (project / "meta.json").is_file():
        # The tags are compared before the state folder is made.
        meta = LocalProject.open(project, actions=actions).meta
        merge_meta(meta, actions=actions, confidence=confidence)
    else:
        LocalProject.create(project, actions=actions, confidence=confidence)


class HashCache:
    """SHA-256 of files, computed once per (path, size, modification time)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, list[object]] = {}
        # A lost or damaged cache only costs time.
        with contextlib.suppress(OSError, ValueError, TypeError):
            self._known = dict(json.loads(path.read_text(encoding="utf-8")))

    def sha256(self, path: Path) -> str:
        """Hash of the file's bytes, hexadecimal."""
        stat = path.stat()
        stamp = [stat.st_size, stat.st_mtime_ns]
        known = self._known.get(str(path))
        if known is not None and known[:2] == stamp:
            return str(known[2])
        digest = sha256_of(path)
        self._known[str(path)] = [*stamp, digest]
        return digest

    def save(self) -> None:
        """Keep what was computed for the next run."""
        write_json(self._path, self._known)


class Store:
    """State folder of a Training Data project, or of the results of inference."""

    def __init__(self, project: Path) -> None:
        self._project = project
        self.folder = project / STATE_FOLDER
        self.manifest_path = project / STATE_FOLDER / "manifest.json"
        self.staging = self.folder / "staging"
        self.hashes = HashCache(self.folder / "hashes.json")

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the project for this run.

        Raises:
            BusyError: another run holds it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            held = FileLock(self.folder / "lock", timeout=0).acquire()
        except Timeout as error:
            raise BusyError(
                f"Another run is writing to {self._project}. Wait for it, or choose another "
                "output; nothing was changed."
            ) from error
        with held:
            yield

    def sweep(
        self, project: LocalProject, *, datasets: Iterable[str], others: Iterable[Path] = ()
    ) -> None:
        """Clear away what a killed run left half-written, only where runs write.

        Args:
            project: the project that is written, while the lock is held.
            datasets: those of its datasets that are ours.
            others: further folders of ours.
        """
        shutil.rmtree(self.staging, ignore_errors=True)
        for root in (self._project, project.path):
            for name in _TOP_FILES:
                (root / f".{name}.tmp").unlink(missing_ok=True)
        folders = [dataset_folder(project.path, name) for name in datasets]
        parts = [folder / part for folder in folders for part in ("ann", "video", "video_info")]
        for folder in (self.folder, *parts, *others):
            for pattern in (".*.tmp", ".*.partial"):
                for path in folder.glob(pattern):
                    path.unlink(missing_ok=True)

    def load(self, rebuild: Callable[[], Manifest]) -> Manifest:
        """The manifest, or what ``rebuild`` recovers where there is none.

        Raises:
            ManifestError: it is damaged; the message names the file.
        """
        if not self.manifest_path.is_file():
            return rebuild()
        try:
            return Manifest.from_json(self.manifest_path.read_text(encoding="utf-8"))
        except (ManifestError, UnicodeDecodeError) as error:
            raise ManifestError(f"{self.manifest_path}: {error}") from error

    def save(self, manifest: Manifest) -> None:
        """Write the manifest atomically."""
        write_text(self.manifest_path, manifest.to_json())
