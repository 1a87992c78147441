"""Boxes alone: where the mouse is in every frame of the videos, for review in the labeler."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
    ``overlays/*.mp4``. A second run does only what is new: boxes of another detector are made anew,
    and what was changed in the project since (in the labeler) is left as it is.

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
    run = _Run(output, detector=detector, detect_every=detect_every, progress=progress)
    with run.store.lock():
        run.open_project(actions)
        for number, video in enumerate(videos):
            label = f"{number + 1}/{len(videos)} {video.key}"
            try:
                run.one(video, report, label=label, overlay=overlay)
            except VIDEO_FAILURES as error:
                report.failures[video.key] = str(error)
        run.store.hashes.save()
    return report


class _Run:
    """State of one call of :func:`detect`."""

    def __init__(
        self, output: Path, *, detector: Detector, detect_every: int, progress: Progress | None
    ) -> None:
        self.store = Store(output)
        self._output = output
        self._progress = progress or (lambda what, done, total: None)
        self._tracker = Tracker(detector=detector, detect_every=detect_every)
        # Asked for here, so that a choice that is missing ends the run, not every video of it.
        self._made_with = {"detector": detector.fingerprint, "detect_every": detect_every}

    def open_project(self, actions: ActionSet) -> None:
        """Open the project of the results, or create it; only while the lock is held."""
        self.project = LocalProject.create(self._output / "project", actions=actions)
        self.store.sweep(
            self.project, datasets=self.project.datasets(), others=(self._output / "overlays",)
        )

    def one(self, video: InputVideo, report: DetectReport, *, label: str, overlay: bool) -> None:
        """Detect and write one video."""
        meta = probe(video.path)
        report.warnings += [f"{video.key}: {text}" for text in meta.warnings]
        sha256 = self.store.hashes.sha256(video.path)
        made_of = {"kind": "detection", "source_sha256": sha256, "fps": meta.fps, **self._made_with}
        drawn = self._output / "overlays" / f"{slug(video.key)}.mp4"
        before = self._earlier(video, sha256=sha256)
        if before is not None and (before.edited or before.made_of == made_of):
            track = before.track
            if before.edited:
                report.warnings.append(
                    f"{video.key}: was changed in {self.project.path} since it was detected, so "
                    "it was left as it is."
                )
        else:
            drawn.unlink(missing_ok=True)
            track = self._tracker.track(
                meta,
                sha256=sha256,
                progress=lambda done, total: self._progress(f"detecting {label}", done, total),
            )
            self._write(video, meta, track, made_of=made_of)
        report.present[video.key] = float(np.mean(track.present_T))
        if overlay and not drawn.exists():
            write_overlay(
                meta.path,
                drawn,
                ethograms={},
                colors={},
                track=track,
                progress=lambda done, total: self._progress(f"drawing {label}", done, total),
            )

    def _earlier(self, video: InputVideo, *, sha256: str) -> _Earlier | None:
        """What an earlier run, and perhaps a person after it, made of a video.

        Raises:
            ValueError: when a person has worked on another video of the same name.
        """
        target = self.project.video(video.dataset, video.name)
        if not (target.ann_path.is_file() and target.video_path.is_file()):
            return None
        annotation = self.project.read(target)
        made_of = dict(annotation.provenance)
        # Without the hash the run was killed before it had finished this video.
        written = made_of.pop("annotation_sha256", None)
        edited = written is not None and written != _sha256(target.ann_path)
        if made_of.get("source_sha256") != sha256:
            if edited:
                raise ValueError(
                    f"{video.path} is not the video that was changed in {self.project.path}: it "
                    "has the same name and other content. Rename it, or remove that one."
                )
            return None
        track = annotation.track or Track.from_boxes(annotation.num_frames, {})
        return _Earlier(track, made_of if written is not None else {}, edited=edited)

    def _write(
        self, video: InputVideo, meta: VideoMeta, track: Track, *, made_of: Mapping[str, Any]
    ) -> None:
        """A video with its boxes; another one that had its name gives way."""
        target = self.project.video(video.dataset, video.name)
        other = made_of["source_sha256"]
        if target.video_path.exists() and self.store.hashes.sha256(target.video_path) != other:
            self.project.remove(video.dataset, video.name)
        self.project.add_video(video.dataset, video.name, video.path)
        annotation = VideoAnnotation(
            num_frames=meta.num_frames, width=meta.width, height=meta.height, bouts=(), track=track
        )
        self.project.write(video.dataset, video.name, annotation, provenance=made_of)
        finished = {**made_of, "annotation_sha256": _sha256(target.ann_path)}
        self.project.write(video.dataset, video.name, annotation, provenance=finished)


@dataclass(frozen=True)
class _Earlier:
    """An earlier result: its track, what it was made of, and whether it was changed since."""

    track: Track
    made_of: Mapping[str, Any]
    edited: bool


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
