"""Videos in, annotated project with tables and per-frame scores out; resumable per video."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from mouse_ar.data.annotations import VideoAnnotation
from mouse_ar.detection.protocol import Detector
from mouse_ar.detection.tracking import DETECT_EVERY
from mouse_ar.pipelines.infer_run import InferReport, InferRun, Progress, VideoTask
from mouse_ar.pipelines.inputs import InputVideo, find_videos
from mouse_ar.pipelines.job import Scored, ScoringJob
from mouse_ar.pipelines.media import Media
from mouse_ar.pipelines.meter import Meter
from mouse_ar.pipelines.predictor import Predictor
from mouse_ar.pipelines.results import (
    VideoResult,
    write_tables,
)
from mouse_ar.pipelines.store import refuse_foreign, refuse_overlap
from mouse_ar.pipelines.workers import Pool, Scorers
from mouse_ar.video.failures import VIDEO_FAILURES

__all__ = ["InferReport", "infer"]


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
    bin_minutes: float | None = None,
    unreadable: Mapping[str, str] | None = None,
    media: Media | None = None,
    publish: Callable[[VideoResult], VideoAnnotation | None] | None = None,
    progress: Progress | None = None,
    meter: Meter | None = None,
    workers: Scorers | None = None,
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
        bin_minutes: length of the time bins of ``bins.csv``, which is written only with it.
        unreadable: cause by key of videos that are not to be touched in this run, as they or what
            was made of them cannot be read now; they are failures.
        media: where the videos are; where they belong, by default. With it, ``source`` and
            ``output/project`` may be mirrors without video files.
        publish: called with each video's result once its scores and annotation are written; not
            with what a person has reviewed. Gives what a person has made of an earlier prediction
            meanwhile, if they have: that stays and is tabulated.
        progress: called with (what, done, total). What it raises ends the run, which can be
            continued.
        meter: counts how fast the run is and what its stages do.
        workers: what does the scoring in place of this process: one process per device, or the
            computers of a cluster.

    Raises:
        FileNotFoundError: no videos at ``source``.
        FileExistsError: ``output/project`` holds something that is no project.
        BusyError: another run writes to ``output``.
        ValueError: ``source`` and ``output`` lie inside one another, so that results would become
            input or be written over it.
    """
    tell, meter = progress or (lambda what, done, total: None), meter or Meter()
    refuse_overlap(source, output)
    report = InferReport(project=output / "project", failures=dict(unreadable or {}))
    videos = _chosen(source, with_files=media is None, without=report.failures)
    run = InferRun(
        output,
        predictor=predictor,
        detector=detector,
        detect_every=detect_every,
        settings={"stride_frames": stride_frames, **_precision(predictor)},
        batch_size=batch_size,
        media=media,
        publish=publish or (lambda result: None),
        progress=tell,
    )
    refuse_foreign(report.project, actions=predictor.actions, confidence=True)
    with run.store.lock():
        run.open_project()
        tasks = _Tasks(run, videos, overlay=overlay, progress=tell, meter=meter)
        engine: Pool
        if workers is None:
            engine = predictor.engine(batch_size=batch_size, meter=meter)
        else:
            engine = workers.pool(detect_every=detect_every, batch_size=batch_size, meter=meter)
        # Fetched videos are on disk one at a time.
        tasks.score_all(engine, at_once=2 if media is None else 1)
        for video in videos:
            report.add(tasks.reports[video.key])
        run.store.hashes.save()
        report.tabulated = run.all_results(report)
        write_tables(output, report.tabulated, actions=predictor.actions, bin_minutes=bin_minutes)
        predictor.decoder.write(
            output,
            checkpoint_sha256=predictor.sha256,
            failures=report.failures,
            warnings=report.warnings,
        )
    return report


class _Tasks:
    """The videos of a run: those of which the model's scores are awaited, and what came of them."""

    def __init__(
        self,
        run: InferRun,
        videos: Sequence[InputVideo],
        *,
        overlay: bool,
        progress: Progress,
        meter: Meter,
    ) -> None:
        self._run, self._videos, self._overlay = run, videos, overlay
        self._tell, self._meter = progress, meter
        self.reports = {video.key: InferReport(run.project.path) for video in videos}
        self._open: dict[str, VideoTask] = {}
        self._done = 0

    def score_all(self, engine: Pool, *, at_once: int) -> None:
        """Run all of them; what is left over is closed, whatever happens."""
        self._meter.expect({video.key: video.path for video in self._videos})
        outcomes = engine.run(self._jobs(), at_once=at_once, progress=self._scored)
        with closing(outcomes):
            try:
                for job, outcome in outcomes:
                    self._go_on(job.key, outcome)
            finally:
                for task in self._open.values():
                    task.close()

    def _jobs(self) -> Iterator[ScoringJob]:
        for video in self._videos:
            rivals = [other.path for other in self._videos if other.key == video.key]
            if len(rivals) > 1:
                self.reports[video.key].failures[video.key] = (
                    f"{' and '.join(map(str, rivals))} would have the same place in the results: "
                    "rename one of the folders."
                )
                continue
            report, label = self.reports[video.key], self._label(video.key)
            self._open[video.key] = self._run.one(video, report, label=label, overlay=self._overlay)
            job = self._go_on(video.key, None)
            if job is not None:
                yield job

    def _go_on(self, key: str, outcome: Scored | Exception | None) -> ScoringJob | None:
        """Let a video's task run to its end, or to what it wants to have scored."""
        task = self._open[key]
        try:
            if isinstance(outcome, Exception):
                return task.throw(outcome)
            return next(task) if outcome is None else task.send(outcome)
        except StopIteration:
            pass
        except VIDEO_FAILURES as error:
            self.reports[key].failures[key] = str(error)
        del self._open[key]
        self._done += 1
        self._meter.finished(key)
        self._tell("annotating", self._done, len(self._videos))
        return None

    def _scored(self, job: ScoringJob, what: str, done: int, total: int) -> None:
        self._tell(f"{what} {self._label(job.key)}", done, total)

    def _label(self, key: str) -> str:
        number = next(n for n, video in enumerate(self._videos, start=1) if video.key == key)
        return f"{number}/{len(self._videos)} {key}"


def _precision(predictor: Predictor) -> dict[str, str]:
    """What results differ by, beside the model; full precision goes without saying."""
    return {} if predictor.precision == "fp32" else {"precision": predictor.precision}


def _chosen(source: Path, *, with_files: bool, without: Mapping[str, str]) -> list[InputVideo]:
    try:
        videos = find_videos(source, with_files=with_files)
    except FileNotFoundError:
        if not without:
            raise
        return []  # there are some, of which none can be read
    return [video for video in videos if video.key not in without]
