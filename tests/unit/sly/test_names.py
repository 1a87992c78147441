from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mouse_ar.data.project_layout import NESTED_DIR
from mouse_ar.sly.names import (
    dataset_from_local,
    dataset_to_local,
    name_from_local,
    name_to_local,
)

NAME = st.text(st.sampled_from("a%2F/\\.. éß\x00中videoannts_"), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("name", "local"),
    [
        ("mouse 1.v2.mp4", "mouse 1.v2.mp4"),
        ("Käfig № 3.mp4", "Käfig № 3.mp4"),
        ("50% off.mp4", "50% off.mp4"),
        ("a/b.mp4", "a%2Fb.mp4"),
        ("a%2Fb.mp4", "a%252Fb.mp4"),
        ("..", "%2E."),
        (".x.mp4", "%2Ex.mp4"),
        ("datasets", "dataset%73"),
    ],
)
def test_names_of_videos(name: str, local: str) -> None:
    assert name_to_local(name) == local
    assert name_from_local(local) == name


def test_datasets() -> None:
    path = ("Johann", "day 1/2", "video")

    assert dataset_to_local(path) == "Johan%6E/day 1%2F2/vide%6F"
    assert dataset_from_local(dataset_to_local(path)) == path
    assert dataset_from_local("video_2/a%20b/Johann") == ("video_2", "a%20b", "Johann")


@given(st.lists(NAME, min_size=1, max_size=3))
def test_nothing_is_lost(names: list[str]) -> None:
    local = dataset_to_local(names)
    parts = local.split("/")

    assert len(parts) == len(names)
    assert not any(p.startswith(".") or p in {"", NESTED_DIR, "video", "ann"} for p in parts)
    assert dataset_from_local(local) == tuple(names)
    for name in names:
        assert name_from_local(name_to_local(name)) == name


@given(NAME, NAME)
def test_two_names_stay_two(one: str, other: str) -> None:
    if one != other:
        assert name_to_local(one) != name_to_local(other)
        assert dataset_to_local([one]) != dataset_to_local([other])
