"""Project metas: what is sent is checked, ids are kept and given, what is used stays."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from supervisely_double.clock import new_id
from supervisely_double.errors import demand
from supervisely_double.model import Json

# A class's name is its title.
NAME_FIELDS = {"classes": "title", "tags": "name"}
_VALUE_TYPES = ("none", "any_number", "any_string", "oneof_string", "date")
_SHAPES = (
    "rectangle",
    "polygon",
    "line",
    "point",
    "bitmap",
    "alpha_mask",
    "graph",
    "cuboid",
    "any",
)


def merged_classes(known: list[Json], sent: Any, *, used: set[int]) -> list[Json]:
    """The classes of a project after an update."""
    merged = _with_ids("classes", known, sent, used=used)
    for new in merged:
        demand(new.get("shape") in _SHAPES, f"Class {new['title']!r}: shape {new.get('shape')!r}")
        _unchanged(known, new, "shape", used=used)
        new.setdefault("geometry_config", {})
    return merged


def merged_tags(known: list[Json], sent: Any, *, used: set[int]) -> list[Json]:
    """The tags of a project after an update."""
    merged = _with_ids("tags", known, sent, used=used)
    for new in merged:
        kind = new.get("value_type")
        demand(kind in _VALUE_TYPES, f"Tag {new['name']!r}: value_type {kind!r}")
        if kind == "oneof_string":
            demand(new.get("values"), f"Tag {new['name']!r} has no values to choose from")
        _unchanged(known, new, "value_type", used=used)
        new.setdefault("applicable_type", "all")
        new.setdefault("target_type", "all")
        new.setdefault("classes", [])
    return merged


def _with_ids(kind: str, known: list[Json], sent: Any, *, used: set[int]) -> list[Json]:
    demand(isinstance(sent, list), f"The meta has no list of {kind}")
    key = NAME_FIELDS[kind]
    ids_by_name = {old[key]: old["id"] for old in known}
    names = {old["id"]: old[key] for old in known}
    merged = []
    for item in sent:
        demand(isinstance(item, dict) and item.get(key), f"Not one of {kind}: {item}")
        # A known id renames; an id of another project is not ours and goes by the name.
        own = item.get("id") if item.get("id") in names else ids_by_name.get(item[key])
        merged.append({"color": "#00FF00", **item, "id": own or new_id()})
    new_names = [item[key] for item in merged]
    demand(len(set(new_names)) == len(new_names), f"Two of the {kind} have the same name")
    lost = [names[i] for i in used - {item["id"] for item in merged}]
    demand(not lost, f"Annotations use the {kind} {lost}, which the new meta lacks")
    return merged


def _unchanged(known: list[Json], new: Json, field: str, *, used: set[int]) -> None:
    for old in known:
        if old["id"] == new["id"] and new["id"] in used:
            name = new.get("name", new.get("title"))
            text = f"{name!r} is used: its {field} cannot become {new[field]!r}"
            demand(old[field] == new[field], text)


def check_value(tag: Json, value: Any) -> None:
    """400 unless the value is of the kind that the tag takes."""
    kind = tag["value_type"]
    if kind == "none":
        fits = value is None
    elif kind == "any_number":
        fits = isinstance(value, int | float) and not isinstance(value, bool)
    elif kind == "oneof_string":
        fits = value in tag["values"]
    elif kind == "date":
        fits = isinstance(value, str) and _is_date(value)
    else:
        fits = isinstance(value, str)
    demand(fits, f"Tag {tag['name']!r} takes {kind}, got {value!r}")


def _is_date(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True
