"""The project's ``meta.json``: which classes and tags it knows.

Entries of other people are never changed or removed; ours are added beside them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mouse_ar.core.actions import ActionSet
from mouse_ar.data.annotations import IGNORED_TAG, MOUSE_CLASS, REVIEWED_TAG, ProjectTag

__all__ = ["join_meta", "merge_meta", "value_types", "with_tags"]

_MOUSE_COLOR = (16, 172, 132)
_GRAY = (131, 149, 167)


def value_types(meta: Mapping[str, Any]) -> dict[str, str]:
    """Value type of every tag: ``none``, ``any_number``, ``any_string``, ..."""
    return {tag["name"]: tag.get("value_type") or "none" for tag in meta.get("tags") or []}


def merge_meta(
    meta: Mapping[str, Any], *, actions: ActionSet, confidence: bool | None = None
) -> dict[str, Any]:
    """Add the class ``mouse`` and the tags of the actions where they are missing.

    Args:
        meta: existing meta; empty for a new project.
        actions: their names become tags.
        confidence: whether action tags carry a number (predictions) or nothing (labels); None
            accepts the types that are there and creates labels.

    Raises:
        ValueError: when ``mouse`` exists with a shape that cannot hold rectangles, or an action
            tag exists with another value type than ``confidence`` asks for.
    """
    merged = {"classes": [], "tags": [], "projectType": "videos", **meta}
    classes = list(merged["classes"] or [])
    _check_mouse_class(classes)
    if not any(c.get("title") == MOUSE_CLASS for c in classes):
        classes.append(_mouse_class())
    merged["classes"] = classes
    kind = "any_number" if confidence else "none"
    existing = value_types(merged)
    for name in actions.names:
        if confidence is not None and existing.get(name, kind) != kind:
            raise ValueError(
                f"Tag {name!r} exists with value type {existing[name]!r}, expected {kind!r}. "
                "Keep predictions and labels in separate projects."
            )
    tags = list(merged["tags"] or [])
    for action in actions.actions:
        if action.name not in existing:
            tags.append(_tag(action.name, kind, action.color))
    tags += [_tag(n, "none", _GRAY) for n in (IGNORED_TAG, REVIEWED_TAG) if n not in existing]
    merged["tags"] = tags
    return merged


def with_tags(meta: Mapping[str, Any], tags: Iterable[ProjectTag]) -> dict[str, Any]:
    """Add tags that the meta does not know yet; their type follows their value."""
    known = value_types(meta)
    added = []
    for tag in tags:
        if tag.name not in known:
            kind = "none" if tag.value is None else "any_number"
            kind = "any_string" if isinstance(tag.value, str) else kind
            known[tag.name] = kind
            added.append(_tag(tag.name, kind, _GRAY))
    return {**meta, "tags": [*(meta.get("tags") or []), *added]}


def join_meta(meta: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Add the classes and tags of another meta where they are missing.

    Ids of the other are left out: they mean something else here.

    Raises:
        ValueError: one of them exists here with another shape or value type.
    """
    joined = dict(meta)
    for kind, name, what in (("classes", "title", "shape"), ("tags", "name", "value_type")):
        known = {entry[name]: entry for entry in meta.get(kind) or []}
        new = []
        for entry in other.get(kind) or []:
            here = known.get(entry[name])
            if here is None:
                new.append({key: value for key, value in entry.items() if key != "id"})
            elif here.get(what) not in {entry.get(what), "any"}:
                raise ValueError(
                    f"{entry[name]!r} has {what} {here.get(what)!r} in this project, expected "
                    f"{entry.get(what)!r}. Use another project, or rename it in one of them."
                )
        joined[kind] = [*(meta.get(kind) or []), *new]
    return joined


def _check_mouse_class(classes: Iterable[Mapping[str, Any]]) -> None:
    for item in classes:
        if item.get("title") == MOUSE_CLASS and item.get("shape") not in {"rectangle", "any"}:
            raise ValueError(
                f"Object class {MOUSE_CLASS!r} has shape {item.get('shape')!r} in this project, "
                "expected 'rectangle'. Rename that class in the project."
            )


def _mouse_class() -> dict[str, Any]:
    return {
        "title": MOUSE_CLASS,
        "description": "",
        "shape": "rectangle",
        "color": _hex(_MOUSE_COLOR),
        "geometry_config": {},
        "hotkey": "",
    }


def _tag(name: str, value_type: str, color: tuple[int, int, int]) -> dict[str, Any]:
    return {
        "name": name,
        "value_type": value_type,
        "color": _hex(color),
        "hotkey": "",
        "applicable_type": "all",
        "classes": [],
        "target_type": "all",
    }


def _hex(color: tuple[int, int, int]) -> str:
    return "#{:02X}{:02X}{:02X}".format(*color)
