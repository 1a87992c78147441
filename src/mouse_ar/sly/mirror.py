"""Mirrors of an instance's projects, as the pipelines want them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from mouse_ar.sly.mirror_reports import PullReport
from mouse_ar.sly.names import dataset_to_local, name_to_local
from mouse_ar.sly.project import RemoteProject
from mouse_ar.sly.pull import pull
from mouse_ar.sly.videos import RemoteVideo

__all__ = ["mirror_annotations", "mirror_project"]

Progress = Callable[[str, int, int], None]


def mirror_annotations(
    project: RemoteProject,
    folder: Path,
    *,
    datasets: Collection[str] = (),
    progress: Progress,
) -> dict[str, RemoteVideo]:
    """Bring a mirror without video files up to date; the instance has the last word.

    Args:
        project: what to mirror.
        folder: the mirror.
        datasets: only these and what lies in them, in the names of the mirror; all by default.
        progress: called with (what, done, total).

    Returns:
        The videos by their key in the mirror.
    """
    _pull(project, folder, datasets=datasets, annotations_only=True, progress=progress)
    paths = {number: dataset_to_local(path) for path, number in project.datasets().items()}
    videos = {
        f"{paths[video.dataset_id]}/{name_to_local(video.name)}": video
        for video in project.videos()
    }
    return {key: video for key, video in videos.items() if _chosen(key, datasets)}


def mirror_project(project: RemoteProject, folder: Path, *, progress: Progress) -> PullReport:
    """Bring a mirror with all video files up to date; the instance has the last word."""
    return _pull(project, folder, datasets=(), annotations_only=False, progress=progress)


def _pull(
    project: RemoteProject,
    folder: Path,
    *,
    datasets: Collection[str],
    annotations_only: bool,
    progress: Progress,
) -> PullReport:
    return pull(
        project.connection,
        project.id,
        folder,
        actions=project.actions,
        datasets=sorted(datasets) or None,
        annotations_only=annotations_only,
        prune=True,
        overwrite=True,
        progress=progress,
    )


def _chosen(key: str, datasets: Collection[str]) -> bool:
    dataset = key.rpartition("/")[0]
    return not datasets or any(f"{dataset}/".startswith(f"{chosen}/") for chosen in datasets)
