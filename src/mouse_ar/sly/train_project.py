"""Training on a project of an instance: download, train, evaluate, leave the artifacts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.results import Evaluation
from mouse_ar.data.files import write_json
from mouse_ar.data.training_data import VideoRecord, open_training_data
from mouse_ar.detection.background import BackgroundSubtraction
from mouse_ar.detection.tracking import DETECT_EVERY
from mouse_ar.pipelines.evaluate import EvaluatedVideos, evaluate_videos
from mouse_ar.pipelines.model_facts import model_facts
from mouse_ar.pipelines.predictor import load_predictor, pick_device
from mouse_ar.pipelines.tracks import Tracker
from mouse_ar.pipelines.weights import PublicWeights
from mouse_ar.report.evaluation import write_evaluation
from mouse_ar.report.page.html import write_page
from mouse_ar.report.page.sections import report_sections
from mouse_ar.report.page.training import training_section
from mouse_ar.sly.batch import sized
from mouse_ar.sly.errors import TransferError
from mouse_ar.sly.experiments import INFO_NAME, artifacts_folder, write_artifacts
from mouse_ar.sly.mirror import mirror_project
from mouse_ar.sly.mirror_reports import PullReport
from mouse_ar.sly.project import RemoteProject
from mouse_ar.sly.report import REPORT_FOLDER, link_report, write_report
from mouse_ar.sly.team_files import TeamFile, find_file
from mouse_ar.sly.team_uploads import upload_file, upload_folder
from mouse_ar.sly.train_request import TrainRequest
from mouse_ar.sly.train_weights import origin_of, with_local_weights
from mouse_ar.training.launch import TrainingProcess, Workers
from mouse_ar.training.run_folder import read_events

__all__ = ["TrainOutcome", "train_project"]

_POLL_SECONDS = 0.5
_LATEST_SECONDS = 600.0
_MOST_TOLD = 5

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class TrainOutcome:
    """What a training left.

    Args:
        experiment: content of ``experiment_info.json``.
        remote: folder of the artifacts in Team Files.
        report_id: number by which the platform opens the report, if there is one.
        report_link: file in Team Files that opens it.
        page_id: number of ``report.html`` there, the same report to keep.
        metrics: on ``test``.
        warnings: what the user should know.
        stopped: whether it was stopped before its last epoch.
        evaluation: on ``test``; None without test videos.
    """

    experiment: Mapping[str, Any]
    remote: str
    report_id: int | None
    report_link: TeamFile | None
    page_id: int | None
    metrics: Mapping[str, float | None]
    warnings: tuple[str, ...]
    stopped: bool
    evaluation: Evaluation | None = None


def train_project(
    project: RemoteProject,
    request: TrainRequest,
    *,
    work: Path,
    actions: ActionSet,
    team_id: int,
    task_id: int,
    stop: threading.Event,
    on_event: Callable[[dict[str, Any]], None],
    progress: Progress,
    data: Path | None = None,
    public: PublicWeights | None = None,
) -> TrainOutcome:
    """Train on a Training Data project and evaluate on its test videos.

    A run that was interrupted in ``work`` is continued. ``stop`` ends the training with a
    checkpoint, which is evaluated and kept like any other.

    Args:
        project: Training Data.
        request: what to do.
        work: folder of the mirror, the run and the results.
        actions: classes.
        team_id: whose Team Files keep the artifacts.
        task_id: of the app.
        stop: set to end the training early.
        on_event: receives the events of the training.
        progress: called with (what, done, total).
        data: folder of the mirror, where several runs share one; ``work/data`` by default.
        public: weights that ``pretrained`` may name; downloaded where they are not there yet.

    Raises:
        TransferError: the instance failed, or did not give all videos; a further run goes on.
        DownloadError: public weights cannot be had; a further run goes on.
        TrainingFailedError: the training did.
        ValueError: nothing to train on.
    """
    data = work / "data" if data is None else data
    # First what is small and may fail for want of a way to the web.
    config = with_local_weights(
        project, request.config, work, public=public, team_id=team_id, progress=progress
    )
    _refuse_incomplete(project, mirror_project(project, data, progress=progress))
    run = work / "run"
    process = TrainingProcess(
        data, run, config=config, actions=actions, workers=Workers(request.device)
    )
    stopped = _follow(process, stop=stop, on_event=on_event, progress=progress)
    evaluated = _evaluate(
        data,
        run,
        work / "evaluation",
        request,
        actions=actions,
        origin=origin_of(request.config, public),
        progress=progress,
    )
    metrics = _metrics(evaluated)
    remote = request.remote or artifacts_folder(
        project_id=project.id, project_name=project.name, task_id=task_id
    )
    info = write_artifacts(
        work / "artifacts",
        run=run,
        evaluation=None if evaluated is None else work / "evaluation",
        name=request.name,
        remote=remote,
        config=request.config,
        actions=actions,
        project_id=project.id,
        task_id=task_id,
        metrics=metrics,
        app_state=request.app_state,
    )
    upload_folder(
        project.connection,
        work / "artifacts",
        remote,
        team_id=team_id,
        progress=lambda done, total: progress(*sized("uploading artifacts", done, total)),
    )
    page = find_file(project.connection, remote + "report.html", team_id=team_id)
    report = link_report(
        project.connection,
        work / "artifacts" / REPORT_FOLDER,
        f"{remote}{REPORT_FOLDER}/",
        team_id=team_id,
    )
    if report is not None:  # its number is known only now
        info["evaluation_report_id"] = report[0]
        path = work / "artifacts" / INFO_NAME
        write_json(path, info, indent=1)
        upload_file(project.connection, path, remote + INFO_NAME, team_id=team_id)
    return TrainOutcome(
        experiment=info,
        remote=remote,
        report_id=None if report is None else report[0],
        report_link=None if report is None else report[1],
        page_id=None if page is None else page.id,
        metrics=metrics,
        warnings=tuple(_warnings(run, evaluated)),
        stopped=stopped,
        evaluation=None if evaluated is None else evaluated.evaluation,
    )


def _refuse_incomplete(project: RemoteProject, pulled: PullReport) -> None:
    """Two trainings on one project are to be comparable: neither goes without some of it."""
    if not pulled.failures:
        return
    told = [f"{key}: {cause}" for key, cause in pulled.failures[:_MOST_TOLD]]
    if len(pulled.failures) > _MOST_TOLD:
        told.append(f"and {len(pulled.failures) - _MOST_TOLD} more")
    raise TransferError(
        f"downloading {project.title}",
        f"{len(pulled.failures)} of its videos could not be taken: {'; '.join(told)}",
        advice=(
            "nothing is trained on incomplete data: a further run goes on with what is missing; "
            "remove a video from the project if it cannot be had"
        ),
    )


def _follow(
    process: TrainingProcess,
    *,
    stop: threading.Event,
    on_event: Callable[[dict[str, Any]], None],
    progress: Progress,
) -> bool:
    """Mirror a training until it ends; whether it was stopped."""
    total, stopped, asked = 1, False, 0.0
    try:
        while True:
            running = process.running
            for event in process.events():
                on_event(event)
                kind = event["event"]
                if kind == "start":
                    total = max(1, event["epochs"] * event["steps_per_epoch"])
                elif kind == "step":
                    progress("training", event["step"], total)
                stopped = stopped or kind == "stopped"
            if not running:
                if not stopped:
                    process.check()
                return stopped
            if stop.is_set() and not asked:
                asked = time.monotonic()
                process.stop()
            if asked and time.monotonic() - asked > _LATEST_SECONDS:
                process.kill()
            process.wait(_POLL_SECONDS)
    except BaseException:
        process.stop()
        if not process.wait(_LATEST_SECONDS):
            process.kill()
        raise


def _evaluate(
    data: Path,
    run: Path,
    folder: Path,
    request: TrainRequest,
    *,
    actions: ActionSet,
    origin: str,
    progress: Progress,
) -> EvaluatedVideos | None:
    """Evaluate the best checkpoint on ``test``; None where there are no test videos."""
    records = open_training_data(data, actions=actions).test
    if not records:
        return None
    checkpoint = run / "checkpoints" / "best.safetensors"
    predictor = load_predictor(checkpoint, device=pick_device(request.device))
    result = evaluate_videos(
        records, predictor=predictor, tracker=_tracker(records), progress=progress
    )
    write_evaluation(
        folder,
        result,
        records=records,
        actions=actions,
        decoding=predictor.decoder,
    )
    sections = report_sections(
        result,
        records=records,
        actions=actions,
        model=model_facts(checkpoint, predictor),
        facts={"split": "test", "weights at the start": origin},
    )
    sections.append(training_section(list(read_events(run))))
    title = f"Experiment {request.name}"
    write_page(folder / "report.html", sections, title=title)
    write_report(folder / REPORT_FOLDER, sections, title=title)
    return result


def _tracker(records: Sequence[VideoRecord]) -> Tracker | None:
    """Finds the mouse in videos without boxes, such as of the earlier apps; as the command does."""
    if all(record.track.present_T.any() for record in records):
        return None
    return Tracker(detector=BackgroundSubtraction(), detect_every=DETECT_EVERY)


def _metrics(result: EvaluatedVideos | None) -> dict[str, float | None]:
    """What lists of experiments show: macro means, and F1 per action."""
    if result is None:
        return {}
    evaluation = result.evaluation
    found: dict[str, float | None] = {
        "bout F1": evaluation.macro_bout_f1,
        "frame F1": evaluation.macro_frame_f1,
    }
    for action, scores in evaluation.pooled.items():
        found[f"{action}: bout F1"] = scores.bouts.f1
        found[f"{action}: frame F1"] = scores.frames.f1
    return found


def _warnings(run: Path, result: EvaluatedVideos | None) -> list[str]:
    found = [event["text"] for event in read_events(run) if event["event"] == "warning"]
    if result is None:
        found.append("No test videos: nothing tells how good the model is on new ones.")
    else:
        found += [f"{key}: could not be scored: {text}" for key, text in result.failures.items()]
    return list(dict.fromkeys(found))
