from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mouse_ar.core.types import Bout, Box, Interval, Track
from mouse_ar.data.annotation_json import annotation_to_json
from mouse_ar.data.annotations import ProjectTag, VideoAnnotation, parse_annotation
from mouse_ar.data.config_files import load_actions

ACTIONS = load_actions()
GROOMING, TWITCH = ACTIONS.names
TYPES = {GROOMING: "none", TWITCH: "none", "uncertain": "none", "reviewed": "none"}
FRAMES = 50


def content(**changes: Any) -> dict[str, Any]:
    empty = {"tags": [], "objects": [], "frames": [], "framesCount": FRAMES, "description": ""}
    return {"size": {"height": 48, "width": 64}, **empty, **changes}


def parse(*tags: dict[str, Any], **changes: Any) -> VideoAnnotation:
    return parse_annotation(content(tags=list(tags), **changes), actions=ACTIONS)


def tag(name: str, *frames: int, **more: Any) -> dict[str, Any]:
    return {"name": name, **({"frameRange": list(frames)} if frames else {}), **more}


intervals = st.tuples(st.integers(0, FRAMES - 1), st.integers(1, FRAMES)).filter(
    lambda e: e[0] < e[1]
)
bouts = st.builds(
    lambda edges, name: Bout(Interval(*edges), name), intervals, st.sampled_from(ACTIONS.names)
)


@given(bouts=st.sets(bouts, max_size=8), ignored=st.sets(intervals, max_size=4))
def test_writing_and_reading_gives_the_same(
    bouts: set[Bout], ignored: set[tuple[int, int]]
) -> None:
    first = VideoAnnotation(
        num_frames=FRAMES,
        height=48,
        width=64,
        bouts=tuple(sorted(bouts)),
        ignored=tuple(sorted(Interval(*edges) for edges in ignored)),
        video_tags=(ProjectTag("reviewed"),),
        track=Track.from_boxes(FRAMES, {3: Box(1, 2, 30, 48), 49: Box(0, 0, 64, 48)}),
    )

    data = annotation_to_json(first, video_key="a/b.mp4", value_types=TYPES)
    second = parse_annotation(data, actions=ACTIONS)

    assert second.bouts == first.bouts
    assert second.ignored == first.ignored
    assert second.video_tags == first.video_tags
    assert second.problems == ()
    assert second.track is not None
    assert first.track is not None
    np.testing.assert_array_equal(second.track.boxes_T4, first.track.boxes_T4)
    assert annotation_to_json(second, video_key="a/b.mp4", value_types=TYPES) == data


def test_tags_become_bouts_by_name_alias_and_case() -> None:
    annotation = parse(tag("self-grooming", 0, 4), tag("HTR", 9, 9), tag("Idle", 20, 30))

    assert annotation.bouts == (Bout(Interval(0, 5), GROOMING), Bout(Interval(9, 10), TWITCH))
    assert annotation.tags == (ProjectTag("Idle", Interval(20, 31)),)
    assert annotation.unknown_tags == ()


def test_what_to_review_is_neither_a_label_nor_unknown() -> None:
    annotation = parse(tag("review", 3, 9, value="doubtful"))

    assert annotation.tags == (ProjectTag("review", Interval(3, 10), "doubtful"),)
    assert annotation.bouts == annotation.unknown_tags == annotation.problems == ()


def test_unknown_tags_are_kept_and_listed() -> None:
    annotation = parse(tag("rearing", 1, 2), tag("sniff", 3, 4, value=2), tag("rearing", 8, 9))

    assert annotation.unknown_tags == ("rearing", "sniff")
    assert [t.name for t in annotation.tags] == ["rearing", "sniff", "rearing"]
    assert annotation.tags[1].value == 2


@pytest.mark.parametrize(
    ("frames", "kept", "text"),
    [
        ([9, 5], None, "end lies before the start; skipped"),
        ([40, 80], Interval(40, 50), "the video has 50 frames; cut to [40, 49]"),
        ([-3, 2], Interval(0, 3), "cut to [0, 2]"),
        ([50, 60], None, "the video has 50 frames; skipped"),
        ([1], None, "expected [first, last]; skipped"),
        ("abc", None, "expected [first, last]; skipped"),
        ([None, 3], None, "expected [first, last]; skipped"),
    ],
)
def test_impossible_ranges_are_described(frames: Any, kept: Interval | None, text: str) -> None:
    annotation = parse({"name": GROOMING, "frameRange": frames})

    assert [b.interval for b in annotation.bouts] == ([] if kept is None else [kept])
    assert len(annotation.problems) == 1
    assert text in annotation.problems[0]
    assert GROOMING in annotation.problems[0]


def test_confidence_comes_from_the_value() -> None:
    annotation = parse(tag(GROOMING, 0, 1, value=0.25), tag(GROOMING, 2, 3, value=95))

    assert [b.confidence for b in annotation.bouts] == [0.25, 1.0]
    assert "value 95 is no confidence" in annotation.problems[0]


def test_same_tag_twice_counts_once_and_is_reported() -> None:
    annotation = parse(*[tag(GROOMING, 0, 4)] * 3, tag(GROOMING, 0, 5))

    assert [b.interval.stop for b in annotation.bouts] == [5, 6]
    assert annotation.problems == (
        "tag 'Self-Grooming' is there 3 times on frames [0, 4]: counted once",
    )


def test_tags_on_whole_videos_and_objects() -> None:
    objects = [{"key": "k", "classTitle": "mouse", "tags": [tag(GROOMING, 1, 5), tag("tail")]}]
    annotation = parse(tag("Reviewed"), tag(GROOMING), objects=objects)

    assert annotation.has_video_tag("reviewed")
    assert annotation.bouts == ()
    assert "has no frame range" in annotation.problems[0]
    assert "on an object instead of the video" in annotation.problems[1]


def figure(object_key: str, shape: str = "rectangle", **geometry: Any) -> dict[str, Any]:
    return {"objectKey": object_key, "geometryType": shape, "geometry": geometry}


def rectangle(object_key: str, *corners: int) -> dict[str, Any]:
    left, top, right, bottom = corners
    return figure(object_key, points={"exterior": [[left, top], [right, bottom]], "interior": []})


def test_track_joins_objects_and_takes_the_largest_box() -> None:
    objects = [
        {"key": "a", "classTitle": "mouse", "tags": []},
        {"key": "b", "classTitle": "Mouse", "tags": []},
        {"key": "c", "classTitle": "bedding", "tags": []},
    ]
    frames = [
        {"index": 0, "figures": [rectangle("a", 0, 0, 9, 9)]},
        {"index": 1, "figures": [rectangle("a", 0, 0, 3, 3), rectangle("b", 0, 0, 8, 8)]},
        {"index": 2, "figures": [rectangle("c", 0, 0, 60, 40), figure("a", "bitmap")]},
        {"index": 50, "figures": [rectangle("a", 0, 0, 3, 3)]},
    ]

    annotation = parse(objects=objects, frames=frames)

    assert annotation.track is not None
    assert annotation.track.box(0) == Box(0, 0, 10, 10)
    assert annotation.track.box(1) == Box(0, 0, 9, 9)
    assert annotation.track.box(2) is None
    assert annotation.problems == (
        "1 x further mouse boxes in a frame; the largest is taken",
        "1 x figures of class 'bedding' are not read",
        "1 x mouse figures of shape 'bitmap' have no box and are not read",
        "1 x boxes beyond the 50 frames of the video; skipped",
    )


def test_no_boxes_is_no_track() -> None:
    assert parse().track is None


@pytest.mark.parametrize("changes", [{"framesCount": None}, {"size": None}, {"size": {"width": 5}}])
def test_missing_size_is_an_error(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected 'size'"):
        parse(**changes)


def test_bout_beyond_the_video_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit into a video of 10 frames"):
        VideoAnnotation(num_frames=10, height=5, width=5, bouts=(Bout(Interval(5, 11), GROOMING),))


def test_values_follow_the_type_of_the_tag() -> None:
    annotation = VideoAnnotation(
        num_frames=10, height=5, width=5, bouts=(Bout(Interval(0, 4), GROOMING, 1 / 3),)
    )

    def value(kind: str) -> Any:
        data = annotation_to_json(annotation, video_key="k", value_types={GROOMING: kind})
        return data["tags"][0].get("value")

    assert value("none") is None
    assert value("any_number") == 0.3333
    with pytest.raises(ValueError, match="takes values of type 'any_string'"):
        value("any_string")


def test_uncertain_frames_are_ignored() -> None:
    annotation = parse(tag("uncertain", 2, 3), tag("Uncertain", 48, 49))

    assert annotation.ignored == (Interval(2, 4), Interval(48, 50))
    assert annotation.unknown_tags == ()
