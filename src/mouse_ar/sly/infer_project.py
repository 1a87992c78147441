"""Inference over a project of an instance into a project of predictions.

The pipeline is that of the command line, on mirrors without videos; see
:mod:`mouse_ar.sly.preprocess_project`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from mouse_ar.data.annotations import (
    PROVENANCE_KEY,
    REVIEWED_TAG,
    ProjectTag,
    VideoAnnotation,
)
from mouse_ar.data.local_project import LocalProject
from mouse_ar.detection.protocol import Detector
from mouse_ar.detection.tracking import DETECT_EVERY
from mouse_ar.pipelines.infer import InferReport, infer
from mouse_ar.pipelines.predictor import Predictor
from mouse_ar.pipelines.results import VideoResult, scores_path
from mouse_ar.sly.annotations import write_annotation
from mouse_ar.sly.claims import claimed
from mouse_ar.sly.lease import Lease
from mouse_ar.sly.link_hashes import KeptLinkHashes
from mouse_ar.sly.media import RemoteMedia, disk_budget, failing_alone
from mouse_ar.sly.mirror import Mirror, mirror_annotations
from mouse_ar.sly.names import dataset_from_local
from mouse_ar.sly.predictions import (
    fetch_scores,
    is_copy,
    leave_tables,
    remote_scores,
    results_folder,
    reviewed_version,
    threshold_facts,
)
from mouse_ar.sly.project import RemoteProject
from mouse_ar.sly.source_tags import tag_source
from mouse_ar.sly.team_uploads import upload_file
from mouse_ar.sly.video_upload import copy_video
from mouse_ar.sly.videos import RemoteVideo, find_video, remove_videos, set_custom_data
from mouse_ar.video.probe import VideoError

__all__ = ["infer_project"]

Progress = Callable[[str, int, int], None]


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
    with claimed(source, target, kind="predictions", confidence=True) as lease:
        # So that a reviewer finds it in the labeler.
        target.add_tags_to_meta([ProjectTag(REVIEWED_TAG)])
        mirror = mirror_annotations(source, work / "input", datasets=datasets, progress=tell)
        videos = mirror.videos
        made = mirror_annotations(
            target,
            work / "output" / "project",
            progress=lambda what, done, total: tell(what, done, total) if total else None,
        )
        links = KeptLinkHashes(
            target.connection,
            f"{results_folder(target)}scores/links.json",
            work / "output" / "links.json",
            team_id=team_id,
        )
        links.fetch()
        publisher = _Publisher(
            source if tag_source else None,
            target,
            work / "output",
            sources=videos,
            team_id=team_id,
            lease=lease,
            links=links,
            progress=tell,
        )
        fetch_scores(
            target,
            work / "output",
            {*videos, *made.videos},
            team_id=team_id,
            progress=tell,
        )
        with RemoteMedia(
            source.connection,
            videos,
            budget_bytes=disk_budget(work),
            links=links,
            progress=tell,
        ) as media:
            report = infer(
                work / "input",
                work / "output",
                predictor=predictor,
                detector=detector,
                detect_every=detect_every,
                batch_size=batch_size,
                unreadable={**mirror.failures, **_untouchable(made)},
                media=media,
                publish=publisher,
                progress=tell,
            )
        tell("saving", 0, 1)
        links.store()
        facts = {
            "videos": source.title,
            "model (SHA-256)": predictor.sha256,
            "detector": detector.fingerprint,
            "frames between detections": detect_every,
            **threshold_facts(predictor.decoding),
        }
        leave_tables(
            work / "output",
            report,
            target,
            team_id=team_id,
            actions=predictor.actions,
            facts=facts,
        )
        tell("saving", 1, 1)
    return report


def _untouchable(made: Mirror) -> dict[str, str]:
    """Videos of the target of which nobody knows whether a person has reviewed them."""
    return {
        key: f"{key}: was left as it is in the project of predictions: its tags there could not be "
        f"read, which may be a reviewer's ({cause})"
        for key, cause in made.failures.items()
    }


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
        links: KeptLinkHashes,
        progress: Progress,
    ) -> None:
        self._progress, self._links = progress, links
        self._source, self._target, self._folder = source, target, folder
        self._sources, self._team_id, self._lease = sources, team_id, lease

    def __call__(self, result: VideoResult) -> VideoAnnotation | None:
        """What a person has made of an earlier prediction during this run, if they have."""
        self._lease.check()
        what = f"uploading {result.key}"
        self._progress(what, 0, 1)
        local = LocalProject.open(
            self._folder / "project", actions=self._target.actions, with_files=False
        )
        dataset, name = result.key.rsplit("/", 1)
        entry = local.video(dataset, name)
        try:
            with failing_alone(self._target.connection, result.key):
                reviewed = self._publish(result.key, local.read(entry), dataset)
        except BaseException:
            # The tables hold what the target holds.
            local.remove(dataset, name)
            raise
        entry.video_path.unlink(missing_ok=True)
        self._links.store()
        self._progress(what, 1, 1)
        return reviewed

    def _publish(
        self, key: str, annotation: VideoAnnotation, dataset: str
    ) -> VideoAnnotation | None:
        connection, source = self._target.connection, self._sources[key]
        dataset_id = self._target.dataset(dataset_from_local(dataset))
        video = find_video(connection, source.name, dataset_id=dataset_id)
        reviewed = None if video is None else reviewed_version(self._target, video)
        if video is not None and not is_copy(video, source, annotation):
            if reviewed is not None:
                raise VideoError(
                    key,
                    f"the tags of another video of that name are marked {REVIEWED_TAG!r} in "
                    f"{self._target.title}. Rename one of the two videos, or remove that tag "
                    "there to have the new video annotated in its place.",
                )
            remove_videos(connection, [video])
            video = None
        path = scores_path(self._folder, key)
        if reviewed is None:
            if video is None:
                video = copy_video(connection, source, dataset_id=dataset_id, folder=self._folder)
            write_annotation(self._target, video, annotation, replace=True)
            if self._source is not None:
                tag_source(self._source, source, annotation)
        upload_file(connection, path, remote_scores(self._target, path), team_id=self._team_id)
        if video is not None and reviewed is None:
            own = {PROVENANCE_KEY: dict(annotation.provenance)}
            set_custom_data(connection, video, own)
        return reviewed
