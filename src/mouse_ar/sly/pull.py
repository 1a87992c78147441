"""A project of an instance as a local project that is brought up to date by pulling again."""

from __future__ import annotations

import base64
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mouse_ar.core.actions import ActionSet
from mouse_ar.data.files import place_file, read_json, write_json
from mouse_ar.data.local_project import LocalProject, ProjectVideo
from mouse_ar.data.project_layout import dataset_folder
from mouse_ar.data.project_meta import join_meta
from mouse_ar.sly.annotations import local_annotation, read_raw_annotations, same_content
from mouse_ar.sly.batch import Progress, SizeProgress, for_each
from mouse_ar.sly.connection import Connection, Json
from mouse_ar.sly.disk import check_space
from mouse_ar.sly.mirror_reports import PullReport
from mouse_ar.sly.mirror_state import Entry, MirrorState, digest_of, mirror_state
from mouse_ar.sly.names import dataset_to_local, name_to_local
from mouse_ar.sly.project import RemoteProject
from mouse_ar.sly.streams import ByteProgress
from mouse_ar.sly.videos import RemoteVideo, download_video

__all__ = ["pull"]

_NAME_BYTES = 255
# While it is written, the annotation of "x" is ".x.json.tmp".
_BESIDE_NAME_BYTES = len("..json.tmp")


def pull(
    connection: Connection,
    project_id: int,
    folder: Path | str,
    *,
    actions: ActionSet | None = None,
    datasets: Sequence[str] | None = None,
    annotations_only: bool = False,
    prune: bool = False,
    overwrite: bool = False,
    workers: int = 4,
    progress: Progress | None = None,
) -> PullReport:
    """Mirror a project in a folder, as :class:`LocalProject` opens it; only what changed is moved.

    An interrupted pull is continued by the next. A video is complete when its annotation is
    there, which is written last.

    Args:
        connection: to the instance.
        project_id: number of the project.
        folder: a new or empty one, or the mirror of this project.
        actions: for reading tags; the built-in ones by default.
        datasets: take only these and what lies in them, named as in the mirror.
        annotations_only: leave the video files out.
        prune: remove videos from the mirror that are gone from the instance.
        overwrite: take the instance's annotation also where the local one was changed.
        workers: videos downloaded at a time.
        progress: called with (what, done, in all).

    Raises:
        RefusedError: there is no such project.
        FileExistsError: the folder holds something else.
        ValueError: it is no video project, or the datasets do not exist.
        NoSpaceError: the videos do not fit on the disk; nothing was downloaded.
        BusyError: another run works in the folder.
        TransferError: the instance is gone; the next pull continues.
    """
    root = Path(folder)
    remote = RemoteProject.open(connection, project_id, actions=actions)
    _refuse_foreign(root)
    with mirror_state(root) as state:
        _refuse_other(root, state, remote)
        state.link(connection.server, remote.id)
        run = _Pull(remote, root, state, overwrite=overwrite, with_files=not annotations_only)
        run.find(datasets)
        if not annotations_only:
            run.fetch_files(workers, progress)
        run.fetch_annotations(progress)
        run.sweep(prune=prune)
        return run.report


class _Pull:
    """State of one pull."""

    def __init__(
        self,
        remote: RemoteProject,
        root: Path,
        state: MirrorState,
        *,
        overwrite: bool,
        with_files: bool,
    ) -> None:
        self.remote = remote
        self.connection = remote.connection
        self.root = root
        self.state = state
        self.overwrite = overwrite
        self.local = _open_local(root, remote, with_files=with_files)
        self.report = PullReport(project=remote.title, folder=root)
        self.items: dict[ProjectVideo, RemoteVideo] = {}
        self.wanted: Sequence[str] = ()
        self.failed: set[str] = set()
        self._lock = threading.Lock()

    def find(self, wanted: Sequence[str] | None) -> None:
        """Find out what there is, and make the datasets' folders."""
        paths = {number: dataset_to_local(path) for path, number in self.remote.datasets().items()}
        self.wanted = wanted or ()
        chosen = _chosen(sorted(paths.values()), self.wanted)
        for dataset in chosen:
            if _too_long(dataset):
                continue
            for part in ("video", "ann"):
                for name in _chain(dataset):
                    (dataset_folder(self.root, name) / part).mkdir(parents=True, exist_ok=True)
        for video in self.remote.videos():
            place = paths.get(video.dataset_id)
            if place is not None and place in chosen:
                name = name_to_local(video.name)
                if cause := _too_long(place) or _too_long(name, beside=_BESIDE_NAME_BYTES):
                    self.report.failures.append((f"{place}/{name}", cause))
                    continue
                self.items[self.local.video(place, name)] = video

    def fetch_files(self, workers: int, progress: Progress | None) -> None:
        """Download the video files that are missing or different."""
        missing = [item for item in sorted(self.items) if not self._is_current(item)]
        groups: dict[object, list[ProjectVideo]] = {}
        for item in missing:
            video = self.items[item]
            groups.setdefault(video.hash or video.id, []).append(item)
        needed = sum(self.items[group[0]].size or 0 for group in groups.values())
        check_space(self.root, needed, what=f"downloading {self.remote.title}")
        show = SizeProgress(progress, "downloading", needed)

        def fetch(group: list[ProjectVideo]) -> None:
            self._fetch(group[0], show.of(group[0]))
            for item in group[1:]:  # the same content under another name
                self._place(group[0].video_path, item)

        failures = for_each(fetch, groups.values(), connection=self.connection, workers=workers)
        for group, cause in failures:
            self.report.failures += [(item.key, cause) for item in group]
            self.failed |= {item.key for item in group}

    def _is_current(self, item: ProjectVideo) -> bool:
        video, entry = self.items[item], self.state.entries.get(item.key)
        if not item.video_path.is_file():
            return False
        if video.hash is None:  # a linked video: its content is known only from the last time
            same = entry is not None and entry.hash is not None and entry.link == video.link
            return same and entry is not None and self._hash(item.video_path) == entry.hash
        return self._hash(item.video_path) == video.hash

    def _hash(self, path: Path) -> str:
        return base64.b64encode(bytes.fromhex(self.state.hashes.sha256(path))).decode("ascii")

    def _fetch(self, item: ProjectVideo, tell: ByteProgress) -> None:
        """Get one file: from another name it had here, or from the instance."""
        video = self.items[item]
        self._make_way(item)
        for key, entry in self.state.entries.items():
            path = self._path_of(key)
            if not (video.hash and entry.hash == video.hash and path != item.video_path):
                continue
            if path.is_file() and self._hash(path) == video.hash:
                self._place(path, item)
                tell(video.size or 0)
                return
        download_video(self.connection, video, item.video_path, progress=tell)
        with self._lock:
            self.report.downloaded += 1
            self.report.downloaded_bytes += item.video_path.stat().st_size

    def _place(self, source: Path, item: ProjectVideo) -> None:
        self._make_way(item)
        place_file(source, item.video_path)

    def _make_way(self, item: ProjectVideo) -> None:
        """Refuse to overwrite a video file that did not come from the instance."""
        if not item.video_path.is_file():
            return
        entry = self.state.entries.get(item.key)
        ours = entry is not None and entry.hash == self._hash(item.video_path)
        if not (ours or self.overwrite):
            raise FileExistsError(
                f"{item.video_path} holds another video than the instance has under that name. "
                "Move it away, or pull with --overwrite."
            )
        item.video_path.unlink()

    def _path_of(self, key: str) -> Path:
        dataset, _, name = key.rpartition("/")
        return self.local.video(dataset, name).video_path

    def fetch_annotations(self, progress: Progress | None) -> None:
        """Write the annotations and what else is known of the videos."""
        items = {video.id: item for item, video in self.items.items()}
        wanted = [v for item, v in self.items.items() if item.key not in self.failed]
        tell = progress or (lambda *_: None)
        tell("annotations", 0, len(wanted))
        read = read_raw_annotations(
            self.connection,
            wanted,
            refused=lambda v, e: self.report.failures.append((items[v.id].key, str(e))),
        )
        for done, (video, data) in enumerate(read):
            item = items[video.id]
            try:
                self._write(item, video, local_annotation(data))
                self.report.videos += 1
            except (ValueError, KeyError) as error:
                self.report.failures.append((item.key, str(error)))
            tell("annotations", done + 1, len(wanted))

    def _write(self, item: ProjectVideo, video: RemoteVideo, data: Json) -> None:
        if self._differs_here(item, data):
            self.report.changed_here.append(item.key)
            return
        write_json(item.info_path, _video_info(item, video))
        self.report.annotations += write_json(item.ann_path, data)
        digest = self._hash(item.video_path) if item.video_path.is_file() else None
        entry = Entry(video.id, digest, video.link, digest_of(item.ann_path))
        if self.state.entries.get(item.key) != entry:
            self.state.note(item.key, entry)

    def _differs_here(self, item: ProjectVideo, data: Json) -> bool:
        """Whether an annotation was changed here since it was pulled, and says something else."""
        if self.overwrite or not item.ann_path.is_file():
            return False
        entry = self.state.entries.get(item.key)
        if entry is not None and entry.annotation == digest_of(item.ann_path):
            return False
        return not same_content(read_json(item.ann_path), data)

    def sweep(self, *, prune: bool) -> None:
        """Deal with what was pulled before and is gone from the instance."""
        here = {item.key for item in self.items}
        for key in sorted(set(self.state.entries) - here):
            dataset, _, name = key.rpartition("/")
            if self.wanted and not set(_chain(dataset)) & set(self.wanted):
                continue  # of a dataset that was not asked for
            if prune:
                self.local.remove(dataset, name)
                del self.state.entries[key]
                self.report.removed.append(key)
            else:
                self.report.gone.append(key)


def _refuse_foreign(root: Path) -> None:
    """A folder with other things in it is no place for a mirror."""
    occupied = root.is_file() or (
        root.is_dir() and any(not path.name.startswith(".") for path in root.iterdir())
    )
    if occupied and not (root / "meta.json").is_file():
        raise FileExistsError(
            f"{root} exists and is no Supervisely project (no meta.json). "
            "Choose a new or empty folder."
        )


def _refuse_other(root: Path, state: MirrorState, remote: RemoteProject) -> None:
    mirror = state.is_of(remote.connection.server, remote.id)
    if mirror or not (root / "meta.json").is_file():
        return
    what = (
        f"mirrors project {state.project_id} of {state.server}"
        if state.linked
        else "is a project that mirrors none of an instance"
    )
    raise FileExistsError(f"{root} {what}, not {remote.title}. Choose a new or empty folder.")


def _open_local(root: Path, remote: RemoteProject, *, with_files: bool) -> LocalProject:
    """The mirror with the meta of the instance, and what was added here."""
    path = root / "meta.json"
    meta: dict[str, Any] = {"projectType": "videos", **remote.meta()}
    write_json(path, join_meta(meta, read_json(path)) if path.is_file() else meta, indent=4)
    if not (root / "key_id_map.json").exists():
        empty: Json = {kind: {} for kind in ("tags", "objects", "figures", "videos")}
        write_json(root / "key_id_map.json", empty, indent=4)
    return LocalProject.open(root, actions=remote.actions, with_files=with_files)


def _too_long(path: str, *, beside: int = 0) -> str:
    """Why no file or folder here can have one of these names; empty if they can."""
    for part in path.split("/"):
        size, most = len(part.encode("utf-8", "surrogatepass")), _NAME_BYTES - beside
        if size > most:
            return f"{part[:40]}… is {size} bytes long, a name here has {most} at most: rename it"
    return ""


def _chain(dataset: str) -> list[str]:
    parts = dataset.split("/")
    return ["/".join(parts[: depth + 1]) for depth in range(len(parts))]


def _chosen(datasets: list[str], wanted: Sequence[str]) -> list[str]:
    """The datasets that are asked for, with those inside of them."""
    if not wanted:
        return datasets
    if unknown := sorted(set(wanted) - set(datasets)):
        raise ValueError(
            f"The project has no dataset {', '.join(map(repr, unknown))}; it has "
            f"{', '.join(map(repr, datasets)) or 'none'}."
        )
    return [d for d in datasets if set(_chain(d)) & set(wanted)]


def _video_info(item: ProjectVideo, video: RemoteVideo) -> Json:
    """As the SDK writes it, without what changes by itself."""
    return {
        "id": video.id,
        "name": item.name,
        "hash": video.hash,
        "link": video.link,
        "dataset_id": video.dataset_id,
        "project_id": video.project_id,
        "frames_count": video.frames_count,
        "frame_width": video.frame_width,
        "frame_height": video.frame_height,
        "created_at": video.info.get("createdAt"),
        "meta": dict(video.info.get("meta") or {}),
        "custom_data": dict(video.custom_data),
    }
