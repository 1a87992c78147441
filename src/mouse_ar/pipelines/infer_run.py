"""One run of inference: per video scores, bouts, and what is left of them on disk."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.manifest import slug
from mouse_ar.core.types import ActionScores, Ethogram, Track
from mouse_ar.data.annotations import REVIEWED_TAG, VideoAnnotation
from mouse_ar.data.local_project import LocalProject
from mouse_ar.detection.protocol import Detector
from mouse_ar.pipelines.inputs import InputVideo
from mouse_ar.pipelines.job import Scored, ScoringJob
from mouse_ar.pipelines.media import LocalMedia, Media
from mouse_ar.pipelines.partial import LONG_VIDEO_SECONDS, PartialStore
from mouse_ar.pipelines.predictor import Predictor
from mouse_ar.pipelines.results import (
    VideoResult,
    load_scores,
    save_scores,
    scores_path,
)
from mouse_ar.pipelines.results_folder import read_result
from mouse_ar.pipelines.store import Store
from mouse_ar.pipelines.tracks import Tracker
from mouse_ar.video.failures import VIDEO_FAILURES
from mouse_ar.video.overlay import write_overlay
from mouse_ar.video.probe import VideoMeta, probe

__all__ = ["InferReport", "InferRun", "Progress", "VideoTask"]

Progress = Callable[[str, int, int], None]

# Gives the job that its results need, if they need one, and is sent what comes of it.
VideoTask = Generator[ScoringJob, Scored, None]

_NO_MOUSE = "{}: no mouse was found in any frame."


@dataclass
class InferReport:
    """What a run did.

    Args:
        project: the annotated project.
        results: per video of this run, in order of keys.
        resumed: keys whose scores were there from an earlier run.
        failures: cause by key.
        warnings: what the user should know.
        tabulated: per video of the project, those of earlier runs too: what the tables hold.
    """

    project: Path
    results: list[VideoResult] = field(default_factory=list)
    resumed: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    tabulated: list[VideoResult] = field(default_factory=list)

    def add(self, other: InferReport) -> None:
        """Take what another part of the run did."""
        self.results += other.results
        self.resumed += other.resumed
        self.failures |= other.failures
        self.warnings += other.warnings


class InferRun:
    """State of one call of :func:`~mouse_ar.pipelines.infer.infer`."""

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
        publish: Callable[[VideoResult], VideoAnnotation | None],
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
            others=(self._output / "scores", self._output / "overlays", self._partial_folder),
        )

    @property
    def _partial_folder(self) -> Path:
        return self.store.folder / "partial"

    def one(
        self, video: InputVideo, report: InferReport, *, label: str, overlay: bool
    ) -> VideoTask:
        """Score, decode and write one video.

        Yields:
            What is to be scored, unless that has been done before; then takes the result.
        """
        sha256 = self._media.sha256(video.key, video.path)
        if not overlay and not self._with_files and self._again(video, report, sha256=sha256):
            return
        with self._media.opened(video.key, video.path) as path:
            yield from self._one(
                video, probe(path), report, sha256=sha256, label=label, overlay=overlay
            )

    def _one(
        self,
        video: InputVideo,
        meta: VideoMeta,
        report: InferReport,
        *,
        sha256: str,
        label: str,
        overlay: bool,
    ) -> VideoTask:
        report.warnings += [f"{video.key}: {text}" for text in meta.warnings]
        if (warning := self._predictor.fps_warning(meta)) is not None:
            report.warnings.append(warning)
        reviewed = self._reviewed(video, sha256=sha256)
        kept = self._kept_scores(video, sha256=sha256)
        track = self._tracker.known(sha256)
        if kept is None:
            scored = yield self._job(video, meta, track, sha256=sha256)
            track, scores = scored.track, self._keep_scores(video, meta, scored, sha256=sha256)
        else:
            scores = kept[0]
            report.resumed.append(video.key)
            track = track or self._tracker.track(
                meta,
                sha256=sha256,
                progress=lambda done, total: self._progress(f"detecting {label}", done, total),
            )
        if not track.present_T.any():
            report.warnings.append(_NO_MOUSE.format(video.key))
        if reviewed is None:
            ethogram = self._predictor.decode(scores)
            self._write(video, meta, track, ethogram, sha256)
        else:
            ethogram = Ethogram(num_frames=meta.num_frames, fps=meta.fps, bouts=reviewed.bouts)
        if overlay:
            self._overlay(video, meta, track, ethogram, label)
        self._done(video, report, ethogram, meta.timestamps_seconds, reviewed=reviewed is not None)

    def _job(
        self, video: InputVideo, meta: VideoMeta, track: Track | None, *, sha256: str
    ) -> ScoringJob:
        return ScoringJob(
            key=video.key,
            meta=meta,
            spec=self._predictor.spec_for(meta),
            actions=self._predictor.actions,
            track=track,
            finder=None if track else self._tracker.finder(meta, sha256=sha256),
            without_mouse=True,
            stride_frames=self._stride,
            partial=self._partial(video, meta, sha256=sha256),
        )

    def _partial(self, video: InputVideo, meta: VideoMeta, *, sha256: str) -> PartialStore | None:
        if meta.duration_seconds < LONG_VIDEO_SECONDS:
            return None
        header = self._header(video, sha256=sha256)
        return PartialStore(
            self._partial_folder / f"{slug(video.key)}.npz",
            header={**header, "batch_size": self._batch_size},
        )

    def _keep_scores(
        self, video: InputVideo, meta: VideoMeta, scored: Scored, *, sha256: str
    ) -> ActionScores:
        path = scores_path(self._output, video.key)
        save_scores(
            path,
            scored.scores,
            timestamps_seconds=meta.timestamps_seconds,
            header=self._header(video, sha256=sha256),
        )
        if (partial := self._partial(video, meta, sha256=sha256)) is not None:
            partial.clear()
        # What a resumed run would read: both runs decode the same numbers.
        return load_scores(path)[0]

    def _header(self, video: InputVideo, *, sha256: str) -> dict[str, Any]:
        return {"video": video.key, "source_sha256": sha256, **self._made_with}

    def _kept_scores(
        self, video: InputVideo, *, sha256: str
    ) -> tuple[ActionScores, NDArray[np.float64]] | None:
        """Scores of an earlier run and the frames' times, if nothing has changed since."""
        path = scores_path(self._output, video.key)
        if not path.is_file():
            return None
        # A file that cannot be read, or belongs to another model, is made anew.
        try:
            scores, timestamps_seconds, stored = load_scores(path)
        except ValueError:
            return None
        same = stored == self._header(video, sha256=sha256)
        return (scores, timestamps_seconds) if same else None

    def _again(self, video: InputVideo, report: InferReport, *, sha256: str) -> bool:
        """Decode the scores of an earlier run without the video; whether that can be done."""
        kept = self._kept_scores(video, sha256=sha256)
        target = self.project.video(video.dataset, video.name)
        if kept is None or not target.ann_path.is_file():
            return False
        annotation = self.project.read(target)
        if annotation.provenance.get("source_sha256") != sha256:
            return False
        scores, timestamps_seconds = kept
        reviewed = self._reviewed(video, sha256=sha256)
        if reviewed is None:
            ethogram = self._predictor.decode(scores)
            self.project.write(video.dataset, video.name, replace(annotation, bouts=ethogram.bouts))
        else:
            ethogram = Ethogram(len(timestamps_seconds), scores.fps, reviewed.bouts)
        report.resumed.append(video.key)
        if annotation.track is None:
            report.warnings.append(_NO_MOUSE.format(video.key))
        self._done(video, report, ethogram, timestamps_seconds, reviewed=reviewed is not None)
        return True

    def _done(
        self,
        video: InputVideo,
        report: InferReport,
        ethogram: Ethogram,
        timestamps_seconds: NDArray[np.float64],
        *,
        reviewed: bool,
    ) -> None:
        result = VideoResult(video.key, ethogram, timestamps_seconds, reviewed=reviewed)
        if not reviewed and (found := self._publish(result)) is not None:
            result = replace(result, ethogram=replace(ethogram, bouts=found.bouts), reviewed=True)
        if result.reviewed:
            report.warnings.append(
                f"{video.key}: is marked {REVIEWED_TAG!r} in the project of predictions, so its "
                "tags there were left as they are."
            )
        report.results.append(result)

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
                results[video.key] = read_result(self._output, self.project, video)
            except VIDEO_FAILURES as error:
                report.warnings.append(f"{video.key}: is left out of the tables: {error}")
        return [results[key] for key in sorted(results)]

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
