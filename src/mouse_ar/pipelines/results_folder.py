"""A folder of results, read again: for tables, exports, comparisons and the review.

The annotations of its project and the scores beside them are what counts; the tables are made of
them and are not read. A video keeps the time stamps that it was scored with, so that nothing here
needs the videos themselves as long as their scores are there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.types import ActionScores, Ethogram
from mouse_ar.data.annotations import REVIEWED_TAG
from mouse_ar.data.config_files import load_actions
from mouse_ar.data.local_project import LocalProject
from mouse_ar.data.project_layout import ProjectVideo
from mouse_ar.pipelines.bout_decoding import Decoding
from mouse_ar.pipelines.results import VideoResult, load_scores, scores_path
from mouse_ar.video.failures import VIDEO_FAILURES
from mouse_ar.video.probe import probe

__all__ = ["ResultsFolder", "open_results", "read_result"]


@dataclass(frozen=True)
class ResultsFolder:
    """What a folder of results holds.

    Args:
        path: the folder.
        project: its project of predictions.
        results: its videos by key, with the bouts as they are in the project now.
        decoding: what the bouts were decoded with, where the folder says so.
        failures: cause by key of the videos that could not be read.
    """

    path: Path
    project: LocalProject
    results: Mapping[str, VideoResult]
    decoding: Decoding | None = None
    failures: Mapping[str, str] = field(default_factory=dict)

    @property
    def actions(self) -> ActionSet:
        """What the project was annotated with."""
        return self.project.actions

    @property
    def videos(self) -> list[VideoResult]:
        """The videos, by key."""
        return [self.results[key] for key in sorted(self.results)]

    def video(self, key: str) -> ProjectVideo:
        """A video's place in the project."""
        dataset, name = key.rsplit("/", 1)
        return self.project.video(dataset, name)

    def scores(self, key: str) -> ActionScores:
        """Per-frame scores of a video.

        Raises:
            ValueError: there are none that can be read.
        """
        return load_scores(scores_path(self.path, key))[0]


def open_results(folder: Path, *, actions: ActionSet | None = None) -> ResultsFolder:
    """Read a folder that ``infer`` has written.

    Args:
        folder: the one that holds ``project`` and ``scores``.
        actions: what was annotated; by default what the folder says, or the built-in set.

    Raises:
        FileNotFoundError: it is no such folder.
        ValueError: it has no videos, or one of its own files is damaged.
    """
    if not (folder / "project" / "meta.json").is_file():
        raise FileNotFoundError(
            f"{folder} holds no results: expected the folder that `mouse-ar infer` wrote, with "
            "project/ and scores/ in it."
        )
    decoding = Decoding.of_results(folder)
    actions = actions or (decoding.actions if decoding else load_actions())
    project = LocalProject.open(folder / "project", actions=actions, with_files=False)
    results, failures = {}, {}
    for video in project.videos():
        try:
            results[video.key] = read_result(folder, project, video)
        except VIDEO_FAILURES as error:
            failures[video.key] = str(error)
    if not results and not failures:
        raise ValueError(f"{folder} holds no annotated videos: has `mouse-ar infer` finished?")
    return ResultsFolder(folder, project, results, decoding, failures)


def read_result(folder: Path, project: LocalProject, video: ProjectVideo) -> VideoResult:
    """One annotated video, with the time stamps that belong to it.

    Args:
        folder: of the results.
        project: the project in it.
        video: of the project.

    Raises:
        ValueError: the annotation cannot be used, or neither scores nor video are there.
        VideoError: there are no scores, and the video cannot be read.
    """
    annotation = project.read(video)
    sha256 = annotation.provenance.get("source_sha256")
    fps, timestamps_seconds = _timing(folder, video, sha256=sha256)
    return VideoResult(
        video.key,
        Ethogram(num_frames=len(timestamps_seconds), fps=fps, bouts=annotation.bouts),
        timestamps_seconds,
        reviewed=annotation.has_video_tag(REVIEWED_TAG),
    )


def _timing(
    folder: Path, video: ProjectVideo, *, sha256: str | None
) -> tuple[float, NDArray[np.float64]]:
    """Frames per second and time stamps; reading scores is faster than counting frames."""
    path = scores_path(folder, video.key)
    try:
        scores, timestamps_seconds, header = load_scores(path)
        if sha256 is None or header.get("source_sha256") == sha256:
            return scores.fps, timestamps_seconds
        problem = f"{path} belongs to another video of that name."
    except ValueError as error:
        problem = str(error)
    if not video.video_path.is_file():
        raise ValueError(f"{problem} Run `mouse-ar infer` again.")
    meta = probe(video.video_path)
    return meta.fps, meta.timestamps_seconds
