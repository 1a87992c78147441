"""Mirrors of an instance's projects, as the pipelines want them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from mouse_ar.data.local_project import LocalProject
from mouse_ar.data.project_layout import list_items
from mouse_ar.sly.mirror_reports import PullReport
from mouse_ar.sly.names import dataset_to_local, name_to_local
from mouse_ar.sly.project import RemoteProject
from mouse_ar.sly.pull import pull
from mouse_ar.sly.videos import RemoteVideo

__all__ = ["Mirror", "lies_in", "mirror_annotations", "mirror_project", "videos_by_key"]

_NEWER = "was added while the project was being read; a further run takes it"

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Mirror:
    """What a mirror without video files was made of.

    Args:
        videos: all that were asked for, by their key in the mirror.
        failures: cause by key of those whose annotation could not be had; the mirror lacks them.
    """

    videos: Mapping[str, RemoteVideo]
    failures: Mapping[str, str]


def mirror_annotations(
    project: RemoteProject,
    folder: Path,
    *,
    datasets: Collection[str] = (),
    progress: Progress,
) -> Mirror:
    """Bring a mirror without video files up to date; the instance has the last word.

    Afterwards it holds the annotations of the videos that were asked for and nothing else: not
    those of other datasets, nor a version that could not be renewed, nor what a killed run left.

    Args:
        project: what to mirror.
        folder: the mirror.
        datasets: only these and what lies in them, in the names of the mirror; all by default.
        progress: called with (what, done, total).
    """
    report = _pull(project, folder, datasets=datasets, annotations_only=True, progress=progress)
    chosen = {key: v for key, v in videos_by_key(project).items() if lies_in(key, datasets)}
    failures = {key: cause for key, cause in report.failures if key in chosen}
    here = _keep_only(project, folder, set(chosen) - set(failures))
    missing = sorted(set(chosen) - here - set(failures))
    return Mirror(chosen, {**failures, **dict.fromkeys(missing, _NEWER)})


def videos_by_key(project: RemoteProject) -> dict[str, RemoteVideo]:
    """All videos of a project, by the key that they have in a mirror."""
    paths = {number: dataset_to_local(path) for path, number in project.datasets().items()}
    return {
        f"{paths[video.dataset_id]}/{name_to_local(video.name)}": video
        for video in project.videos()
    }


def mirror_project(project: RemoteProject, folder: Path, *, progress: Progress) -> PullReport:
    """Bring a mirror with all video files up to date; the instance has the last word."""
    return _pull(project, folder, datasets=(), annotations_only=False, progress=progress)


def _keep_only(project: RemoteProject, folder: Path, keys: Collection[str]) -> set[str]:
    """Remove everything else from a mirror without video files; what is left.

    Runs walk a mirror as a whole.
    """
    local = LocalProject.open(folder, actions=project.actions, with_files=False)
    for item in list_items(folder):
        if item.key not in keys:
            local.remove(item.dataset, item.name)
        else:
            item.video_path.unlink(missing_ok=True)
    return {video.key for video in local.videos()}


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


def lies_in(key: str, datasets: Collection[str]) -> bool:
    """Whether a video is in one of these datasets or below; without any, every video is."""
    dataset = key.rpartition("/")[0]
    return not datasets or any(f"{dataset}/".startswith(f"{chosen}/") for chosen in datasets)
