"""One run of the Infer app: everything between what was chosen and the project of predictions."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.decoding_params import DecodingParams
from mouse_ar.detection.protocol import Detector
from mouse_ar.mvd import CheckpointError, CheckpointInfo, read_checkpoint_info
from mouse_ar.pipelines.bout_decoding import Decoding
from mouse_ar.pipelines.infer_run import InferReport
from mouse_ar.pipelines.predictor import load_predictor, pick_device
from mouse_ar.pipelines.redecode import DecodedAgain
from mouse_ar.sly.claims import check_claim
from mouse_ar.sly.connection import Connection
from mouse_ar.sly.infer_project import infer_project
from mouse_ar.sly.overview import ProjectOverview, read_overview
from mouse_ar.sly.predictions import results_folder
from mouse_ar.sly.project import RemoteProject
from mouse_ar.sly.redecode_project import redecode_project
from mouse_ar.sly.team_files import TeamFile, download_file, list_files

__all__ = [
    "InferOutcome",
    "InferRequest",
    "earlier_predictions",
    "fetch_checkpoint",
    "infer_task",
    "predictions_name",
    "redecode_task",
]

Progress = Callable[[str, int, int], None]

_SUFFIX = " (predicted)"


@dataclass(frozen=True)
class InferRequest:
    """What to do.

    Args:
        project_id: of the videos.
        name: of the project of predictions, in the same workspace.
        checkpoint: path of the model in Team Files.
        datasets: those to annotate, as mirrors name them; all by default.
        overrides: decoding values by ``action.parameter`` that differ from the fitted ones.
        tag_source: also put the predictions on the source's videos, under other names.
        device: ``cuda:0`` or ``cpu``; what there is by default.
    """

    project_id: int
    name: str
    checkpoint: str
    datasets: tuple[str, ...] = ()
    overrides: Mapping[str, float] = field(default_factory=dict)
    tag_source: bool = False
    device: str | None = None

    def same_results(self, other: InferRequest) -> bool:
        """Whether another request is for the same videos, model and project of predictions."""
        return (self.project_id, self.name, self.checkpoint, set(self.datasets)) == (
            (other.project_id, other.name, other.checkpoint, set(other.datasets))
        )


@dataclass(frozen=True)
class InferOutcome:
    """What came of it.

    Args:
        report: of the pipeline.
        target: the project of predictions.
        decoding: what made bouts of the scores.
        files: tables, picture and page in Team Files, by name.
    """

    report: InferReport
    target: RemoteProject
    decoding: Decoding
    files: Mapping[str, TeamFile]

    @property
    def actions(self) -> ActionSet:
        """What was looked for."""
        return self.decoding.actions


def predictions_name(project: RemoteProject) -> str:
    """How the project of predictions is called unless the user has another idea."""
    return f"{project.name}{_SUFFIX}"


def earlier_predictions(source: RemoteProject, name: str) -> ProjectOverview | None:
    """The project of that name beside the source, if there is one that a run may write to.

    Raises:
        ValueError: it holds something else; says what.
        TransferError: the instance failed.
    """
    if not name.strip():
        raise ValueError("Give the project of predictions a name.")
    if name == source.name:
        raise ValueError(
            f"{source.title} holds the videos: the predictions need a project with another name."
        )
    found = RemoteProject.find(source.connection, name, workspace_id=source.workspace_id)
    if found is None:
        return None
    check_claim(source, found, kind="predictions")
    return read_overview(found)


def fetch_checkpoint(
    connection: Connection,
    path: str,
    folder: Path,
    *,
    team_id: int,
    progress: Progress | None = None,
) -> CheckpointInfo:
    """Download a model, unless it is here already, and read what it says about itself.

    Raises:
        FileNotFoundError: there is no such file in Team Files.
        CheckpointError: it is none of our models; says why, in terms of Team Files.
        TransferError: the instance failed.
    """
    tell = progress or (lambda what, done, total: None)
    target = folder / path.lstrip("/")
    if not target.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{path!r} is no path in Team Files.")
    download_file(
        connection,
        path,
        target,
        team_id=team_id,
        progress=lambda done: tell("loading", done, max(done, 1)),
    )
    try:
        return read_checkpoint_info(target)
    except CheckpointError as error:
        target.unlink(missing_ok=True)
        raise CheckpointError(str(error).replace(str(target), path)) from error


def infer_task(
    request: InferRequest,
    connection: Connection,
    *,
    team_id: int,
    detector: Callable[[], AbstractContextManager[Detector]],
    work: Path,
    progress: Progress,
) -> InferOutcome:
    """Annotate the videos; a second call goes on after what the first has finished.

    All that can be wrong with the request is found before anything is written. The files of the
    run are removed once it has come to its end; those of one that did not are left for the next.

    Args:
        request: what to do.
        connection: to the instance.
        team_id: whose Team Files hold the model and get the tables.
        detector: opens what finds the mouse; what it started for that is stopped in the end.
        work: folder for the files of the run.
        progress: called with (what, done, total).

    Raises:
        ValueError: the request cannot be carried out; says why.
        FileNotFoundError: there is no such checkpoint, or no video.
        DetectorSetupError: there is no such detector, or it does not know the class.
        BusyError: another run writes to the project of predictions.
        TransferError: the instance failed; a further run goes on.
    """
    source = RemoteProject.open(connection, request.project_id)
    _check_videos(source, request)
    earlier_predictions(source, request.name)
    info = fetch_checkpoint(
        connection, request.checkpoint, work / "model", team_id=team_id, progress=progress
    )
    predictor = load_predictor(
        info.path, device=pick_device(request.device), overrides=request.overrides
    )
    source.actions = predictor.actions
    progress("preparing", 0, 1)
    with detector() as opened:
        progress("preparing", 1, 1)
        target = RemoteProject.get_or_create(
            connection,
            request.name,
            workspace_id=source.workspace_id,
            actions=predictor.actions,
        )
        report = infer_project(
            source,
            target,
            team_id=team_id,
            work=work / "run",
            predictor=predictor,
            detector=opened,
            datasets=request.datasets,
            tag_source=request.tag_source,
            progress=progress,
        )
    shutil.rmtree(work / "run", ignore_errors=True)
    return InferOutcome(report, target, predictor.decoder, _files(target, team_id=team_id))


def redecode_task(
    finished: InferOutcome,
    *,
    source_id: int,
    params: DecodingParams,
    tag_source: bool,
    team_id: int,
    work: Path,
    progress: Progress,
) -> tuple[InferOutcome, DecodedAgain]:
    """Make the bouts of a finished run anew, with other parameters.

    Args:
        finished: what came of the run.
        source_id: number of the project of the videos.
        params: how to decode.
        tag_source: also put the predictions on the source's videos, under other names.
        team_id: whose Team Files hold the scores and get the tables.
        work: folder for the files of this; removed at its end.
        progress: called with (what, done, total).

    Raises:
        BusyError: another run writes to the project of predictions.
        TransferError: the instance failed; a repetition goes on.
        ValueError: the project of predictions holds something else by now.
    """
    connection = finished.target.connection
    decoding = replace(finished.decoding, params=params)
    source = RemoteProject.open(connection, source_id, actions=decoding.actions)
    # As it is now: its datasets and tags may have changed since the run.
    target = RemoteProject.open(connection, finished.target.id, actions=decoding.actions)
    try:
        report, again = redecode_project(
            source,
            target,
            team_id=team_id,
            work=work / "again",
            decoding=decoding,
            keys={result.key for result in finished.report.results},
            tag_source=tag_source,
            progress=progress,
        )
    finally:
        shutil.rmtree(work / "again", ignore_errors=True)
    return InferOutcome(report, target, decoding, _files(target, team_id=team_id)), again


def _files(target: RemoteProject, *, team_id: int) -> dict[str, TeamFile]:
    folder = results_folder(target)
    listed = list_files(target.connection, folder, team_id=team_id)
    return {file.path.removeprefix(folder): file for file in listed}


def _check_videos(source: RemoteProject, request: InferRequest) -> None:
    overview = read_overview(source)
    unknown = [name for name in request.datasets if overview.find(name) is None]
    if unknown:
        raise ValueError(f"{source.title} has no dataset {', '.join(map(repr, unknown))}.")
    if not overview.within(request.datasets):
        raise FileNotFoundError(f"{source.title} has no video in the chosen datasets.")
