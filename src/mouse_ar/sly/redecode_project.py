"""Bouts of a project of predictions made anew from the scores that were kept.

It needs neither the model, nor the detector, nor any video: only annotations and scores move.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from mouse_ar.data.annotations import REVIEWED_TAG, VideoAnnotation
from mouse_ar.data.local_project import LocalProject
from mouse_ar.pipelines.bout_decoding import Decoding
from mouse_ar.pipelines.infer_run import InferReport
from mouse_ar.pipelines.redecode import DecodedAgain, decode_results
from mouse_ar.pipelines.results import VideoResult, scores_path
from mouse_ar.sly.annotations import write_annotation
from mouse_ar.sly.claims import claimed
from mouse_ar.sly.lease import Lease
from mouse_ar.sly.media import failing_alone
from mouse_ar.sly.mirror import Mirror, mirror_annotations, videos_by_key
from mouse_ar.sly.predictions import (
    fetch_run,
    fetch_scores,
    is_copy,
    leave_tables,
    reviewed_version,
    threshold_facts,
)
from mouse_ar.sly.project import RemoteProject
from mouse_ar.sly.source_tags import tag_source as put_on_source

__all__ = ["redecode_project"]

Progress = Callable[[str, int, int], None]


def redecode_project(
    source: RemoteProject,
    target: RemoteProject,
    *,
    team_id: int,
    work: Path,
    decoding: Decoding,
    keys: Collection[str],
    tag_source: bool = False,
    progress: Progress | None = None,
) -> tuple[InferReport, DecodedAgain]:
    """Decode videos of a project of predictions again; tags, tables and page follow.

    Args:
        source: what the predictions were made of; not changed unless ``tag_source``.
        target: the project of predictions. What a reviewer marked ``reviewed`` there stays.
        team_id: whose Team Files keep the scores and the tables.
        work: folder for a mirror.
        decoding: how to decode; of the model that made the scores.
        keys: of the videos to decode, as a mirror names them.
        tag_source: also put the predictions on the source's videos.
        progress: called with (what, done, total).

    Returns:
        What the tables hold, as of a run, and how many bouts there were and are.

    Raises:
        BusyError: another run writes to the target.
        TransferError: the instance failed; a repetition goes on.
        ValueError: the target holds something else.
    """
    tell = progress or (lambda what, done, total: None)
    with claimed(source, target, kind="predictions", confidence=True) as lease:
        made = mirror_annotations(target, work / "project", progress=tell)
        fetch_scores(target, work, made.videos, team_id=team_id, progress=tell)
        fetch_run(target, work, team_id=team_id)
        publisher = _Publisher(
            source if tag_source else None, target, work, mirror=made, lease=lease
        )
        again = decode_results(work, decoding=decoding, keys=keys, publish=publisher, progress=tell)
        report = _report(work / "project", again, made, keys=keys)
        report.warnings += publisher.warnings
        tell("saving", 0, 1)
        leave_tables(
            work,
            report,
            target,
            team_id=team_id,
            actions=decoding.actions,
            facts=_facts(source, work / "project", decoding, keys=keys),
        )
        tell("saving", 1, 1)
    return report, again


def _report(
    project: Path, again: DecodedAgain, made: Mirror, *, keys: Collection[str]
) -> InferReport:
    report = InferReport(project=project, tabulated=again.results)
    report.results = [result for result in again.results if result.key in keys]
    report.resumed = [result.key for result in report.results]
    gone = dict.fromkeys(set(keys) - set(made.videos), "is no longer in the project of predictions")
    unscored = {
        key: "its scores are not in Team Files: a run over the video makes them"
        for key in again.failures
        if not scores_path(project.parent, key).is_file()
    }
    for key, cause in sorted({**gone, **made.failures, **again.failures, **unscored}.items()):
        if key in keys:
            report.failures[key] = cause
        else:
            report.warnings.append(f"{key}: is left out of the tables: {cause}")
    report.warnings += [
        f"{key}: is marked {REVIEWED_TAG!r} in the project of predictions, so its tags there were "
        "left as they are."
        for key in again.reviewed
    ]
    return report


def _facts(
    source: RemoteProject, project: Path, decoding: Decoding, *, keys: Collection[str]
) -> dict[str, object]:
    """How it was made, for the page; the run has left it with each video."""
    local = LocalProject.open(project, actions=decoding.actions, with_files=False)
    videos = [video for video in local.videos() if video.key in keys]
    known = local.read(videos[0]).provenance if videos else {}
    said = {
        "model (SHA-256)": decoding.checkpoint_sha256,
        "detector": known.get("detector"),
        "frames between detections": known.get("detect_every"),
    }
    return {
        "videos": source.title,
        **{name: value for name, value in said.items() if value is not None},
        **threshold_facts(decoding.params),
    }


class _Publisher:
    """Brings the new bouts of one video to the target, and to the source where that is wanted.

    Args:
        source: None where it is not to be tagged.
        target: the project of predictions.
        folder: of the local results.
        mirror: of the target.
        lease: on the target.
    """

    def __init__(
        self,
        source: RemoteProject | None,
        target: RemoteProject,
        folder: Path,
        *,
        mirror: Mirror,
        lease: Lease,
    ) -> None:
        self._source, self._target, self._lease = source, target, lease
        self._folder, self._videos = folder, mirror.videos
        self._sources = videos_by_key(source) if source is not None else {}
        self.warnings: list[str] = []

    def __call__(self, result: VideoResult) -> VideoAnnotation | None:
        """What a person has made of the earlier prediction meanwhile, if they have."""
        self._lease.check()
        local = LocalProject.open(
            self._folder / "project", actions=self._target.actions, with_files=False
        )
        annotation = local.read(local.video(*result.key.rsplit("/", 1)))
        video = self._videos[result.key]
        with failing_alone(self._target.connection, result.key):
            reviewed = reviewed_version(self._target, video)
            if reviewed is None:
                write_annotation(self._target, video, annotation, replace=True)
                self._tag_source(result.key, annotation)
        return reviewed

    def _tag_source(self, key: str, annotation: VideoAnnotation) -> None:
        if self._source is None:
            return
        original = self._sources.get(key)
        if original is None or not is_copy(self._videos[key], original, annotation):
            self.warnings.append(
                f"{key}: is no longer the video that {self._source.title} has in its place, so "
                "nothing was tagged there."
            )
            return
        put_on_source(self._source, original, annotation)
