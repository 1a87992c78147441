"""Videos in, annotated project with tables and per-frame scores out; resumable per video."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from mouse_ar.data.annotations import VideoAnnotation
from mouse_ar.data.files import write_json
from mouse_ar.detection.protocol import Detector
from mouse_ar.detection.tracking import DETECT_EVERY
from mouse_ar.pipelines.infer_run import InferReport, InferRun, Progress
from mouse_ar.pipelines.inputs import InputVideo, find_videos
from mouse_ar.pipelines.media import Media
from mouse_ar.pipelines.predictor import Predictor
from mouse_ar.pipelines.results import (
    VideoResult,
    write_tables,
)
from mouse_ar.pipelines.store import refuse_foreign, refuse_overlap
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
    unreadable: Mapping[str, str] | None = None,
    media: Media | None = None,
    publish: Callable[[VideoResult], VideoAnnotation | None] | None = None,
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
        unreadable: cause by key of videos that are not to be touched in this run, as they or what
            was made of them cannot be read now; they are failures.
        media: where the videos are; where they belong, by default. With it, ``source`` and
            ``output/project`` may be mirrors without video files.
        publish: called with each video's result once its scores and annotation are written; not
            with what a person has reviewed. Gives what a person has made of an earlier prediction
            meanwhile, if they have: that stays and is tabulated.
        progress: called with (what, done, total). What it raises ends the run, which can be
            continued.

    Raises:
        FileNotFoundError: no videos at ``source``.
        FileExistsError: ``output/project`` holds something that is no project.
        BusyError: another run writes to ``output``.
        ValueError: ``source`` and ``output`` lie inside one another, so that results would become
            input or be written over it.
    """
    tell = progress or (lambda what, done, total: None)
    refuse_overlap(source, output)
    report = InferReport(project=output / "project", failures=dict(unreadable or {}))
    videos = _chosen(source, with_files=media is None, without=report.failures)
    run = InferRun(
        output,
        predictor=predictor,
        detector=detector,
        detect_every=detect_every,
        settings={"stride_frames": stride_frames},
        batch_size=batch_size,
        media=media,
        publish=publish or (lambda result: None),
        progress=tell,
    )
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
            tell("annotating", number + 1, len(videos))
        run.store.hashes.save()
        report.tabulated = run.all_results(report)
        write_tables(output, report.tabulated, actions=predictor.actions)
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


def _chosen(source: Path, *, with_files: bool, without: Mapping[str, str]) -> list[InputVideo]:
    try:
        videos = find_videos(source, with_files=with_files)
    except FileNotFoundError:
        if not without:
            raise
        return []  # there are some, of which none can be read
    return [video for video in videos if video.key not in without]
