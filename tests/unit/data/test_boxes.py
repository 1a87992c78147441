from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mouse_ar.core.types import Box
from mouse_ar.data.boxes import box_from_geometry, box_to_geometry

HEIGHT, WIDTH = 480, 640


def edges(size: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(0, size - 1), st.integers(1, size)).filter(lambda e: e[0] < e[1])


@given(columns=edges(WIDTH), rows=edges(HEIGHT))
def test_whole_pixel_boxes_survive_exactly(columns: tuple[int, int], rows: tuple[int, int]) -> None:
    box = Box(columns[0], rows[0], columns[1], rows[1])

    geometry = box_to_geometry(box, height=HEIGHT, width=WIDTH)

    assert geometry is not None
    assert box_from_geometry(geometry) == box


numbers = st.floats(-1000, 1000)


@given(left=numbers, top=numbers, width=st.floats(0.001, 2000), height=st.floats(0.001, 2000))
def test_any_box_lands_inside_or_is_refused(
    left: float, top: float, width: float, height: float
) -> None:
    box = Box(left, top, left + width, top + height)

    geometry = box_to_geometry(box, height=HEIGHT, width=WIDTH)

    outside = box.right <= 0 or box.bottom <= 0 or left >= WIDTH or top >= HEIGHT
    assert (geometry is None) == outside
    if geometry is not None:
        (x0, y0), (x1, y1) = geometry["points"]["exterior"]
        assert 0 <= x0 <= x1 <= WIDTH - 1
        assert 0 <= y0 <= y1 <= HEIGHT - 1
        assert all(isinstance(v, int) for v in (x0, y0, x1, y1))


def test_full_picture_ends_at_the_last_pixel() -> None:
    geometry = box_to_geometry(Box(0, 0, WIDTH, HEIGHT), height=HEIGHT, width=WIDTH)

    assert geometry == {"points": {"exterior": [[0, 0], [639, 479]], "interior": []}}


def test_corners_may_come_in_any_order() -> None:
    assert box_from_geometry({"points": {"exterior": [[29, 10], [10, 39]]}}) == Box(10, 10, 30, 40)


def test_polygon_gives_its_bounding_box_and_a_mask_none() -> None:
    triangle = {"points": {"exterior": [[5, 5], [9, 6], [7, 20]], "interior": []}}

    assert box_from_geometry(triangle) == Box(5, 5, 10, 21)
    assert box_from_geometry({"bitmap": {"data": "eJw", "origin": [1, 2]}}) is None
