"""Preprocessing of a project of an instance into another one.

The pipeline is that of the command line. It works on mirrors that hold the annotations of both
projects and no videos: a source video is fetched when its turn comes, what was made of it is
uploaded, and both files are removed again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.manifest import Item, Manifest, slug
from mouse_ar.core.splitting import Split
from mouse_ar.data.annotations import PROVENANCE_KEY
from mouse_ar.data.local_project import LocalProject
from mouse_ar.detection.protocol import Detector
from mouse_ar.pipelines.config import PreprocessConfig
from mouse_ar.pipelines.preprocess import PreprocessReport, preprocess
from mouse_ar.pipelines.store import Store
from mouse_ar.sly.annotations import write_annotation
from mouse_ar.sly.claims import claimed
from mouse_ar.sly.known_facts import KeptFacts
from mouse_ar.sly.lab_actions import ACTIONS_FIELD
from mouse_ar.sly.lease import Lease
from mouse_ar.sly.link_hashes import KeptLinkHashes
from mouse_ar.sly.media import RemoteMedia, disk_budget, failing_alone
from mouse_ar.sly.mirror import Mirror, mirror_annotations
from mouse_ar.sly.project import RemoteProject
from mouse_ar.sly.team_files import download_file, find_file
from mouse_ar.sly.team_uploads import upload_file
from mouse_ar.sly.video_upload import copy_video, upload_video
from mouse_ar.sly.videos import RemoteVideo, remove_videos, set_custom_data

__all__ = ["manifest_path", "preprocess_project", "with_lost_pending"]

STATE_FOLDER = "/mouse-action-recognition/preprocess"

Progress = Callable[[str, int, int], None]
Kept = TypeVar("Kept")


def preprocess_project(
    source: RemoteProject,
    target: RemoteProject,
    *,
    team_id: int,
    work: Path,
    actions: ActionSet,
    config: PreprocessConfig,
    detector: Detector,
    datasets: Collection[str] = (),
    splits: Mapping[str, Split] | None = None,
    remove_deleted: bool = False,
    progress: Progress | None = None,
) -> PreprocessReport:
    """Bring a Training Data project up to date with its source, which is never changed.

    Args:
        source: the Input Project.
        target: Training Data.
        team_id: whose Team Files keep the manifest between runs.
        work: folder for the mirrors.
        actions: classes.
        config: settings.
        detector: finds the mouse.
        datasets: those of the source to look at, in the names of the mirror; all by default.
        splits: wanted split of a video by key.
        remove_deleted: remove what was made of videos that are gone; not with ``datasets``.
        progress: called with (what, done, total).

    Raises:
        BusyError: another run writes to the target.
        TransferError: the instance failed; a further run goes on.
        ValueError: the target holds something else.
    """
    tell = progress or (lambda what, done, total: None)
    with claimed(source, target, kind="training-data", confidence=False) as lease:
        # Train takes them from here: they decide on datasets and on the model's classes.
        kept = {ACTIONS_FIELD: actions.to_dict()}
        target.change_own_data(lambda data: {**data, **kept})
        mirror = mirror_annotations(source, work / "input", datasets=datasets, progress=tell)
        videos = mirror.videos
        made = mirror_annotations(target, work / "data", progress=tell)
        state = _ManifestFile(target, Store(work / "data"), team_id)
        state.fetch(made.videos)
        publisher = _Publisher(target, work / "data", sources=videos, made=made.videos, lease=lease)
        with RemoteMedia(
            source.connection,
            videos,
            budget_bytes=disk_budget(work),
            links=state.links,
            known=state.facts,
            progress=tell,
        ) as media:
            report = preprocess(
                work / "input",
                work / "data",
                actions=actions,
                config=config,
                detector=detector,
                splits=splits,
                remove_deleted=remove_deleted and not datasets,
                unreadable={**mirror.failures, **_untouchable(made)},
                media=media,
                publish=publisher,
                keep=state.store,
                progress=tell,
            )
        state.links.store()
    if datasets:  # the others were not looked at
        report.gone = []
    return report


def _untouchable(made: Mirror) -> dict[str, str]:
    """Sources of items that cannot be read, by which it is known what was made of them."""
    return {
        _source_of(made.videos[key]) or key: f"{key} in Training Data could not be read: {cause}"
        for key, cause in made.failures.items()
    }


def _source_of(item: RemoteVideo) -> str | None:
    """Key of the video that an item was made of, as its provenance tells."""
    entry = (item.custom_data.get(PROVENANCE_KEY) or {}).get("entry") or {}
    return entry.get("key")


def manifest_path(target: RemoteProject) -> str:
    """Where in Team Files it is kept what was made of which video."""
    return f"{STATE_FOLDER}/{target.id}/manifest.json"


def with_lost_pending(manifest: Manifest, made: Mapping[str, RemoteVideo]) -> Manifest:
    """A manifest in which what the target holds no more, or not all of it, is to be made again.

    Args:
        manifest: as an earlier run left it.
        made: the videos of the target, by key.
    """
    whole = {key for key, video in made.items() if _source_of(video)}
    for entry in manifest.entries.values():
        if entry.done and not {f"{item.dataset}/{item.name}" for item in entry.items} <= whole:
            manifest = manifest.with_entry(replace(entry, done=False, finished_at=None))
    return manifest


@dataclass(frozen=True)
class _ManifestFile:
    """The manifest of a target, in Team Files; without it, it is rebuilt from the target."""

    target: RemoteProject
    local: Store
    team_id: int

    @property
    def path(self) -> str:
        return manifest_path(self.target)

    @cached_property
    def links(self) -> KeptLinkHashes:
        return self._kept(KeptLinkHashes, "links.json")

    @cached_property
    def facts(self) -> KeptFacts:
        return self._kept(KeptFacts, "videos.json")

    def _kept(self, kind: Callable[..., Kept], name: str) -> Kept:
        path = self.path.replace("manifest.json", name)
        connection = self.target.connection
        return kind(connection, path, self.local.folder / name, team_id=self.team_id)

    def fetch(self, made: Mapping[str, RemoteVideo]) -> None:
        """Get it, without what it says of items that the target has no more.

        Args:
            made: the videos of the target, by key.
        """
        self.links.fetch()
        self.facts.fetch()
        self.local.manifest_path.unlink(missing_ok=True)
        connection = self.target.connection
        if find_file(connection, self.path, team_id=self.team_id) is not None:
            download_file(connection, self.path, self.local.manifest_path, team_id=self.team_id)
            manifest = self.local.load(Manifest)
            self.local.save(with_lost_pending(manifest, made))

    def store(self, manifest: Manifest) -> None:
        self.links.store()
        upload_file(
            self.target.connection, self.local.manifest_path, self.path, team_id=self.team_id
        )


class _Publisher:
    """Brings the items of one source to the target, and removes their local files."""

    def __init__(
        self,
        target: RemoteProject,
        folder: Path,
        *,
        sources: Mapping[str, RemoteVideo],
        made: Mapping[str, RemoteVideo],
        lease: Lease,
    ) -> None:
        self._target, self._folder, self._lease = target, folder, lease
        self._sources = sources
        self._there = {_place(key): video for key, video in made.items()}

    def __call__(self, key: str, items: tuple[Item, ...]) -> None:
        self._lease.check()
        local = LocalProject.open(self._folder, actions=self._target.actions, with_files=False)
        try:
            with failing_alone(self._target.connection, key):
                self._publish(key, items, local)
        finally:
            for item in items:
                local.video(item.dataset, item.name).video_path.unlink(missing_ok=True)

    def _publish(self, key: str, items: tuple[Item, ...], local: LocalProject) -> None:
        wanted = {(item.dataset, item.name) for item in items}
        for item in items:
            self._item(key, item, local)
        gone = {
            place: video
            for place, video in self._there.items()
            if place[1].startswith(slug(key)) and place not in wanted
        }
        remove_videos(self._target.connection, gone.values())
        for place in gone:
            del self._there[place]

    def _item(self, key: str, item: Item, local: LocalProject) -> None:
        entry = local.video(item.dataset, item.name)
        annotation = local.read(entry)
        dataset_id = self._target.dataset(tuple(item.dataset.split("/")))
        if item.dataset in (Split.VAL.value, Split.TEST.value):
            video = self._full_length(self._sources[key], item, dataset_id)
        else:
            video = upload_video(
                self._target.connection,
                entry.video_path,
                dataset_id=dataset_id,
                name=item.name,
                replace=True,
            )
        write_annotation(self._target, video, annotation, replace=True)
        # Last: who finds the provenance on an item may rely on the rest of it.
        own = {PROVENANCE_KEY: dict(annotation.provenance)}
        self._there[item.dataset, item.name] = set_custom_data(self._target.connection, video, own)
        entry.video_path.unlink(missing_ok=True)

    def _full_length(self, source: RemoteVideo, item: Item, dataset_id: int) -> RemoteVideo:
        """The original by hash or link; a changed one takes the place of the one before it."""
        there = self._there.get((item.dataset, item.name))
        if there is not None and (there.hash, there.link) != (source.hash, source.link):
            remove_videos(self._target.connection, [there])
        return copy_video(
            self._target.connection,
            source,
            dataset_id=dataset_id,
            name=item.name,
            folder=self._folder,
        )


def _place(key: str) -> tuple[str, str]:
    dataset, _, name = key.rpartition("/")
    return dataset, name
