"""Writing one annotation so that it is there once, whatever happens to the requests.

None of the requests that add something may simply be repeated: one that seems to have failed may
have been done. So after every failure what is there is read back, and only what is missing by
then is added; what was added twice nevertheless is removed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from mouse_ar.data.annotations import IGNORED_TAG, MOUSE_CLASS, REVIEW_TAG
from mouse_ar.detection.exchange import TransientError
from mouse_ar.sly.annotation_diff import Held, HeldObject, Identity, Wanted, WantedObject, surplus
from mouse_ar.sly.connection import Json
from mouse_ar.sly.errors import RefusedError, TransferError
from mouse_ar.sly.videos import RemoteVideo

if TYPE_CHECKING:
    from mouse_ar.sly.project import RemoteProject

__all__ = ["AnnotationWriter", "Written"]

Item = TypeVar("Item")

# More figures in a request are refused.
_FIGURES_PER_REQUEST = 100
_PER_REQUEST = 500
# Times that all that is missing may be added without anything less being missing then.
_ROUNDS = 2


@dataclass(frozen=True)
class Written:
    """What writing an annotation came to.

    Args:
        added: tags and figures that were missing.
        kept: tags and figures that were there.
        removed: tags, figures and objects that were stale.
    """

    added: int
    kept: int
    removed: int


@dataclass
class _Plan:
    """What is to be done, found out by comparing with what is there."""

    tags: list[Json] = field(default_factory=list)
    objects: list[WantedObject] = field(default_factory=list)
    object_tags: list[tuple[int, Json]] = field(default_factory=list)
    figures: list[tuple[int, Json]] = field(default_factory=list)
    removed: dict[str, list[int]] = field(default_factory=dict)

    def remove(self, kind: str, ids: Sequence[int]) -> None:
        if ids:
            self.removed.setdefault(kind, []).extend(ids)

    @property
    def empty(self) -> bool:
        return not self.count

    @property
    def count(self) -> int:
        """Objects, tags and figures to add, and what is to be removed."""
        count = len(self.tags) + len(self.object_tags) + len(self.figures)
        count += sum(1 + len(o.tags) + len(o.figures) for o in self.objects)
        return count + sum(map(len, self.removed.values()))


class AnnotationWriter:
    """Brings what an instance holds of one video to what is wanted.

    Args:
        project: of the video; knows the ids of tags and classes.
        video: the video.
        wanted: what to have.
        replace: remove our tags and boxes that are not wanted.
        progress: called with (tags and figures done, in all).
    """

    def __init__(
        self,
        project: RemoteProject,
        video: RemoteVideo,
        wanted: Wanted,
        *,
        replace: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._project = project
        self._connection = project.connection
        self._video = video
        self._wanted = wanted
        self._replace = replace
        self._progress = progress or (lambda *_: None)
        self._what = f"writing the annotation of {video.name}"
        self._tag_ids, self._class_ids = project.tag_ids(), project.class_ids()
        self._before: dict[str, set[int]] | None = None
        self._failed = False
        self._least, self._rounds = -1, 0
        self._added = self._kept = self._removed = 0

    def write(self) -> Written:
        """Do it.

        Raises:
            ValueError: the project lacks a tag or a class.
            TransferError: it did not work; a repetition goes on after what was done.
        """
        self._check_names()
        # What is added again and again is no progress.
        most = 2 * self._wanted.count
        return self._connection.retry(
            self._attempt, what=self._what, progress=lambda: min(self._added + self._removed, most)
        )

    def _attempt(self) -> Written:
        try:
            while True:
                held = self._read()
                plan = self._plan(held)
                if self._before is None:
                    self._remember(held)
                done = self._wanted.count - len(plan.tags) - len(plan.object_tags)
                done -= len(plan.figures) + sum(len(o.tags) + len(o.figures) for o in plan.objects)
                self._kept = self._kept if self._failed else done
                self._progress(done, self._wanted.count)
                if not plan.empty:
                    self._refuse_endless(plan)
                    self._apply(plan, done)
                    self._rounds += 1
                if plan.empty or not self._failed:
                    added = self._wanted.count - self._kept
                    return Written(added=added, kept=self._kept, removed=self._removed)
        except TransientError:
            self._failed = True
            raise

    def _refuse_endless(self, plan: _Plan) -> None:
        """An instance that returns something else than it got would get it again and again."""
        if self._least < 0 or plan.count < self._least:
            self._least, self._rounds = plan.count, 0
        elif self._rounds >= _ROUNDS:
            figures = [figure for _, figure in plan.figures]
            figures += [figure for item in plan.objects for figure in item.figures.values()]
            kinds = sorted({str(figure["geometryType"]) for figure in figures})
            raise TransferError(
                self._what,
                f"it was added {self._rounds} times and the instance returns something else "
                f"than was sent{': ' + ', '.join(kinds) if kinds else ''}",
                advice="look at this video on the instance, what was added may be there twice",
            )

    def _read(self) -> Held:
        payload = {"datasetId": self._video.dataset_id, "videoIds": [self._video.id]}
        answer = self._connection.once(
            "videos.annotations.bulk.info", payload, what=f"reading back {self._video.name}"
        )
        return Held.from_json(answer[0])

    def _remember(self, held: Held) -> None:
        """What was there before anything was written is never taken for a double."""
        self._before = {}
        for kind, number in held.ids():
            self._before.setdefault(kind, set()).add(number)

    def _plan(self, held: Held) -> _Plan:
        plan = _Plan()
        plan.tags = [t for key, t in self._wanted.tags.items() if key not in held.tags]
        self._plan_removals(plan, "tag", held.tags, self._wanted.tags, ours=None)
        matched = held.match(self._wanted.objects)
        for wanted, found in zip(self._wanted.objects, matched, strict=True):
            if found is None:
                plan.objects.append(wanted)
                continue
            tags = [t for key, t in wanted.tags.items() if key not in found.tags]
            figures = [f for key, f in wanted.figures.items() if key not in found.figures]
            plan.object_tags += [(found.id, tag) for tag in tags]
            plan.figures += [(found.id, figure) for figure in figures]
            ours = found.class_title == MOUSE_CLASS
            self._plan_removals(plan, "figure", found.figures, wanted.figures, ours=ours)
            self._plan_removals(plan, "object_tag", found.tags, wanted.tags, ours=False)
        self._plan_objects(plan, held, {item.id for item in matched if item is not None})
        return plan

    def _plan_removals(
        self,
        plan: _Plan,
        kind: str,
        held: dict[Identity, list[int]],
        wanted: dict[Identity, Json],
        *,
        ours: bool | None,
    ) -> None:
        """Stale ones of ours (None: those whose tag is), and what was added twice."""
        for identity, ids in held.items():
            if identity in wanted:
                if self._failed:
                    plan.remove(kind, surplus(ids, (self._before or {}).get(kind, set())))
            elif self._replace and (self._is_our_tag(identity) if ours is None else ours):
                plan.remove(kind, ids)

    def _plan_objects(self, plan: _Plan, held: Held, matched: set[int]) -> None:
        """Objects that a request left which was done twice, and our stale ones."""
        before = (self._before or {}).get("object", set())
        for item in held.objects:
            if item.id in matched:
                continue
            stale = self._replace and item.class_title == MOUSE_CLASS
            if stale or (self._failed and item.id not in before and self._is_empty(item)):
                plan.remove("object", [item.id])

    def _is_empty(self, item: HeldObject) -> bool:
        return not item.figures and item.class_title in {
            o.class_title for o in self._wanted.objects
        }

    def _is_our_tag(self, identity: Identity) -> bool:
        name, frames, _ = identity
        actions = self._project.actions
        is_action = actions.resolve(name) in actions.names
        ours = is_action or name.casefold() in {IGNORED_TAG, REVIEW_TAG}
        return ours and frames is not None

    def _apply(self, plan: _Plan, done: int) -> None:
        """Remove before adding, so that an interruption never leaves two of something."""
        for kind, ids in plan.removed.items():
            self._remove(kind, ids)
        video = {"videoId": self._video.id}
        for batch in _batches(plan.tags, _PER_REQUEST):
            tags = [self._tag(tag) for tag in batch]
            self._once("videos.tags.bulk.add", {**video, "tags": tags})
            done = self._tell(done, len(batch))
        figures, object_tags = list(plan.figures), list(plan.object_tags)
        for number, item in zip(self._make_objects(plan.objects), plan.objects, strict=True):
            object_tags += [(number, tag) for tag in item.tags.values()]
            figures += [(number, figure) for figure in item.figures.values()]
        for tag_batch in _batches(object_tags, _PER_REQUEST):
            tags = [self._tag(tag) | {"objectId": owner} for owner, tag in tag_batch]
            payload = {"projectId": self._video.project_id, "tags": tags}
            self._once("annotation-objects.tags.bulk.add", payload)
            done = self._tell(done, len(tag_batch))
        for figure_batch in _batches(figures, _FIGURES_PER_REQUEST):
            sent = [{**figure, "objectId": owner} for owner, figure in figure_batch]
            self._once("figures.bulk.add", {"entityId": self._video.id, "figures": sent})
            done = self._tell(done, len(figure_batch))

    def _make_objects(self, objects: Sequence[WantedObject]) -> list[int]:
        if not objects:
            return []
        items = [
            {"classId": self._class_ids[item.class_title], "entityId": self._video.id}
            for item in objects
        ]
        payload = {"datasetId": self._video.dataset_id, "annotationObjects": items}
        return [int(made["id"]) for made in self._once("annotation-objects.bulk.add", payload)]

    def _remove(self, kind: str, ids: Sequence[int]) -> None:
        for batch in _batches(ids, _PER_REQUEST if kind in {"figure", "object"} else 1):
            endpoint, payload = _REMOVALS[kind](batch)
            try:
                self._once(endpoint, payload)
            except RefusedError as error:
                if error.ends_run:
                    raise
                # It may be gone by now: the next look tells.
                raise TransientError(error.cause, status=error.status) from error
            self._removed += len(batch)

    def _once(self, endpoint: str, payload: Any) -> Any:
        return self._connection.once(endpoint, payload, what=self._what)

    def _tell(self, done: int, more: int) -> int:
        self._added += more
        self._progress(done + more, self._wanted.count)
        return done + more

    def _tag(self, tag: Json) -> Json:
        sent: Json = {"tagId": self._tag_ids[tag["name"]], "name": tag["name"]}
        sent |= {name: tag[name] for name in ("value", "frameRange") if tag.get(name) is not None}
        for name in ("isFinished", "nonFinalValue"):
            if name in tag:
                sent[name] = tag[name]
        return sent

    def _check_names(self) -> None:
        objects = self._wanted.objects
        tags = [*self._wanted.tags.values(), *(t for o in objects for t in o.tags.values())]
        for kind, names, known in (
            ("tag", {str(tag["name"]) for tag in tags}, self._tag_ids),
            ("class", {item.class_title for item in objects}, self._class_ids),
        ):
            if lacking := sorted(names - set(known)):
                raise ValueError(
                    f"{self._video.name}: project {self._video.project_id} has no {kind} "
                    f"{', '.join(map(repr, lacking))}; it has {', '.join(map(repr, known))}. Add "
                    "it to the project, or to meta.json of the project that is uploaded."
                )


_REMOVALS: dict[str, Callable[[Sequence[int]], tuple[str, Any]]] = {
    "tag": lambda ids: ("videos.tags.remove", {"id": ids[0]}),
    "object_tag": lambda ids: ("annotation-objects.tags.remove", {"id": ids[0]}),
    "figure": lambda ids: ("figures.bulk.remove", {"figureIds": list(ids)}),
    "object": lambda ids: ("annotation-objects.bulk.remove", list(ids)),
}


def _batches(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
