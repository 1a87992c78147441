"""A plain folder of videos as a project."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mouse_ar.core.actions import ActionSet
from mouse_ar.data.annotations import VideoAnnotation
from mouse_ar.data.files import LinkMode
from mouse_ar.data.local_project import LocalProject
from mouse_ar.data.project_layout import VIDEO_EXTENSIONS, ProjectVideo
from mouse_ar.video.failures import VIDEO_FAILURES
from mouse_ar.video.probe import VideoMeta, probe

__all__ = ["FolderImport", "project_from_folder"]

# Dataset of the videos that lie in the folder itself.
TOP_DATASET = "videos"

# Video, but not in a container that Supervisely takes; worth a word to the user.
_OTHER_VIDEO = frozenset(
    {".asf", ".h264", ".m2ts", ".m4v", ".mjpeg", ".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".y4m"}
)
# The SDK takes folders whose names end like this for a part of a dataset and skips them.
_RESERVED_ENDING = re.compile(r"(ann|video|video_info|metadata|datasets)$")


@dataclass(frozen=True)
class FolderImport:
    """What became of a folder.

    Args:
        project: the project.
        added: videos that are new in it.
        unchanged: videos that were there already.
        failed: files that could not be taken, each with the cause.
    """

    project: LocalProject
    added: tuple[ProjectVideo, ...]
    unchanged: tuple[ProjectVideo, ...]
    failed: tuple[tuple[Path, str], ...]


def project_from_folder(
    videos_dir: Path | str,
    target: Path | str,
    *,
    actions: ActionSet,
    mode: LinkMode = "link",
    read_meta: Callable[[Path], VideoMeta] = probe,
    progress: Callable[[int, int], None] | None = None,
) -> FolderImport:
    """Make a project of all videos below a folder, or add the new ones to it.

    Subfolders become nested datasets. Annotations that the project already has are kept, so it
    may be called again after videos were added. A file that is no readable video is listed and
    the rest goes on.

    Args:
        videos_dir: folder with videos; it is not changed.
        target: folder of the project, outside of ``videos_dir``.
        actions: their names become tags.
        mode: ``link`` (no extra disk space where the file system can) or ``copy``.
        read_meta: gives size and number of frames of a video.
        progress: called with (videos done, videos in all).

    Raises:
        FileNotFoundError: when the folder does not exist or holds no video.
        ValueError: when ``target`` lies inside ``videos_dir``.
    """
    source, root = Path(videos_dir), Path(target)
    if not source.is_dir():
        raise FileNotFoundError(f"{source} is not a folder.")
    if root.resolve().is_relative_to(source.resolve()):
        raise ValueError(
            f"The project {root} would lie inside the videos' folder {source}: "
            "choose another place."
        )
    files, failed = _find_videos(source)
    if not files:
        raise FileNotFoundError(
            f"{source} holds no video: expected files ending in "
            f"{', '.join(sorted(VIDEO_EXTENSIONS))}."
        )
    project = LocalProject.create(root, actions=actions, confidence=None)
    added: list[ProjectVideo] = []
    unchanged: list[ProjectVideo] = []
    for done, path in enumerate(files):
        try:
            video = project.video(dataset_name(path.parent.relative_to(source)), path.name)
            is_new = _add(project, video, path, mode=mode, read_meta=read_meta)
            (added if is_new else unchanged).append(video)
        except VIDEO_FAILURES as error:
            failed.append((path, str(error)))
        if progress is not None:
            progress(done + 1, len(files))
    return FolderImport(
        project=project, added=tuple(added), unchanged=tuple(unchanged), failed=tuple(failed)
    )


def dataset_name(folder: Path) -> str:
    """Dataset of a folder given relative to the top; names reserved by the SDK get a ``_``."""
    parts = [
        f"{part}_" if _RESERVED_ENDING.search(part) else part
        for part in folder.as_posix().split("/")
    ]
    return TOP_DATASET if parts == ["."] else "/".join(parts)


def _find_videos(source: Path) -> tuple[list[Path], list[tuple[Path, str]]]:
    files, failed = [], []
    for path in sorted(source.rglob("*")):
        if not path.is_file() or path.name.startswith("."):
            continue
        suffix = path.suffix.lower()
        if suffix in VIDEO_EXTENSIONS:
            files.append(path)
        elif suffix in _OTHER_VIDEO:
            failed.append(
                (path, f"{suffix} is not taken by Supervisely: rewrap it, for example as .mkv")
            )
    return files, failed


def _add(
    project: LocalProject,
    video: ProjectVideo,
    path: Path,
    *,
    mode: LinkMode,
    read_meta: Callable[[Path], VideoMeta],
) -> bool:
    """Add one video with an empty annotation, unless it is there; whether it was new."""
    if video.ann_path.is_file() and video.video_path.is_file():
        project.add_video(video.dataset, video.name, path, mode=mode)  # other content: an error
        return False
    meta = read_meta(path)
    project.add_video(video.dataset, video.name, path, mode=mode)
    if not video.ann_path.is_file():
        empty = VideoAnnotation(num_frames=meta.num_frames, height=meta.height, width=meta.width)
        project.write(video.dataset, video.name, empty)
    return True
