"""A Supervisely video project on disk: what "Export to Supervisely format" gives.

Layout: ``meta.json``, ``key_id_map.json`` and per dataset ``video/<name>``,
``ann/<name>.json``, ``video_info/<name>.json``; a dataset inside another lies in
``<parent>/datasets/<child>``. Works without the Supervisely SDK, which opens the same folder.

A video's files are written one by one, each atomically and the annotation last: a video whose
annotation is missing was interrupted and is listed by :meth:`LocalProject.incomplete`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mouse_ar.core.actions import ActionSet
from mouse_ar.data.annotation_json import annotation_to_json, bout_tags, tags_to_json
from mouse_ar.data.annotations import (
    PROVENANCE_KEY,
    ProjectTag,
    VideoAnnotation,
    parse_annotation,
)
from mouse_ar.data.config_files import load_actions
from mouse_ar.data.files import LinkMode, place_file, read_json, write_json
from mouse_ar.data.project_layout import (
    NESTED_DIR,
    VIDEO_EXTENSIONS,
    ProjectVideo,
    dataset_folder,
    list_datasets,
    list_items,
    read_custom_data,
)
from mouse_ar.data.project_meta import merge_meta, value_types, with_tags

__all__ = ["LocalProject", "ProjectVideo"]


class LocalProject:
    """A project folder; see :meth:`open` and :meth:`create`."""

    def __init__(
        self, path: Path, *, actions: ActionSet, meta: Mapping[str, Any], with_files: bool = True
    ) -> None:
        self.path = path
        self.with_files = with_files
        self.actions = actions
        self._meta = dict(meta)

    @classmethod
    def open(
        cls, path: Path | str, *, actions: ActionSet | None = None, with_files: bool = True
    ) -> LocalProject:
        """Open an existing project without changing it.

        Args:
            path: folder with ``meta.json``.
            actions: the actions to look for; the built-in ones by default.
            with_files: False for a mirror of annotations whose video files are elsewhere.

        Raises:
            FileNotFoundError: when the folder is no project; says what to do.
            ValueError: when ``meta.json`` is broken or belongs to another kind of project.
        """
        root = Path(path)
        if not (root / "meta.json").is_file():
            raise FileNotFoundError(f"{root} is no Supervisely project: {_what_is_there(root)}")
        meta = read_json(root / "meta.json")
        if meta.get("projectType", "videos") != "videos":
            raise ValueError(
                f"{root / 'meta.json'}: expected a project of type 'videos', got "
                f"{meta['projectType']!r}."
            )
        return cls(root, actions=actions or load_actions(), meta=meta, with_files=with_files)

    @classmethod
    def create(
        cls,
        path: Path | str,
        *,
        actions: ActionSet,
        confidence: bool | None = False,
        with_files: bool = True,
    ) -> LocalProject:
        """Create a project, or open one and add the tags and the class that it lacks.

        Args:
            path: its folder.
            actions: their names become tags.
            confidence: True where action tags carry a confidence (predictions), False where
                they carry nothing (labels), None to accept what an existing project has.
            with_files: see :meth:`open`.

        Raises:
            FileExistsError: when the folder holds something that is no project.
            ValueError: when existing tags or classes do not fit; see
                :func:`~mouse_ar.data.project_meta.merge_meta`.
        """
        root = Path(path)
        if not (root / "meta.json").is_file():
            if root.exists() and (root.is_file() or _visible_files(root)):
                raise FileExistsError(
                    f"{root} exists and is no Supervisely project (no meta.json). "
                    "Choose a new or empty folder."
                )
            write_json(root / "meta.json", {}, indent=4)
        project = cls.open(root, actions=actions, with_files=with_files)
        project._save_meta(merge_meta(project._meta, actions=actions, confidence=confidence))
        if not (root / "key_id_map.json").exists():
            empty: dict[str, dict[str, int]] = {
                kind: {} for kind in ("tags", "objects", "figures", "videos")
            }
            write_json(root / "key_id_map.json", empty, indent=4)
        return project

    @property
    def meta(self) -> Mapping[str, Any]:
        """Content of ``meta.json``."""
        return self._meta

    def datasets(self) -> list[str]:
        """Names of all datasets, nested ones as ``parent/child``, sorted."""
        return sorted(list_datasets(self.path))

    def videos(self) -> list[ProjectVideo]:
        """Videos that have both their file and an annotation, sorted."""
        return [
            video
            for video in list_items(self.path)
            if video.ann_path.is_file() and (video.video_path.is_file() or not self.with_files)
        ]

    def incomplete(self) -> list[tuple[ProjectVideo, str]]:
        """Videos without an annotation and annotations without a video, each with a text."""
        found = []
        for video in list_items(self.path):
            if not video.ann_path.is_file():
                found.append((video, f"{video.key}: no annotation file {video.ann_path}"))
            elif self.with_files and not video.video_path.is_file():
                found.append((video, f"{video.key}: no video file {video.video_path}"))
        return found

    def video(self, dataset: str, name: str) -> ProjectVideo:
        """The video of that name, whether it exists yet or not.

        Raises:
            ValueError: when a name cannot be a folder or a file of a project.
        """
        parts = dataset.split("/")
        if not all(parts) or not name or "/" in name or {".", "..", NESTED_DIR} & {*parts, name}:
            raise ValueError(
                f"Dataset {dataset!r} and video {name!r} cannot be written: expected names like "
                f"'cohort1/day2' and 'mouse1.mp4', without {NESTED_DIR!r}, '.' or '..'."
            )
        return ProjectVideo(dataset=dataset, name=name, folder=dataset_folder(self.path, dataset))

    def read(self, video: ProjectVideo) -> VideoAnnotation:
        """Read the annotation of a video.

        Raises:
            FileNotFoundError: when there is none.
            ValueError: when it is unusable; the message names the file.
        """
        data = read_json(video.ann_path)
        try:
            return parse_annotation(data, actions=self.actions, custom_data=read_custom_data(video))
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise ValueError(f"{video.ann_path}: {error}") from error

    def add_video(
        self, dataset: str, name: str, source: Path, *, mode: LinkMode = "link"
    ) -> ProjectVideo:
        """Place a video file; :meth:`write` its annotation afterwards to complete it.

        Args:
            dataset: target dataset, nested with "/".
            name: target file name.
            source: existing file; it is never changed.
            mode: ``link`` (hard link where possible, else a copy) or ``copy``.

        Raises:
            FileNotFoundError: when ``source`` is missing.
            FileExistsError: when the name is taken by another video.
            ValueError: for a name that Supervisely does not take for a video.
        """
        video = self.video(dataset, name)
        if video.video_path.suffix.lower() not in VIDEO_EXTENSIONS:
            raise ValueError(
                f"{name}: expected a file ending in one of {', '.join(sorted(VIDEO_EXTENSIONS))}."
            )
        self._make_folders(dataset)
        place_file(source, video.video_path, mode=mode)
        return video

    def write(
        self,
        dataset: str,
        name: str,
        annotation: VideoAnnotation,
        *,
        provenance: Mapping[str, Any] | None = None,
    ) -> ProjectVideo:
        """Write a video's annotation, replacing the one that is there.

        The same annotation gives the same bytes. Provenance goes into the custom data in
        ``video_info``, which the SDK keeps when it copies a project and which corresponds to the
        custom data of a video on the server; other custom data stay as they are.

        Args:
            dataset: dataset of the video.
            name: file name of the video.
            annotation: what to write. Tags that the project does not know are added to it.
            provenance: plain values to store; ``annotation.provenance`` by default.
        """
        video = self.video(dataset, name)
        tags = [*bout_tags(annotation), *annotation.tags, *annotation.video_tags]
        self._save_meta(with_tags(self._meta, tags))
        content = annotation_to_json(
            annotation, video_key=video.key, value_types=value_types(self._meta)
        )
        stored = dict(annotation.provenance if provenance is None else provenance)
        if stored or video.info_path.is_file():
            write_json(video.info_path, _video_info(video, annotation, stored))
        self._make_folders(dataset)
        write_json(video.ann_path, content)
        return video

    def add_tags(
        self, video: ProjectVideo, tags: Iterable[ProjectTag], *, replacing: str | None = None
    ) -> int:
        """Add tags to an existing annotation and leave everything else in the file as it is.

        Args:
            video: of the project.
            tags: to add.
            replacing: name of a tag that is removed first from all frame ranges.

        Returns:
            How many were added; tags with a key that is already there are not added again.
        """
        tags = list(tags)
        merged = merge_meta(self._meta, actions=self.actions)
        self._save_meta(with_tags(merged, tags))
        data = read_json(video.ann_path)
        before = list(data.get("tags") or [])
        present = [t for t in before if t.get("name") != replacing or t.get("frameRange") is None]
        new = tags_to_json(tags, video_key=video.key, value_types=value_types(self._meta))
        after = present + _without(new, present)
        if after != before:
            write_json(video.ann_path, {**data, "tags": after})
        return len(_without(new, before))

    def remove(self, dataset: str, name: str) -> None:
        """Remove a video with all its files, and its dataset when this leaves it empty."""
        video = self.video(dataset, name)
        for path in (
            video.ann_path,
            video.info_path,
            video.exported_custom_data_path,
            video.video_path,
        ):
            path.unlink(missing_ok=True)
        for folder in reversed(self._chain(dataset)):
            if folder.is_dir() and not any(path.is_file() for path in folder.rglob("*")):
                shutil.rmtree(folder)

    def _chain(self, dataset: str) -> list[Path]:
        """Folders of a dataset's ancestors and of itself."""
        parts = dataset.split("/")
        names = ["/".join(parts[: depth + 1]) for depth in range(len(parts))]
        return [dataset_folder(self.path, name) for name in names]

    def _make_folders(self, dataset: str) -> None:
        """Give a dataset and its ancestors the folders without which the SDK refuses them."""
        for folder in self._chain(dataset):
            for part in ("video", "ann"):
                (folder / part).mkdir(parents=True, exist_ok=True)

    def _save_meta(self, meta: Mapping[str, Any]) -> None:
        self._meta = dict(meta)
        write_json(self.path / "meta.json", self._meta, indent=4)


def _video_info(
    video: ProjectVideo, annotation: VideoAnnotation, provenance: Mapping[str, Any]
) -> dict[str, Any]:
    """``video_info`` with our provenance in it and all else unchanged."""
    info = read_json(video.info_path) if video.info_path.is_file() else {}
    custom = {**read_custom_data(video), PROVENANCE_KEY: dict(provenance)}
    return {
        **info,
        "name": video.name,
        "frames_count": annotation.num_frames,
        "frame_width": annotation.width,
        "frame_height": annotation.height,
        "custom_data": custom,
    }


def _without(tags: Iterable[dict[str, Any]], known: Iterable[Mapping[str, Any]]) -> list[Any]:
    """Tags in JSON but for those that are known."""
    keys = {tag.get("key") for tag in known}
    return [tag for tag in tags if tag["key"] not in keys]


def _visible_files(root: Path) -> bool:
    """Whether a folder holds anything but hidden files, which an interrupted start leaves."""
    return any(not path.name.startswith(".") for path in root.iterdir())


def _what_is_there(root: Path) -> str:
    if not root.is_dir():
        return "there is no such folder."
    inner = sorted(p.parent for p in root.glob("*/meta.json"))
    if inner:
        return f"it has no meta.json, but {inner[0]} has; open that folder."
    return (
        "it has no meta.json. Export the project in Supervisely format, or import a plain folder "
        "of videos first."
    )
