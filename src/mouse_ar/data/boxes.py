"""Mouse boxes <-> rectangles of the labeler.

A rectangle there names its first and last pixel (both inside the picture); a
:class:`~mouse_ar.core.types.Box` is half-open. Whole-pixel boxes survive the round trip exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mouse_ar.core.types import Box

__all__ = ["box_from_geometry", "box_to_geometry"]


def box_to_geometry(box: Box, *, height: int, width: int) -> dict[str, Any] | None:
    """Rectangle geometry of a box, rounded to whole pixels and cut to the picture.

    Args:
        box: half-open box in pixels.
        height: height of the picture in pixels.
        width: width of the picture in pixels.

    Returns:
        The ``geometry`` value of a figure, or None when nothing of the box is in the picture.
    """
    horizontal = _pixels(box.left, box.right, width)
    vertical = _pixels(box.top, box.bottom, height)
    if horizontal is None or vertical is None:
        return None
    (left, right), (top, bottom) = horizontal, vertical
    return {"points": {"exterior": [[left, top], [right, bottom]], "interior": []}}


def box_from_geometry(geometry: Mapping[str, Any]) -> Box | None:
    """Box around the outline of a rectangle or polygon, or None when it has no outline.

    The two corners of a rectangle may come in any order.
    """
    exterior = (geometry.get("points") or {}).get("exterior") or []
    if len(exterior) < 2:
        return None
    columns = [float(point[0]) for point in exterior]
    rows = [float(point[1]) for point in exterior]
    return Box(min(columns), min(rows), max(columns) + 1, max(rows) + 1)


def _pixels(start: float, stop: float, size: int) -> tuple[int, int] | None:
    """First and last pixel of [start, stop) within [0, size), at least one pixel wide."""
    if stop <= 0 or start >= size:
        return None
    first = min(max(round(start), 0), size - 1)
    last = min(max(round(stop), 0), size) - 1
    return first, max(first, last)
