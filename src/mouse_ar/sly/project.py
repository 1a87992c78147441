"""A video project of an instance: its datasets, videos, meta and custom data."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from mouse_ar.core.actions import ActionSet
from mouse_ar.data.annotations import MOUSE_CLASS, PROVENANCE_KEY, ProjectTag
from mouse_ar.data.config_files import load_actions
from mouse_ar.data.project_meta import join_meta, merge_meta, value_types, with_tags
from mouse_ar.sly.connection import Connection, Json
from mouse_ar.sly.errors import RefusedError
from mouse_ar.sly.tag_items import tag_item
from mouse_ar.sly.videos import RemoteVideo, list_videos

__all__ = ["DatasetPath", "RemoteProject"]

# Names from the top to the dataset itself; each may hold any character.
DatasetPath = tuple[str, ...]


class RemoteProject:
    """See :meth:`open` and :meth:`get_or_create`."""

    def __init__(self, connection: Connection, info: Json, *, actions: ActionSet | None) -> None:
        self.connection = connection
        self.id = int(info["id"])
        self.name = str(info["name"])
        self.workspace_id = int(info["workspaceId"])
        self.team_id = int(info["teamId"]) if info.get("teamId") else None
        self.actions = actions or load_actions()
        self.title = f"Project {self.name!r} (number {self.id})"
        self._meta: Json | None = None
        self._datasets: dict[DatasetPath, int] | None = None
        # Read-merge-write of this run's own threads; other runs are kept out by the lease.
        self._lock = threading.RLock()

    @classmethod
    def open(
        cls, connection: Connection, project_id: int, *, actions: ActionSet | None = None
    ) -> RemoteProject:
        """Open an existing video project.

        Args:
            connection: to the instance.
            project_id: its number, as in its address in the browser.
            actions: the actions to look for; the built-in ones by default.

        Raises:
            RefusedError: there is no such project for this token.
            ValueError: it holds no videos but something else.
        """
        what = f"opening project {project_id}"
        info = connection.call("projects.info", {"id": project_id}, what=what)
        return cls._checked(connection, info, actions=actions)

    @classmethod
    def find(
        cls,
        connection: Connection,
        name: str,
        *,
        workspace_id: int,
        actions: ActionSet | None = None,
    ) -> RemoteProject | None:
        """The video project of that name in a workspace, if there is one.

        Raises:
            ValueError: the project of that name is none of videos, or there are several.
            TransferError: the instance failed.
        """
        info = _find(connection, name, workspace_id=workspace_id)
        return None if info is None else cls._checked(connection, info, actions=actions)

    @classmethod
    def get_or_create(
        cls,
        connection: Connection,
        name: str,
        *,
        workspace_id: int,
        actions: ActionSet | None = None,
    ) -> RemoteProject:
        """The video project of that name in a workspace, made where there is none.

        Raises:
            ValueError: the project of that name is none of videos, or there are several.
            TransferError: the instance failed.
        """
        what = f"making project {name!r} in workspace {workspace_id}"

        def find() -> Json | None:
            return _find(connection, name, workspace_id=workspace_id)

        new = {"workspaceId": workspace_id, "name": name, "type": "videos", "description": ""}
        info = find() or connection.call("projects.add", new, what=what, recover=find)
        return cls._checked(connection, info, actions=actions)

    @classmethod
    def _checked(
        cls, connection: Connection, info: Json, *, actions: ActionSet | None
    ) -> RemoteProject:
        if info.get("type") != "videos":
            raise ValueError(
                f"Project {info.get('name')!r} (number {info.get('id')}): expected a project of "
                f"type 'videos', got {info.get('type')!r}."
            )
        return cls(connection, info, actions=actions)

    def datasets(self) -> dict[DatasetPath, int]:
        """Numbers of all datasets by path, parents before their children."""
        payload = {"projectId": self.id, "filter": [], "recursive": True}
        what = f"listing the datasets of {self.title}"
        entries = {
            int(e["id"]): e for e in self.connection.pages("datasets.list", payload, what=what)
        }

        def path(entry: Json) -> DatasetPath:
            parent = entries.get(int(entry.get("parentId") or 0))
            return (*(path(parent) if parent else ()), str(entry["name"]))

        return dict(sorted((path(entry), number) for number, entry in entries.items()))

    def dataset(self, path: Sequence[str]) -> int:
        """Number of a dataset; it and those it lies in are made where they are missing."""
        with self._lock:
            if self._datasets is None:
                self._datasets = self.datasets()
            known = self._datasets
            parent: int | None = None
            for depth in range(1, len(path) + 1):
                part = tuple(path[:depth])
                if part not in known:
                    known[part] = self._make_dataset(part, parent)
                parent = known[part]
        if parent is None:
            raise ValueError("A dataset needs a name, got an empty path.")
        return parent

    def _make_dataset(self, path: DatasetPath, parent: int | None) -> int:
        what = f"making dataset {path[-1]!r} in {self.title}"
        payload = {"projectId": self.id, "name": path[-1], "description": "", "parentId": parent}
        found = self.connection.call(
            "datasets.add", payload, what=what, recover=lambda: self._found_dataset(path)
        )
        return int(found["id"])

    def _found_dataset(self, path: DatasetPath) -> Json | None:
        number = self.datasets().get(path)
        return None if number is None else {"id": number}

    def videos(self) -> list[RemoteVideo]:
        """All videos, in all datasets."""
        return list_videos(self.connection, project_id=self.id)

    def meta(self, *, fresh: bool = False) -> Json:
        """Classes and tags with their ids, as last read."""
        with self._lock:
            if self._meta is None or fresh:
                what = f"reading the meta of {self.title}"
                self._meta = dict(self.connection.call("projects.meta", {"id": self.id}, what=what))
            return self._meta

    def value_types(self) -> dict[str, str]:
        """Value type of every tag."""
        return value_types(self.meta())

    def tag_ids(self) -> dict[str, int]:
        """Numbers of the tags by name."""
        return {str(t["name"]): int(t["id"]) for t in self.meta().get("tags") or []}

    def class_ids(self) -> dict[str, int]:
        """Numbers of the object classes by title."""
        return {str(c["title"]): int(c["id"]) for c in self.meta().get("classes") or []}

    def add_actions_to_meta(self, *, confidence: bool | None = None) -> None:
        """Add the class ``mouse`` and the tags of the actions where they are missing.

        Args:
            confidence: True where action tags carry a confidence (predictions), False where
                they carry nothing (labels), None to accept what is there.

        Raises:
            ValueError: what is there does not fit; see
                :func:`~mouse_ar.data.project_meta.merge_meta`.
        """
        self._change_meta(lambda m: merge_meta(m, actions=self.actions, confidence=confidence))

    def add_tags_to_meta(self, tags: Iterable[ProjectTag]) -> None:
        """Add the class ``mouse``, the tags of the actions and these tags, where missing."""
        tags = list(tags)
        with self._lock:
            if (
                not {tag.name for tag in tags} <= set(self.tag_ids())
                or MOUSE_CLASS not in self.class_ids()
            ):
                self._change_meta(lambda m: with_tags(merge_meta(m, actions=self.actions), tags))

    def join_meta(self, other: Mapping[str, Any]) -> None:
        """Add the classes and tags of another meta where they are missing.

        Raises:
            ValueError: one of them exists with another shape or value type.
        """
        self._change_meta(lambda m: join_meta(m, other))

    def _change_meta(self, change: Callable[[Json], Mapping[str, Any]]) -> None:
        """Add what a change adds to the meta.

        Tags are added as such. Nothing adds a class but an update, which replaces the whole meta,
        with the tags and classes that others may have made since it was read.
        """
        with self._lock:
            current = self.meta(fresh=True)
            changed = dict(change(current))
            if changed == current:
                return
            tags = _new_tags(changed, current)
            if changed.get("classes") != current.get("classes") or not self._add_tags(tags):
                current = self.meta(fresh=True)
                changed = dict(change(current))
                if changed != current:
                    what = f"updating the meta of {self.title}"
                    payload = {"id": self.id, "meta": changed}
                    self.connection.call("projects.meta.update", payload, what=what)
            self.meta(fresh=True)

    def _add_tags(self, tags: Sequence[Json]) -> bool:
        """Add new tags beside what there is; False if this instance does not do that."""
        items = [tag_item(tag, self.class_ids()) for tag in tags]
        added = [item for item in items if item is not None]
        if not added or len(added) < len(items):
            return False
        names = {str(tag["name"]) for tag in tags}

        def there() -> bool | None:
            self.meta(fresh=True)
            return True if names <= set(self.tag_ids()) else None

        what = f"adding tags to {self.title}"
        try:
            payload = {"projectId": self.id, "tags": added}
            self.connection.call("tags.bulk.add", payload, what=what, recover=there)
        except RefusedError as error:
            if error.ends_run:
                raise
            return False  # an older instance, or one of them is there by now
        return True

    def custom_data(self, *, once: bool = False) -> Json:
        """What is stored beside the project."""
        what = f"reading {self.title}"
        send = self.connection.once if once else self.connection.call
        info = send("projects.info", {"id": self.id}, what=what)
        return dict(info.get("customData") or {})

    def own_data(self) -> Json:
        """Our part of the project's custom data."""
        return dict(self.custom_data().get(PROVENANCE_KEY) or {})

    def change_own_data(self, change: Callable[[Json], Json], *, once: bool = False) -> None:
        """Change our part of the custom data and leave that of others as it is.

        Args:
            change: gives the new part for the one that is there.
            once: one attempt only: what is written is never older than that attempt.

        Raises:
            TransientError: with ``once``, where another attempt may work.
            TransferError: it did not work.
        """
        with self._lock:
            current = self.custom_data(once=once)
            own = dict(current.get(PROVENANCE_KEY) or {})
            changed = change(own)
            if changed != own:
                data = {**current, PROVENANCE_KEY: changed}
                payload = {"id": self.id, "customData": data, "silent": True}
                what = f"storing the custom data of {self.title}"
                send = self.connection.once if once else self.connection.call
                send("projects.editInfo", payload, what=what)


def _new_tags(changed: Mapping[str, Any], current: Mapping[str, Any]) -> list[Json]:
    known = {tag["name"] for tag in current.get("tags") or []}
    return [tag for tag in changed.get("tags") or [] if tag["name"] not in known]


def _find(connection: Connection, name: str, *, workspace_id: int) -> Json | None:
    only = [{"field": "name", "operator": "=", "value": name}]
    found = connection.pages(
        "projects.list",
        {"workspaceId": workspace_id, "filter": only},
        what=f"looking for project {name!r} in workspace {workspace_id}",
    )
    if len(found) > 1:
        numbers = ", ".join(str(entry["id"]) for entry in found)
        raise ValueError(
            f"Workspace {workspace_id} has several projects {name!r}: {numbers}. "
            "Say which by its number."
        )
    return found[0] if found else None
