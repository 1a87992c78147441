"""Inference over a project of an instance into a project of predictions.

The pipeline is that of the command line, on mirrors without videos; see
:mod:`mouse_ar.sly.preprocess_project`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from mouse_ar.core.actions import ActionSet
from mouse_ar.data.annotations import PROVENANCE_KEY
from mouse_ar.data.local_project import LocalProject
from mouse_ar.detection.protocol import Detector
from mouse_ar.detection.tracking import DETECT_EVERY
from mouse_ar.pipelines.infer import InferReport, infer
from mouse_ar.pipelines.predictor import Predictor
from mouse_ar.pipelines.results import VideoResult, scores_path
from mouse_ar.report.ethogram import plot_ethograms
from mouse_ar.sly.annotations import write_annotation
from mouse_ar.sly.claims import check_claim, claim
from mouse_ar.sly.lease import Lease, leased
from mouse_ar.sly.media import RemoteMedia, disk_budget
from mouse_ar.sly.mirror import mirror_annotations
from mouse_ar.sly.names import dataset_from_local
from mouse_ar.sly.project import RemoteProject
from mouse_ar.sly.source_tags import tag_source
from mouse_ar.sly.team_files import download_file, list_files
from mouse_ar.sly.team_uploads import upload_file
from mouse_ar.sly.video_upload import copy_video
from mouse_ar.sly.videos import RemoteVideo, set_custom_data

__all__ = ["infer_project", "results_folder"]


Progress = Callable[[str, int, int], None]


def results_folder(target: RemoteProject) -> str:
    """Where the tables, pictures and scores of a predictions project lie in Team Files."""
    return f"/mouse-action-recognition/predictions/{target.id}/"


def infer_project(
    source: RemoteProject,
    target: RemoteProject,
    *,
    team_id: int,
    work: Path,
    predictor: Predictor,
    detector: Detector,
    detect_every: int = DETECT_EVERY,
    datasets: Collection[str] = (),
    tag_source: bool = False,
    batch_size: int = 16,
    progress: Progress | None = None,
) -> InferReport:
    """Annotate the videos of a project in another one with the same datasets.

    Args:
        source: where the videos are; not changed unless ``tag_source``.
        target: where the predictions go. What a reviewer marked ``reviewed`` there stays.
        team_id: whose Team Files keep the scores between runs, the tables and a picture.
        work: folder for the mirrors and results.
        predictor: the model.
        detector: finds the mouse.
        detect_every: frames between detections.
        datasets: those of the source to annotate, in the names of the mirror; all by default.
        tag_source: also put the predictions on the source's videos, under names that end in
            ``(predicted)``.
        batch_size: windows per forward pass.
        progress: called with (what, done, total).

    Raises:
        BusyError: another run writes to the target.
        TransferError: the instance failed; a further run goes on.
        ValueError: the target holds something else.
    """
    tell = progress or (lambda what, done, total: None)
    check_claim(source, target, kind="predictions")
    with leased(target) as lease:
        claim(source, target, kind="predictions")
        target.add_actions_to_meta(confidence=True)
        videos = mirror_annotations(source, work / "input", datasets=datasets, progress=tell)
        mirror_annotations(target, work / "output" / "project", progress=tell)
        publisher = _Publisher(
            source if tag_source else None,
            target,
            work / "output",
            sources=videos,
            team_id=team_id,
            lease=lease,
        )
        publisher.fetch_scores()
        media = RemoteMedia(
            source.connection, videos, budget_bytes=disk_budget(work), progress=tell
        )
        try:
            report = infer(
                work / "input",
                work / "output",
                predictor=predictor,
                detector=detector,
                detect_every=detect_every,
                batch_size=batch_size,
                media=media,
                publish=publisher,
                progress=tell,
            )
        finally:
            media.close()
        _leave_tables(work / "output", report, target, team_id=team_id, actions=predictor.actions)
    return report


def _leave_tables(
    folder: Path,
    report: InferReport,
    target: RemoteProject,
    *,
    team_id: int,
    actions: ActionSet,
) -> None:
    if report.results:
        plot_ethograms(
            folder / "ethogram.png",
            predicted={result.key: result.ethogram for result in report.results},
            actions=actions,
        )
    for name in ("bouts.csv", "summary.csv", "run.json", "ethogram.png"):
        if (folder / name).is_file():
            upload_file(
                target.connection, folder / name, results_folder(target) + name, team_id=team_id
            )


class _Publisher:
    """Brings the result of one video to the target, and removes its local files."""

    def __init__(
        self,
        source: RemoteProject | None,
        target: RemoteProject,
        folder: Path,
        *,
        sources: Mapping[str, RemoteVideo],
        team_id: int,
        lease: Lease,
    ) -> None:
        self._source, self._target, self._folder = source, target, folder
        self._sources, self._team_id, self._lease = sources, team_id, lease

    def fetch_scores(self) -> None:
        """Get the scores of earlier runs for the videos of this one."""
        folder = f"{results_folder(self._target)}scores/"
        listed = list_files(self._target.connection, folder, team_id=self._team_id)
        there = {file.path for file in listed}
        for key in self._sources:
            path = scores_path(self._folder, key)
            remote = self._remote_scores(path)
            if remote in there:
                download_file(self._target.connection, remote, path, team_id=self._team_id)

    def _remote_scores(self, path: Path) -> str:
        return f"{results_folder(self._target)}scores/{path.name}"

    def __call__(self, result: VideoResult) -> None:
        self._lease.check()
        local = LocalProject.open(
            self._folder / "project", actions=self._target.actions, with_files=False
        )
        dataset, name = result.key.rsplit("/", 1)
        entry = local.video(dataset, name)
        annotation = local.read(entry)
        source = self._sources[result.key]
        video = copy_video(
            self._target.connection,
            source,
            dataset_id=self._target.dataset(dataset_from_local(dataset)),
            folder=self._folder,
        )
        write_annotation(self._target, video, annotation, replace=True)
        if self._source is not None:
            tag_source(self._source, source, annotation)
        path = scores_path(self._folder, result.key)
        upload_file(self._target.connection, path, self._remote_scores(path), team_id=self._team_id)
        own = {PROVENANCE_KEY: dict(annotation.provenance)}
        set_custom_data(self._target.connection, video, own)
        entry.video_path.unlink(missing_ok=True)
