"""Filters, order, fields and pages of lists."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from supervisely_double.errors import demand
from supervisely_double.registry import Call

if TYPE_CHECKING:
    from supervisely_double.double import Double

Json = dict[str, Any]

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": lambda value, wanted: value in wanted,
}
# Names that requests use for fields of the answer.
_ALIASES = {
    "title": "name",
    "groupId": "teamId",
    "videoMeta": "fileMeta",
    "imageId": "entityId",
    "remoteDataId": "link",
}


def paged(double: Double, call: Call, entities: list[Json]) -> Json:
    """A page as ``get_list_all_pages`` and, by token, its generator expect it."""
    demand(not call.get("filters"), "'filters' (smart collections) are not part of this double")
    kept = [e for e in entities if all(_matches(e, f) for f in call.get("filter") or [])]
    by = call.get("sort", "id")
    demand(not kept or by in kept[0], f"Cannot sort by {by!r}")
    order = call.get("sort_order", "asc")
    demand(order in ("asc", "desc"), f"sort_order: got {order!r}")
    kept.sort(key=lambda entity: (entity[by], entity["id"]), reverse=order == "desc")
    size = call.get("per_page", double.page_size)
    demand(isinstance(size, int) and 0 < size <= 500, f"per_page: expected 1 to 500, got {size!r}")
    total, pages = len(kept), max(1, math.ceil(len(kept) / size))
    answer = {"total": total, "perPage": size, "pagesCount": pages}
    if call.get("pagination_mode") == "token" or "after" in call.data:
        start = int(call.get("after", 0))
        answer["after"] = str(start + size) if start + size < total else None
    else:
        page = call.get("page", 1)
        demand(isinstance(page, int) and page >= 1, f"page: got {page!r}")
        start = (page - 1) * size
    chosen = kept[start : start + size]
    return {"entities": [_select(e, call.get("fields")) for e in chosen], **answer}


def _matches(entity: Json, wanted: Json) -> bool:
    demand({"field", "operator", "value"} <= wanted.keys(), f"Not a filter: {wanted}")
    field = _ALIASES.get(wanted["field"], wanted["field"])
    demand(field in entity, f"Cannot filter by {wanted['field']!r}")
    demand(wanted["operator"] in _OPERATORS, f"Unknown operator {wanted['operator']!r}")
    return _OPERATORS[wanted["operator"]](entity[field], wanted["value"])


def _select(entity: Json, fields: list[str] | None) -> Json:
    if not fields:
        return entity
    names = {"id", *(_ALIASES.get(field, field) for field in fields if isinstance(field, str))}
    return {name: value for name, value in entity.items() if name in names}
