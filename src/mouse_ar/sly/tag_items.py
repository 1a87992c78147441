"""Tags of a project's meta in the form in which an instance takes new ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["tag_item"]

# Of a tag in a meta -> of the settings of a new one.
_SETTINGS = {
    "value_type": "type",
    "applicable_type": "applicableType",
    "target_type": "targetType",
    "values": "values",
}
_TOP = {"name", "color", "hotkey", "classes", "id"}


def tag_item(tag: Mapping[str, Any], class_ids: Mapping[str, int]) -> dict[str, Any] | None:
    """An item of ``tags.bulk.add``; None if that cannot say all that the tag says.

    Args:
        tag: as in a project's ``meta.json``.
        class_ids: numbers of the project's classes by title.
    """
    given = {name for name, value in tag.items() if value}
    classes = tag.get("classes") or []
    if not given <= {*_TOP, *_SETTINGS} or not set(classes) <= set(class_ids):
        return None
    settings = {to: tag[name] for name, to in _SETTINGS.items() if tag.get(name)}
    settings.setdefault("type", "none")
    if classes:
        settings["classes"] = [class_ids[name] for name in classes]
    item = {"title": tag["name"], "settings": settings}
    return item | {name: tag[name] for name in ("color", "hotkey") if tag.get(name)}
