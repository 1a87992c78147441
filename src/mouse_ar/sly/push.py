"""A local project to an instance: what is there already is kept, so it may be done again."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from mouse_ar.core.actions import ActionSet
from mouse_ar.data.files import read_json
from mouse_ar.data.local_project import LocalProject, ProjectVideo
from mouse_ar.data.project_layout import list_items, read_custom_data
from mouse_ar.sly.annotations import write_raw_annotation
from mouse_ar.sly.batch import Progress, SizeProgress, for_each
from mouse_ar.sly.connection import Connection
from mouse_ar.sly.lease import Lease, leased
from mouse_ar.sly.mirror_reports import PushReport
from mouse_ar.sly.mirror_state import Entry, MirrorState, digest_of, mirror_state
from mouse_ar.sly.names import dataset_from_local, name_from_local
from mouse_ar.sly.project import DatasetPath, RemoteProject
from mouse_ar.sly.streams import ByteProgress
from mouse_ar.sly.video_upload import known_hashes, upload_video
from mouse_ar.sly.videos import RemoteVideo, set_custom_data

__all__ = ["push"]

Place = tuple[DatasetPath, str]


def push(
    connection: Connection,
    folder: Path | str,
    *,
    workspace_id: int | None = None,
    name: str | None = None,
    project_id: int | None = None,
    actions: ActionSet | None = None,
    replace: bool = False,
    workers: int = 4,
    settle_seconds: float | None = None,
    progress: Progress | None = None,
) -> PushReport:
    """Have a local project on an instance: datasets, videos, annotations, custom data, meta.

    Nothing is sent that is there; after an interruption the same call leads to the same end.

    Args:
        connection: to the instance.
        folder: the local project; of a mirror of annotations, only those are pushed.
        workspace_id: where a project is looked for by name and made.
        name: name of the project; the folder's by default.
        project_id: number of an existing project instead. Without name and number a mirror goes
            where it came from or was pushed to before.
        actions: for telling our tags; the built-in ones by default.
        replace: where the instance differs, make it like here: videos of the same name and
            other content are replaced, and action tags and mouse boxes that are not here are
            removed. By default only what is missing is added.
        workers: videos at a time.
        settle_seconds: of the lease.
        progress: called with (what, done, in all).

    Raises:
        FileNotFoundError: the folder is no project.
        ValueError: no workspace is given, it is no video project, or tags do not fit.
        BusyError: another run writes to the folder or to the project.
        RefusedError: there is no such project.
        TransferError: the instance is gone; the same call continues.
    """
    root = Path(folder)
    local = LocalProject.open(root, actions=actions, with_files=False)
    items = _places(local)
    with mirror_state(root) as state:
        remote = _target(
            connection, local, state, workspace_id=workspace_id, name=name, project_id=project_id
        )
        with leased(remote, settle_seconds=settle_seconds) as lease:
            if not state.linked:
                state.link(connection.server, remote.id)
            remote.join_meta(local.meta)
            run = _Push(remote, local, state, lease, items, replace=replace)
            run.all(workers, progress)
        return run.report


class _Push:
    """State of one push."""

    def __init__(
        self,
        remote: RemoteProject,
        local: LocalProject,
        state: MirrorState,
        lease: Lease,
        items: Mapping[ProjectVideo, Place],
        *,
        replace: bool,
    ) -> None:
        self.remote = remote
        self.connection = remote.connection
        self.local = local
        self.state = state
        self.lease = lease
        self.items = items
        self.replace = replace
        self.report = PushReport(remote.title, local.path, project_id=remote.id)
        self.present: dict[Place, RemoteVideo] = {}
        self._lock = threading.Lock()

    def all(self, workers: int, progress: Progress | None) -> None:
        """Push everything."""
        tell = progress or (lambda *_: None)
        for dataset in self.local.datasets():
            self.remote.dataset(dataset_from_local(dataset))
        paths = {number: path for path, number in self.remote.datasets().items()}
        self.present = {(paths[v.dataset_id], v.name): v for v in self.remote.videos()}
        hashes = self._hashes(tell)
        known = known_hashes(self.connection, hashes.values())
        unsent = {item for item, hash in hashes.items() if hash not in known}
        # An annotation takes about as many bytes on its way as in its file.
        sizes = {item: _size(item.ann_path) for item in self.items}
        total = sum(sizes.values()) + sum(_size(item.video_path) for item in unsent)
        show = SizeProgress(progress, "uploading", total)

        def work(item: ProjectVideo) -> None:
            self.lease.check()
            tell_file = show.of((item, "video")) if item in unsent else None
            tell_tags = show.of((item, "annotation"))

            def tell(done: int, count: int) -> None:
                tell_tags(sizes[item] * done // max(1, count))

            self._push(item, hashes.get(item), tell_file, tell)
            tell_tags(sizes[item])

        failures = for_each(work, self.items, connection=self.connection, workers=workers)
        self.report.failures += [(item.key, cause) for item, cause in failures]
        sent = unsent - {item for item, _ in failures}
        self.report.uploaded = len({hashes[item] for item in sent})
        self.report.notes.sort()
        self.lease.check()

    def _hashes(self, tell: Progress) -> dict[ProjectVideo, str]:
        """Hashes of the files, which are remembered."""
        files = [item for item in self.items if item.video_path.is_file()]
        found = {}
        for done, item in enumerate(files):
            tell("reading files", done, len(files))
            digest = bytes.fromhex(self.state.hashes.sha256(item.video_path))
            found[item] = base64.b64encode(digest).decode("ascii")
        self.state.hashes.save()
        return found

    def _push(
        self,
        item: ProjectVideo,
        hash: str | None,
        tell_file: ByteProgress | None,
        tell: Callable[[int, int], None],
    ) -> None:
        video, is_new = self._video(item, hash, tell_file)
        if not item.ann_path.is_file():
            raise FileNotFoundError(f"no annotation file {item.ann_path}; the video was pushed")
        data = read_json(item.ann_path)
        written = write_raw_annotation(
            self.remote, video, data, replace=self.replace, progress=tell
        )
        entry = Entry(video.id, hash, video.link, digest_of(item.ann_path))
        with self._lock:
            if self.state.is_of(self.connection.server, self.remote.id):
                self.state.note(item.key, entry)
            self.report.videos += 1
            self.report.created += is_new
            self.report.added += written.added
            self.report.removed += written.removed
            if video.frames_count != data.get("framesCount"):
                self.report.notes.append(
                    f"{item.key}: {data.get('framesCount')} frames here, the instance counts "
                    f"{video.frames_count}: look whether tags sit where they should"
                )

    def _video(
        self, item: ProjectVideo, hash: str | None, tell: ByteProgress | None
    ) -> tuple[RemoteVideo, bool]:
        """The video on the instance, and whether it is new there."""
        path, name = self.items[item]
        present = self.present.get((path, name))
        custom = read_custom_data(item)
        if present is not None and (hash is None or self._is_linked(item, hash, present)):
            return set_custom_data(self.connection, present, custom), False
        if hash is None:
            raise FileNotFoundError(f"no video file {item.video_path}, and none on the instance")
        video = upload_video(
            self.connection,
            item.video_path,
            dataset_id=self.remote.dataset(path),
            name=name,
            hash=hash,
            present=present,
            replace=self.replace,
            custom_data=custom,
            progress=tell,
        )
        return video, present is None or video.id != present.id

    def _is_linked(self, item: ProjectVideo, hash: str, present: RemoteVideo) -> bool:
        """Whether the file here is the linked video there, which has no hash to compare."""
        entry = self.state.entries.get(item.key)
        return present.link is not None and entry is not None and entry.hash == hash


def _places(local: LocalProject) -> dict[ProjectVideo, Place]:
    """Where each video belongs on the instance.

    Raises:
        ValueError: two belong to the same place, or there is none at all.
    """
    places = {
        item: (dataset_from_local(item.dataset), name_from_local(item.name))
        for item in list_items(local.path)
    }
    first: dict[Place, ProjectVideo] = {}
    for item, place in places.items():
        other = first.setdefault(place, item)
        if other != item:
            raise ValueError(f"{other.key} and {item.key} mean the same name: rename one of them.")
    if not places:
        raise ValueError(f"{local.path} holds no videos: there is nothing to push.")
    return places


def _target(
    connection: Connection,
    local: LocalProject,
    state: MirrorState,
    *,
    workspace_id: int | None,
    name: str | None,
    project_id: int | None,
) -> RemoteProject:
    """The project to push to."""
    if project_id is None and name is None and state.server == connection.server:
        project_id = state.project_id
    if project_id is not None:
        return RemoteProject.open(connection, project_id, actions=local.actions)
    if workspace_id is None:
        raise ValueError(
            "A new project needs a workspace, got none: give its number, or the number of a "
            "project that exists."
        )
    return RemoteProject.get_or_create(
        connection,
        name or local.path.resolve().name,
        workspace_id=workspace_id,
        actions=local.actions,
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
