"""Synthetic videos as a labelled project on disk."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

from mouse_ar.core.actions import ActionSet
from mouse_ar.data.annotations import VideoAnnotation
from mouse_ar.data.config_files import load_actions
from mouse_ar.data.local_project import LocalProject
from mouse_ar.synthetic.config import SyntheticConfig
from mouse_ar.synthetic.generate import SyntheticVideo, make_video
from mouse_ar.video.writer import VideoWriter

__all__ = ["write_dataset", "write_video"]

# Visible compression, as lab recordings have it.
_CRF = 23


def write_video(video: SyntheticVideo, path: Path, *, crf: int = _CRF) -> None:
    """Write the frames as H.264.

    Args:
        video: what to write.
        path: target file.
        crf: quality of the compression, 1 (best) to 51.
    """
    with VideoWriter(path, width=video.width, height=video.height, fps=video.fps, crf=crf) as out:
        for frame_HWC in video.frames():
            out.write(frame_HWC)


def write_dataset(
    config: SyntheticConfig,
    directory: Path,
    *,
    dataset: str = "synthetic",
    actions: ActionSet | None = None,
    boxes: bool = False,
    processes: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> LocalProject:
    """Write all videos of a config with their labels as a Supervisely project.

    Args:
        config: what to make.
        directory: folder of the project; created, or completed when it is a project.
        dataset: name of the dataset in it.
        actions: the built-in ones by default.
        boxes: also write the true box of the mouse in every frame.
        processes: videos painted at the same time.
        progress: called with (videos done, videos in all).

    Returns:
        The project, opened.
    """
    project = LocalProject.create(directory, actions=actions or load_actions())
    with (
        tempfile.TemporaryDirectory(dir=directory, prefix=".synthetic-") as folder,
        # A fresh interpreter per worker: forking one that has decoded video is not safe.
        ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool,
    ):
        paths = [Path(folder) / f"{index}.mp4" for index in range(config.num_videos)]
        painted = map if processes == 1 else pool.map
        videos = painted(_paint, repeat(config), range(config.num_videos), paths)
        for index, (video, path) in enumerate(zip(videos, paths, strict=True)):
            _add(project, video, path, dataset=dataset, boxes=boxes)
            path.unlink()
            if progress:
                progress(index + 1, config.num_videos)
    return project


def _paint(config: SyntheticConfig, index: int, path: Path) -> SyntheticVideo:
    video = make_video(config, index)
    write_video(video, path)
    return video


def _add(
    project: LocalProject, video: SyntheticVideo, path: Path, *, dataset: str, boxes: bool
) -> None:
    name = f"{video.name}.mp4"
    project.add_video(dataset, name, path)
    annotation = VideoAnnotation(
        num_frames=video.num_frames,
        height=video.height,
        width=video.width,
        bouts=video.ethogram.bouts,
        track=video.track if boxes else None,
    )
    project.write(dataset, name, annotation)
