"""Boxes alone: where the mouse is in every frame of the videos, for review in the labeler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.manifest import slug
from mouse_ar.core.types import Track
from mouse_ar.data.annotations import VideoAnnotation
from mouse_ar.data.local_project import LocalProject
from mouse_ar.detection.protocol import Detector
from mouse_ar.detection.tracking import DETECT_EVERY
from mouse_ar.pipelines.inputs import InputVideo, find_videos
from mouse_ar.pipelines.store import Store, refuse_foreign, refuse_overlap
from mouse_ar.pipelines.tracks import Tracker
from mouse_ar.video.failures import VIDEO_FAILURES
from mouse_ar.video.overlay import write_overlay
from mouse_ar.video.probe import VideoMeta, probe

__all__ = ["DetectReport", "detect"]

Progress = Callable[[str, int, int], None]


@dataclass
class DetectReport:
    """What a run did.

    Args:
        project: the project with the boxes.
        present: share of the frames with a box, by key.
        failures: cause by key.
        warnings: what the user should know.
    """

    project: Path
    present: dict[str, float] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def detect(
    source: Path,
    output: Path,
    *,
    detector: Detector,
    actions: ActionSet,
    detect_every: int = DETECT_EVERY,
    overlay: bool = True,
    progress: Progress | None = None,
) -> DetectReport:
    """Write the mouse's boxes of every video of a project, a folder, or of one file.

    Writes below ``output``: ``project/`` in Supervisely format, with boxes and without tags, and
    ``overlays/*.mp4``. Tracks are kept, so a second run detects only what is new.

    Args:
        source: project, folder or video; never changed.
        output: folder of the results.
        detector: finds the mouse.
        actions: of the project that is written, so that it can be labelled further.
        detect_every: frames between detections.
        overlay: also draw the boxes into copies of the videos.
        progress: called with (what, done, total).

    Raises:
        FileNotFoundError: no videos at ``source``.
        FileExistsError: ``output/project`` holds something that is no project.
        BusyError: another run writes to ``output``.
        ValueError: ``source`` and ``output`` lie inside one another.
    """
    refuse_overlap(source, output)
    videos = find_videos(source)
    report = DetectReport(project=output / "project")
    refuse_foreign(report.project, actions=actions, confidence=False)
    store = Store(output)
    tracker = Tracker(detector=detector, detect_every=detect_every)
    tell = progress or (lambda what, done, total: None)
    with store.lock():
        project = LocalProject.create(report.project, actions=actions)
        store.sweep(project, datasets=project.datasets(), others=(output / "overlays",))
        for number, video in enumerate(videos):
            label = f"{number + 1}/{len(videos)} {video.key}"
            try:
                meta = probe(video.path)
                report.warnings += [f"{video.key}: {text}" for text in meta.warnings]
                sha256 = store.hashes.sha256(video.path)
                track = tracker.track(
                    meta,
                    sha256=sha256,
                    progress=lambda done, total, label=label: tell(  # type: ignore[misc]
                        f"detecting {label}", done, total
                    ),
                )
                _write(project, video, meta, track, store=store, sha256=sha256)
                if overlay:
                    _draw(output, video, meta, track)
            except VIDEO_FAILURES as error:
                report.failures[video.key] = str(error)
                continue
            report.present[video.key] = float(np.mean(track.present_T))
        store.hashes.save()
    return report


def _write(
    project: LocalProject,
    video: InputVideo,
    meta: VideoMeta,
    track: Track,
    *,
    store: Store,
    sha256: str,
) -> None:
    """A video with its boxes; another one that had its name gives way."""
    target = project.video(video.dataset, video.name)
    if target.video_path.exists() and store.hashes.sha256(target.video_path) != sha256:
        project.remove(video.dataset, video.name)
    project.add_video(video.dataset, video.name, video.path)
    annotation = VideoAnnotation(
        num_frames=meta.num_frames, width=meta.width, height=meta.height, bouts=(), track=track
    )
    project.write(
        video.dataset,
        video.name,
        annotation,
        provenance={"kind": "detection", "source_sha256": sha256, "fps": meta.fps},
    )


def _draw(output: Path, video: InputVideo, meta: VideoMeta, track: Track) -> None:
    target = output / "overlays" / f"{slug(video.key)}.mp4"
    write_overlay(meta.path, target, ethograms={}, colors={}, track=track)
