"""Videos to work on, from whatever the user points at: a project, a folder, or one file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mouse_ar.data.folder import TOP_DATASET, dataset_name
from mouse_ar.data.local_project import LocalProject
from mouse_ar.data.project_layout import VIDEO_EXTENSIONS

__all__ = ["InputVideo", "find_videos"]


@dataclass(frozen=True)
class InputVideo:
    """One video to annotate."""

    dataset: str
    name: str
    path: Path

    @property
    def key(self) -> str:
        """``dataset/name``."""
        return f"{self.dataset}/{self.name}"


def find_videos(source: Path, *, with_files: bool = True) -> list[InputVideo]:
    """All videos below a path, sorted; folders become datasets.

    Args:
        source: a video, a folder or a project.
        with_files: False for a mirror of a project whose video files are elsewhere.

    Raises:
        FileNotFoundError: nothing there, or no video in it; says what was looked for.
        ValueError: a file that is no video by its name.
    """
    if source.is_file():
        if source.suffix.lower() not in VIDEO_EXTENSIONS:
            raise ValueError(
                f"{source}: expected a file ending in {', '.join(sorted(VIDEO_EXTENSIONS))}."
            )
        return [InputVideo(TOP_DATASET, source.name, source)]
    if not source.is_dir():
        raise FileNotFoundError(f"{source} does not exist. Give a video, a folder or a project.")
    if (source / "meta.json").is_file():
        project = LocalProject.open(source)
        items = project.videos() + [video for video, _ in project.incomplete()]
        found = [InputVideo(v.dataset, v.name, v.video_path) for v in items]
        found = [video for video in found if video.path.is_file() or not with_files]
    else:
        found = [
            InputVideo(dataset_name(path.parent.relative_to(source)), path.name, path)
            for path in source.rglob("*")
            if path.suffix.lower() in VIDEO_EXTENSIONS
            and path.is_file()
            and not any(part.startswith(".") for part in path.relative_to(source).parts)
        ]
    if not found:
        raise FileNotFoundError(
            f"{source} holds no videos: looked for {', '.join(sorted(VIDEO_EXTENSIONS))}."
        )
    return sorted(found, key=lambda video: video.key)
