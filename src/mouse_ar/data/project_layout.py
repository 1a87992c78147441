"""Where things lie in a Supervisely video project on disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mouse_ar.data.files import read_json

__all__ = [
    "NESTED_DIR",
    "VIDEO_EXTENSIONS",
    "ProjectVideo",
    "dataset_folder",
    "list_datasets",
    "list_items",
    "read_custom_data",
]

# The containers that Supervisely takes for video.
VIDEO_EXTENSIONS = frozenset({".3gp", ".avi", ".flv", ".mkv", ".mov", ".mp4", ".webm", ".wmv"})
# A dataset's children lie in this folder.
NESTED_DIR = "datasets"
# Folders of a dataset that hold no datasets.
_PARTS = frozenset({"ann", "custom_data", "metadata", "video", "video_info"})


@dataclass(frozen=True, order=True)
class ProjectVideo:
    """One video of a project.

    Args:
        dataset: its dataset, e.g. ``cohort1/day2``.
        name: file name.
        folder: folder of the dataset.
    """

    dataset: str
    name: str
    folder: Path

    @property
    def key(self) -> str:
        """Dataset and name: identifies the video within its project."""
        return f"{self.dataset}/{self.name}"

    @property
    def video_path(self) -> Path:
        """The video file."""
        return self.folder / "video" / self.name

    @property
    def ann_path(self) -> Path:
        """The annotation."""
        return self.folder / "ann" / f"{self.name}.json"

    @property
    def info_path(self) -> Path:
        """What the server knows of the video, with its custom data."""
        return self.folder / "video_info" / f"{self.name}.json"

    @property
    def exported_custom_data_path(self) -> Path:
        """Where exports that include custom data put it instead."""
        return self.folder / "custom_data" / f"{self.name}.json"


def dataset_folder(root: Path, dataset: str) -> Path:
    """Folder of a dataset, whether it exists or not.

    Children lie in ``datasets`` of their parent; copies made by the SDK put them directly into
    it, and such a folder is used where it exists.
    """
    folder = root
    for depth, part in enumerate(dataset.split("/")):
        regular = folder / NESTED_DIR / part if depth else folder / part
        folder = folder / part if not regular.is_dir() and (folder / part).is_dir() else regular
    return folder


def list_datasets(folder: Path, *, prefix: str = "") -> Iterator[str]:
    """Names of all datasets below a project folder, nested ones as ``parent/child``."""
    for child in folder.iterdir():
        if not child.is_dir() or child.name.startswith(".") or child.name in _PARTS:
            continue
        if child.name == NESTED_DIR:
            if prefix:
                yield from list_datasets(child, prefix=prefix)
            continue
        if (child / "video").is_dir() or (child / "ann").is_dir():
            yield f"{prefix}{child.name}"
        yield from list_datasets(child, prefix=f"{prefix}{child.name}/")


def list_items(root: Path) -> list[ProjectVideo]:
    """Every video that has a video file or an annotation, sorted."""
    items = set()
    for dataset in list_datasets(root):
        folder = dataset_folder(root, dataset)
        names = {
            path.name
            for path in _files(folder / "video")
            if path.suffix.lower() in VIDEO_EXTENSIONS
        }
        names |= {path.stem for path in _files(folder / "ann") if path.suffix == ".json"}
        items |= {ProjectVideo(dataset=dataset, name=name, folder=folder) for name in names}
    return sorted(items)


def _files(folder: Path) -> list[Path]:
    """Files of a folder, without hidden and half-written ones."""
    if not folder.is_dir():
        return []
    return [p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")]


def read_custom_data(video: ProjectVideo) -> dict[str, Any]:
    """Custom data of a video, from either of the two places where exports leave it."""
    for path, key in ((video.info_path, "custom_data"), (video.exported_custom_data_path, None)):
        if path.is_file():
            content = read_json(path)
            data = content.get(key) if key else content
            if isinstance(data, dict) and data:
                return data
    return {}
