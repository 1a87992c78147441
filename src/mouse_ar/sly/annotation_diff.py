"""What an annotation consists of, and what tells its parts from one another.

An instance knows no keys, only ids that it gives itself; so two tags are the same when they say
the same, and two objects when their figures do. Instances do not send every figure back as they got
it: coordinates may have been rounded, and bitmaps packed anew; so figures are compared by whole
pixels, and bitmaps by what they show.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

__all__ = ["Held", "HeldObject", "Wanted", "WantedObject", "surplus"]

Json = dict[str, Any]
Identity = tuple[Any, ...]

# Of a figure, besides its shape.
_KEPT = ("nnCreated", "nnUpdated", "priority")


@dataclass
class WantedObject:
    """An object to be had, with its tags and figures by identity."""

    class_title: str
    tags: dict[Identity, Json] = field(default_factory=dict)
    figures: dict[Identity, Json] = field(default_factory=dict)


@dataclass
class Wanted:
    """An annotation to be had; a tag or a figure given twice counts once."""

    tags: dict[Identity, Json]
    objects: list[WantedObject]

    @classmethod
    def from_json(cls, data: Mapping[str, Any], *, size: tuple[int, int] | None) -> Wanted:
        """Read the content of an ``ann/<video>.json``, or what an instance sends.

        Args:
            data: the JSON.
            size: height and width in pixels, to cut rectangles to; None leaves them.
        """
        objects: dict[Any, WantedObject] = {}
        for item in data.get("objects") or []:
            tags = {_tag_identity(tag): dict(tag) for tag in item.get("tags") or []}
            entry = WantedObject(str(item.get("classTitle")), tags)
            objects |= {(name, item[name]): entry for name in ("key", "id") if name in item}
        for frame in data.get("frames") or []:
            for figure in frame.get("figures") or []:
                owner = objects.get(("key", figure.get("objectKey")))
                owner = owner or objects.get(("id", figure.get("objectId")))
                if owner is None:
                    raise ValueError(f"a figure in frame {frame['index']} belongs to no object")
                made = _figure(figure, int(frame["index"]), size)
                owner.figures[_figure_identity(made)] = made
        tags = {_tag_identity(tag): dict(tag) for tag in data.get("tags") or []}
        return cls(tags=tags, objects=list({id(item): item for item in objects.values()}.values()))

    @property
    def count(self) -> int:
        """Tags and figures in all."""
        return len(self.tags) + sum(len(o.tags) + len(o.figures) for o in self.objects)


@dataclass
class HeldObject:
    """An object on the instance; ids by identity."""

    id: int
    class_title: str
    tags: dict[Identity, list[int]] = field(default_factory=dict)
    figures: dict[Identity, list[int]] = field(default_factory=dict)


@dataclass
class Held:
    """What an instance holds of an annotation; ids by identity."""

    tags: dict[Identity, list[int]]
    objects: list[HeldObject]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Held:
        """Read an annotation as an instance sends it."""
        objects: dict[int, HeldObject] = {}
        for item in data.get("objects") or []:
            title, tags = str(item.get("classTitle")), _ids_by_identity(item.get("tags") or [])
            objects[int(item["id"])] = HeldObject(int(item["id"]), title, tags)
        for frame in data.get("frames") or []:
            for figure in frame.get("figures") or []:
                identity = _figure_identity(_figure(figure, int(frame["index"]), None))
                figures = objects[int(figure["objectId"])].figures
                figures.setdefault(identity, []).append(int(figure["id"]))
        return cls(tags=_ids_by_identity(data.get("tags") or []), objects=list(objects.values()))

    def ids(self) -> set[tuple[str, int]]:
        """Everything there is, as (kind, id)."""
        found = {("tag", i) for ids in self.tags.values() for i in ids}
        for item in self.objects:
            found.add(("object", item.id))
            found |= {("object_tag", i) for ids in item.tags.values() for i in ids}
            found |= {("figure", i) for ids in item.figures.values() for i in ids}
        return found

    def match(self, wanted: list[WantedObject]) -> list[HeldObject | None]:
        """For every wanted object the one that is it, if any; each is given once.

        Objects with the most figures in common are the same; without any, one that is still
        empty is what an interrupted run left.
        """
        free = {item.id: item for item in self.objects}
        matched: list[HeldObject | None] = [None] * len(wanted)
        for index in sorted(range(len(wanted)), key=lambda i: -len(wanted[i].figures)):
            rivals = [o for o in free.values() if o.class_title == wanted[index].class_title]
            best = max(rivals, key=lambda o: (_common(o, wanted[index]), -o.id), default=None)
            if best is None or not (_common(best, wanted[index]) or _empty(rivals)):
                continue
            if not _common(best, wanted[index]):
                best = _empty(rivals)[0]
            matched[index] = free.pop(best.id)
        return matched


def _common(held: HeldObject, wanted: WantedObject) -> int:
    return sum(identity in held.figures for identity in wanted.figures)


def _empty(objects: list[HeldObject]) -> list[HeldObject]:
    return [item for item in objects if not item.figures]


def _ids_by_identity(tags: list[Mapping[str, Any]]) -> dict[Identity, list[int]]:
    found: dict[Identity, list[int]] = {}
    for tag in tags:
        found.setdefault(_tag_identity(tag), []).append(int(tag["id"]))
    return {identity: sorted(ids) for identity, ids in found.items()}


def _tag_identity(tag: Mapping[str, Any]) -> Identity:
    frames, value = tag.get("frameRange"), tag.get("value")
    if isinstance(value, int | float):
        value = round(float(value), 4)
    return str(tag.get("name")), tuple(frames) if frames else None, value


def _figure(figure: Mapping[str, Any], frame: int, size: tuple[int, int] | None) -> Json:
    """A figure as it is sent, without its object."""
    geometry = dict(figure.get("geometry") or {})
    if figure.get("geometryType") == "rectangle":
        geometry = _rectangle(geometry, size)
    extra = {name: figure[name] for name in _KEPT if figure.get(name) is not None}
    return {
        "geometryType": figure.get("geometryType"),
        "geometry": geometry,
        "meta": {"frame": frame},
        **extra,
    }


def _figure_identity(figure: Json) -> Identity:
    shape = json.dumps(_plain(figure["geometry"]), sort_keys=True)
    return figure["meta"]["frame"], figure["geometryType"], shape


def _rectangle(geometry: Json, size: tuple[int, int] | None) -> Json:
    """Corners in order, and within the picture: its last row and column are h-1, w-1."""
    exterior = (geometry.get("points") or {}).get("exterior") or []
    if len(exterior) < 2:
        return geometry
    xs, ys = sorted(p[0] for p in exterior), sorted(p[1] for p in exterior)
    if size is not None:
        height, width = size
        xs = [min(max(x, 0), width - 1) for x in xs]
        ys = [min(max(y, 0), height - 1) for y in ys]
    return {"points": {"exterior": [[xs[0], ys[0]], [xs[-1], ys[-1]]], "interior": []}}


def _plain(value: Any) -> Any:
    """A geometry in its normal form."""
    if isinstance(value, Mapping):
        if isinstance(value.get("data"), str) and (shown := _shown(value)) is not None:
            return shown
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_pixel(inner) if _is_number(inner) else _plain(inner) for inner in value]
    return round(float(value), 4) if _is_number(value) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _pixel(value: float) -> int:
    """The nearest whole number; of a half the one above, as instances round."""
    return math.floor(value + 0.5)


def _shown(bitmap: Mapping[str, Any]) -> Json | None:
    """What a bitmap shows, and where, without its empty border; None if it cannot be read."""
    try:
        packed = zlib.decompress(base64.b64decode(bitmap["data"], validate=True))
        left, top = (int(value) for value in bitmap["origin"])
    except (ValueError, KeyError, TypeError, zlib.error):
        return None
    image = cv2.imdecode(np.frombuffer(packed, np.uint8), cv2.IMREAD_UNCHANGED) if packed else None
    if image is None:
        return None
    mask = image if image.ndim == 2 else image[..., -1]
    rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    if not len(rows):
        return {"shown": "nothing"}
    part = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    # All of a mask's pixels count alike, whatever number stands for them.
    flat = np.unique(part[part > 0]).size == 1
    content = (part > 0).astype(np.uint8) if flat else part
    return {
        "shown": hashlib.sha256(np.ascontiguousarray(content).tobytes()).hexdigest(),
        "size": list(part.shape),
        "origin": [left + int(columns[0]), top + int(rows[0])],
    }


def surplus(ids: list[int], known: set[int]) -> list[int]:
    """Of several ids of one thing those that a request left which was done twice."""
    new = [number for number in ids if number not in known]
    return new[1:] if len(new) == len(ids) else new
