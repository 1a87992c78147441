"""A part of a project as a project of its own."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path

from mouse_ar.core.actions import ActionSet
from mouse_ar.data.files import place_file, write_text
from mouse_ar.data.local_project import LocalProject

__all__ = ["write_subset"]


def write_subset(source: Path, target: Path, *, keys: Set[str], actions: ActionSet) -> None:
    """Write a project with some of the videos of another; running it again completes it.

    Video files are hard links where the file system can, annotations are copied as they are.

    Args:
        source: a project.
        target: folder of the new one.
        keys: ``dataset/name`` of the videos that it gets.
        actions: of both.

    Raises:
        FileNotFoundError: no project at ``source``.
        FileExistsError: ``target`` holds another video of the same name.
    """
    project = LocalProject.open(source, actions=actions)
    for name in ("meta.json", "key_id_map.json"):
        if (source / name).is_file():
            write_text(target / name, (source / name).read_text(encoding="utf-8"))
    part = LocalProject.open(target, actions=actions)
    for video in project.videos():
        if video.key not in keys:
            continue
        copy = part.video(video.dataset, video.name)
        place_file(video.video_path, copy.video_path)
        for path, its_copy in (
            (video.info_path, copy.info_path),
            (video.exported_custom_data_path, copy.exported_custom_data_path),
            (video.ann_path, copy.ann_path),
        ):
            if path.is_file():
                write_text(its_copy, path.read_text(encoding="utf-8"))
