"""Videos in, annotated project with tables and per-frame scores out; resumable per video."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mouse_ar.core.decoding import decode
from mouse_ar.core.manifest import slug
from mouse_ar.core.types import ActionScores, Ethogram, Track
from mouse_ar.data.annotations import REVIEWED_TAG, VideoAnnotation
from mouse_ar.data.files import write_json
from mouse_ar.data.local_project import LocalProject, ProjectVideo
from mouse_ar.detection.protocol import Detector
from mouse_ar.detection.tracking import DETECT_EVERY
from mouse_ar.pipelines.inputs import InputVideo, find_videos
from mouse_ar.pipelines.media import LocalMedia, Media
from mouse_ar.pipelines.predictor import Predictor
from mouse_ar.pipelines.results import (
    VideoResult,
    load_scores,
    save_scores,
    scores_path,
    write_tables,
)
from mouse_ar.pipelines.scoring import score_without_mouse
from mouse_ar.pipelines.store import Store, refuse_foreign, refuse_overlap
from mouse_ar.pipelines.tracks import Tracker
from mouse_ar.video.failures import VIDEO_FAILURES
from mouse_ar.video.overlay import write_overlay
from mouse_ar.video.probe import VideoMeta, probe

__all__ = ["InferReport", "infer"]

Progress = Callable[[str, int, int], None]


@dataclass
class InferReport:
    """What a run did.

    Args:
        project: the annotated project.
        results: per video of this run, in order of keys.
        resumed: keys whose scores were there from an earlier run.
        failures: cause by key.
        warnings: what the user should know.
    """

    project: Path
    results: list[VideoResult] = field(default_factory=list)
    resumed: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def infer(
    source: Path,
    output: Path,
    *,
    predictor: Predictor,
    detector: Detector,
    detect_every: int = DETECT_EVERY,
    stride_frames: int | None = None,
    batch_size: int = 16,
    overlay: bool = False,
    media: Media | None = None,
    publish: Callable[[VideoResult], None] | None = None,
    progress: Progress | None = None,
) -> InferReport:
    """Annotate every video of a project, a folder, or one file.

    Writes below ``output``: ``project/`` (Supervisely format, confidence as tag value),
    ``bouts.csv``, ``summary.csv``, ``scores/*.npz`` and, on request, ``overlays/*.mp4``. A second
    run reuses the scores of videos that have not changed and decodes them again. The tables hold
    every video of the project, those of earlier runs too; what a person has reviewed is left as
    it is and tabulated so.

    Args:
        source: project, folder or video; never changed.
        output: folder of the results.
        predictor: the model.
        detector: finds the mouse.
        detect_every: frames between detections, fewer where the mouse moves fast.
        stride_frames: step between windows; a quarter of the window by default.
        batch_size: windows per forward pass.
        overlay: also draw boxes and bouts into copies of the videos.
        media: where the videos are; where they belong, by default. With it, ``source`` and
            ``output/project`` may be mirrors without video files.
        publish: called with each video's result once its scores and annotation are written; not
            with what a person has reviewed.
        progress: called with (what, done, total). What it raises ends the run, which can be
            continued.

    Raises:
        FileNotFoundError: no videos at ``source``.
        FileExistsError: ``output/project`` holds something that is no project.
        BusyError: another run writes to ``output``.
        ValueError: ``source`` and ``output`` lie inside one another, so that results would become
            input or be written over it.
    """
    refuse_overlap(source, output)
    videos = find_videos(source, with_files=media is None)
    run = _Run(
        output,
        predictor=predictor,
        detector=detector,
        detect_every=detect_every,
        settings={"stride_frames": stride_frames},
        batch_size=batch_size,
        media=media,
        publish=publish or (lambda result: None),
        progress=progress or (lambda what, done, total: None),
    )
    report = InferReport(project=output / "project")
    refuse_foreign(report.project, actions=predictor.actions, confidence=True)
    with run.store.lock():
        run.open_project()
        for number, video in enumerate(videos):
            rivals = [other.path for other in videos if other.key == video.key]
            if len(rivals) > 1:
                report.failures[video.key] = (
                    f"{' and '.join(map(str, rivals))} would have the same place in the results: "
                    "rename one of the folders."
                )
                continue
            try:
                run.one(
                    video, report, label=f"{number + 1}/{len(videos)} {video.key}", overlay=overlay
                )
            except VIDEO_FAILURES as error:
                report.failures[video.key] = str(error)
        run.store.hashes.save()
        write_tables(output, run.all_results(report), actions=predictor.actions)
        write_json(
            output / "run.json",
            {
                "checkpoint_sha256": predictor.sha256,
                "decoding": predictor.decoding.to_dict(),
                "failures": report.failures,
                "warnings": report.warnings,
            },
            indent=1,
        )
    return report


class _Run:
    """State of one call of :func:`infer`."""

    def __init__(
        self,
        output: Path,
        *,
        predictor: Predictor,
        detector: Detector,
        detect_every: int,
        settings: Mapping[str, Any],
        batch_size: int,
        media: Media | None,
        publish: Callable[[VideoResult], None],
        progress: Progress,
    ) -> None:
        self.store = Store(output)
        self._output, self._predictor = output, predictor
        self._batch_size, self._progress = batch_size, progress
        self._with_files, self._publish = media is None, publish
        self._media = media or LocalMedia(self.store.hashes)
        self._stride = settings["stride_frames"]
        self._tracker = Tracker(detector=detector, detect_every=detect_every)
        self._made_with = {
            "checkpoint_sha256": predictor.sha256,
            "detector": detector.fingerprint,
            "detect_every": detect_every,
            **settings,
        }

    def open_project(self) -> None:
        """Open the project of the results, or create it; only while the lock is held."""
        self.project = LocalProject.create(
            self._output / "project",
            actions=self._predictor.actions,
            confidence=True,
            with_files=self._with_files,
        )
        self.store.sweep(
            self.project,
            datasets=self.project.datasets(),
            others=(self._output / "scores", self._output / "overlays"),
        )

    def one(self, video: InputVideo, report: InferReport, *, label: str, overlay: bool) -> None:
        """Score, decode and write one video."""
        sha256 = self._media.sha256(video.key, video.path)
        with self._media.opened(video.key, video.path) as path:
            self._one(video, probe(path), report, sha256=sha256, label=label, overlay=overlay)

    def _one(
        self,
        video: InputVideo,
        meta: VideoMeta,
        report: InferReport,
        *,
        sha256: str,
        label: str,
        overlay: bool,
    ) -> None:
        report.warnings += [f"{video.key}: {text}" for text in meta.warnings]
        if (warning := self._predictor.fps_warning(meta)) is not None:
            report.warnings.append(warning)
        reviewed = self._reviewed(video, sha256=sha256)
        track = self._tracker.track(
            meta,
            sha256=sha256,
            progress=lambda done, total: self._progress(f"detecting {label}", done, total),
        )
        scores, resumed = self._scores(video, meta, track, sha256, label)
        if resumed:
            report.resumed.append(video.key)
        if not track.present_T.any():
            report.warnings.append(f"{video.key}: no mouse was found in any frame.")
        if reviewed is None:
            ethogram = decode(
                scores, actions=self._predictor.actions, params=self._predictor.decoding
            )
            self._write(video, meta, track, ethogram, sha256)
        else:
            ethogram = Ethogram(num_frames=meta.num_frames, fps=meta.fps, bouts=reviewed.bouts)
            report.warnings.append(
                f"{video.key}: is marked {REVIEWED_TAG!r} in {self.project.path}, so its tags "
                "there were left as they are."
            )
        if overlay:
            self._overlay(video, meta, track, ethogram, label)
        result = VideoResult(
            video.key, ethogram, meta.timestamps_seconds, reviewed=reviewed is not None
        )
        if reviewed is None:
            self._publish(result)
        report.results.append(result)

    def _scores(
        self, video: InputVideo, meta: VideoMeta, track: Track, sha256: str, label: str
    ) -> tuple[ActionScores, bool]:
        path = scores_path(self._output, video.key)
        header = {"video": video.key, "source_sha256": sha256, **self._made_with}
        if path.is_file():
            # A file that cannot be read, or belongs to another model, is made anew.
            try:
                scores, _, stored = load_scores(path)
            except ValueError:
                stored = None
            if stored == header:
                return scores, True
        if track.present_T.any():
            fresh = self._predictor.score(
                meta,
                track,
                stride_frames=self._stride,
                batch_size=self._batch_size,
                progress=lambda done, total: self._progress(f"classifying {label}", done, total),
            )
        else:
            fresh = score_without_mouse(meta, actions=self._predictor.actions)
        save_scores(path, fresh, timestamps_seconds=meta.timestamps_seconds, header=header)
        # What a resumed run would read: both runs decode the same numbers.
        return load_scores(path)[0], False

    def _reviewed(self, video: InputVideo, *, sha256: str) -> VideoAnnotation | None:
        """What a person has made of an earlier run's prediction, if they have.

        Raises:
            ValueError: when it belongs to another video of the same name.
        """
        target = self.project.video(video.dataset, video.name)
        if not target.ann_path.is_file():
            return None
        annotation = self.project.read(target)
        if not annotation.has_video_tag(REVIEWED_TAG):
            return None
        if annotation.provenance.get("source_sha256", sha256) != sha256:
            raise ValueError(
                f"{video.path} is not the video whose tags were reviewed in {self.project.path}: "
                "it has the same name and other content. Rename it, or remove the tag "
                f"{REVIEWED_TAG!r} there to have it annotated anew."
            )
        return annotation

    def all_results(self, report: InferReport) -> list[VideoResult]:
        """This run's results and those of earlier runs that are still in the project, by key."""
        results = {result.key: result for result in report.results}
        for video in self.project.videos():
            if video.key in results:
                continue
            try:
                results[video.key] = self._earlier(video)
            except VIDEO_FAILURES as error:
                report.warnings.append(f"{video.key}: is left out of the tables: {error}")
        return [results[key] for key in sorted(results)]

    def _earlier(self, video: ProjectVideo) -> VideoResult:
        annotation = self.project.read(video)
        if video.video_path.is_file():
            meta = probe(video.video_path)
            fps, timestamps_seconds = meta.fps, meta.timestamps_seconds
        else:
            scores, timestamps_seconds, _ = load_scores(scores_path(self._output, video.key))
            fps = scores.fps
        return VideoResult(
            video.key,
            Ethogram(num_frames=len(timestamps_seconds), fps=fps, bouts=annotation.bouts),
            timestamps_seconds,
            reviewed=annotation.has_video_tag(REVIEWED_TAG),
        )

    def _write(
        self, video: InputVideo, meta: VideoMeta, track: Track, ethogram: Ethogram, sha256: str
    ) -> None:
        target = self.project.video(video.dataset, video.name)
        taken = target.video_path.exists()
        if taken and self.store.hashes.sha256(target.video_path) != sha256:
            self.project.remove(video.dataset, video.name)
        self.project.add_video(video.dataset, video.name, meta.path)
        annotation = VideoAnnotation(
            num_frames=meta.num_frames,
            width=meta.width,
            height=meta.height,
            bouts=ethogram.bouts,
            track=track,
        )
        provenance = {"kind": "prediction", "source_sha256": sha256, "fps": meta.fps}
        self.project.write(
            video.dataset, video.name, annotation, provenance={**provenance, **self._made_with}
        )

    def _overlay(
        self, video: InputVideo, meta: VideoMeta, track: Track, ethogram: Ethogram, label: str
    ) -> None:
        write_overlay(
            meta.path,
            self._output / "overlays" / f"{slug(video.key)}.mp4",
            ethograms={"predicted": ethogram},
            track=track,
            colors={a.name: a.color for a in self._predictor.actions.actions},
            progress=lambda done, total: self._progress(f"drawing {label}", done, total),
        )
