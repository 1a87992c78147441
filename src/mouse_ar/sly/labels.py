"""Annotation tables into the tags of a project on an instance."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.actions import ActionSet
from mouse_ar.data.annotations import ProjectTag, VideoAnnotation
from mouse_ar.data.project_layout import ProjectVideo
from mouse_ar.sly.annotations import read_annotation, write_annotation
from mouse_ar.sly.lease import Lease
from mouse_ar.sly.names import dataset_to_local, name_to_local
from mouse_ar.sly.project import RemoteProject

__all__ = ["LabelTarget"]


@dataclass(frozen=True, eq=False)
class _Timing:
    """Timestamps of a video as the instance knows them."""

    fps: float
    timestamps_seconds: NDArray[np.float64]


class LabelTarget:
    """A project on an instance as :func:`mouse_ar.data.importers.import_annotations` wants one.

    Args:
        project: the project.
        lease: that holds it; nothing is written once it is lost.
    """

    def __init__(self, project: RemoteProject, lease: Lease) -> None:
        self._project, self._lease = project, lease
        paths = {number: dataset_to_local(path) for path, number in project.datasets().items()}
        # Nothing lies there: the paths only name the videos.
        self._videos = {
            ProjectVideo(paths[v.dataset_id], name_to_local(v.name), Path(paths[v.dataset_id])): v
            for v in project.videos()
        }
        self._by_path = {item.video_path: video for item, video in self._videos.items()}

    @property
    def actions(self) -> ActionSet:
        """The actions to look for."""
        return self._project.actions

    def videos(self) -> list[ProjectVideo]:
        """All videos, sorted; names as in a mirror."""
        return sorted(self._videos)

    def read(self, video: ProjectVideo) -> VideoAnnotation:
        """The annotation of a video."""
        remote = self._videos[video]
        return read_annotation(self._project.connection, remote, actions=self.actions)

    def add_tags(self, video: ProjectVideo, tags: Iterable[ProjectTag]) -> int:
        """Add tags and leave everything else as it is; how many were missing.

        Raises:
            BusyError: the project was lost to another run.
        """
        self._lease.check()
        remote = self._videos[video]
        annotation = VideoAnnotation(
            num_frames=remote.frames_count,
            height=remote.frame_height,
            width=remote.frame_width,
            tags=tuple(tags),
        )
        return write_annotation(self._project, remote, annotation).added

    def timing(self, path: Path) -> _Timing:
        """Timestamps of the video of that path, from the instance: nothing is downloaded.

        Raises:
            ValueError: the instance does not know them.
        """
        video = self._by_path[path]
        what = f"reading the times of {video.name}"
        info = self._project.connection.call("videos.info", {"id": video.id}, what=what)
        meta = info.get("fileMeta") or {}
        times = np.asarray(meta.get("framesToTimecodes") or [], dtype=np.float64)
        count, duration = video.frames_count, float(meta.get("duration") or 0)
        if len(times) == count > 1 and times[-1] > times[0]:
            fps = (count - 1) / float(times[-1] - times[0])
        elif count and duration > 0:
            fps = count / duration
            times = np.arange(count, dtype=np.float64) / fps
        else:
            raise ValueError(
                f"{path}: the instance knows neither times nor the length of this video. Give "
                "frames in the table, or pull the project and import into the mirror."
            )
        return _Timing(fps=fps, timestamps_seconds=times)
