"""Frames and boxes over the wire and back."""

from __future__ import annotations

import io
import json
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mouse_ar.core.types import Box
from mouse_ar.detection.protocol import Detection
from mouse_ar.detection.wire import (
    BOX_FIELD,
    WireError,
    annotation_from_detections,
    detections_from_annotation,
    encode_frame,
    model_meta,
    request_state,
)

HEIGHT, WIDTH = 48, 64


def read(annotation: Any, *, class_name: str = "mouse", confidence: float = 0.0) -> list[Detection]:
    return detections_from_annotation(
        annotation, class_name=class_name, confidence=confidence, size_HW=(HEIGHT, WIDTH)
    )


def written(*detections: Detection) -> dict[str, Any]:
    annotation = annotation_from_detections(
        detections, class_name="mouse", height=HEIGHT, width=WIDTH
    )
    return json.loads(json.dumps(annotation))


sides = st.floats(-100, 200, allow_nan=False)


@given(
    left=sides,
    top=sides,
    width=st.floats(0.01, 90),
    height=st.floats(0.01, 90),
    score=st.floats(0, 1),
)
def test_our_own_boxes_come_back_exactly(
    left: float, top: float, width: float, height: float, score: float
) -> None:
    detection = Detection(Box(left, top, left + width, top + height), score)
    annotation = written(detection)
    assert read(annotation) == [detection]
    (x0, y0), (x1, y1) = annotation["objects"][0]["points"]["exterior"]
    assert 0 <= x0 <= x1 < WIDTH
    assert 0 <= y0 <= y1 < HEIGHT


def truncated(box: Box) -> Any:
    """As a session of the SDK writes it."""
    annotation = written(Detection(box, 0.5))
    del annotation["objects"][0][BOX_FIELD]
    corners = [[int(box.left), int(box.top)], [int(box.right), int(box.bottom)]]
    annotation["objects"][0]["points"]["exterior"] = corners
    return annotation


@given(
    left=st.floats(0, WIDTH - 1),
    top=st.floats(0, HEIGHT - 1),
    width=st.floats(0.1, WIDTH),
    height=st.floats(0.1, HEIGHT),
)
def test_truncated_edges_are_read_half_a_pixel_wrong_at_most(
    left: float, top: float, width: float, height: float
) -> None:
    box = Box(left, top, left + width, top + height)
    (read_box,) = (d.box for d in read(truncated(box)))
    for side in ("left", "top", "right", "bottom"):
        within_a_pixel = int(left) == int(left + width) or int(top) == int(top + height)
        most = 1.0 if within_a_pixel else 0.5
        assert abs(getattr(read_box, side) - getattr(box, side)) <= most


def test_truncated_edges_are_read_right_on_average() -> None:
    rng = np.random.default_rng(0)
    starts, sizes = rng.uniform(0, 30, (2000, 2)), rng.uniform(2, 30, (2000, 2))
    boxes = [Box(*start, *(start + size)) for start, size in zip(starts, sizes)]
    wrong = np.array(
        [
            [r.left - b.left, r.top - b.top, r.right - b.right, r.bottom - b.bottom]
            for b, (r,) in ((b, [d.box for d in read(truncated(b))]) for b in boxes)
        ]
    )
    assert np.abs(wrong.mean(axis=0)).max() < 0.03


def test_a_rectangle_within_one_pixel_is_that_pixel() -> None:
    assert [d.box for d in read(truncated(Box(3.2, 4.1, 3.7, 4.3)))] == [Box(3, 4, 4, 5)]
    assert [d.box for d in read(truncated(Box(3.2, 4.1, 5.7, 4.3)))] == [Box(3.5, 4, 5.5, 5)]


def test_the_sdk_reads_what_we_write_and_we_what_it_writes(sly: ModuleType) -> None:
    meta = sly.ProjectMeta.from_json(model_meta("mouse"))
    ours = written(Detection(Box(3, 4, 10, 20), 0.75))
    theirs = sly.Annotation.from_json(ours, meta)
    rectangle = theirs.labels[0].geometry
    assert (rectangle.left, rectangle.top, rectangle.right, rectangle.bottom) == (3, 4, 9, 19)
    assert theirs.labels[0].tags.get("confidence").value == 0.75
    assert read(theirs.to_json()) == [Detection(Box(3.5, 4.5, 9.5, 19.5), 0.75)]
    # Edges between pixels are truncated there.
    label = sly.Label(sly.Rectangle(4.9, 3.9, 19.9, 9.9), meta.get_obj_class("mouse"))
    fractions = sly.Annotation((HEIGHT, WIDTH), [label]).to_json()
    assert [d.box for d in read(fractions)] == [Box(3.5, 4.5, 9.5, 19.5)]


def test_class_confidence_and_order() -> None:
    boxes = [Detection(Box(0, 0, 5 + n, 5), score) for n, score in enumerate((0.3, 0.9, 0.5))]
    annotation = written(*boxes)
    assert [d.score for d in read(annotation)] == [0.9, 0.5, 0.3]
    assert [d.score for d in read(annotation, confidence=0.5)] == [0.9, 0.5]
    annotation["objects"][1]["classTitle"] = "rat"
    assert [d.score for d in read(annotation)] == [0.5, 0.3]
    annotation["objects"][0]["tags"] = []
    assert [d.score for d in read(annotation)] == [1.0, 0.5]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("size"), "no 'size'"),
        (lambda a: a["size"].update(height=47), "of a 64x47 image for one of 64x48"),
        (lambda a: a.update(objects=None), "not an annotation"),
        (lambda a: a["objects"][0].pop("points") and a["objects"][0].pop(BOX_FIELD), "no 'points'"),
        (lambda a: a["objects"][0].update({BOX_FIELD: [1, 2, 3]}), "not an annotation"),
        (lambda a: a["objects"][0].update({BOX_FIELD: [5, 5, 1, 1]}), "left < right"),
        (lambda a: a["objects"][0]["tags"][0].update(value=7), "within 0..1"),
        (lambda a: a["objects"][0]["tags"][0].update(value=None), "not an annotation"),
    ],
)
def test_anything_else_is_no_annotation(change: Any, message: str) -> None:
    annotation = written(Detection(Box(3, 4, 10, 20), 0.75))
    change(annotation)
    with pytest.raises(WireError, match=message):
        read(annotation)


@pytest.mark.parametrize("nothing", [None, [], "x", 3, {}])
def test_nothing_is_no_annotation(nothing: Any) -> None:
    with pytest.raises(WireError):
        read(nothing)


def test_frames_keep_their_pixels() -> None:
    frame = np.random.default_rng(0).integers(0, 255, (31, 17, 3), dtype=np.uint8)
    png = Image.open(io.BytesIO(encode_frame(frame, image_format="png")))
    np.testing.assert_array_equal(np.asarray(png), frame)
    ramp = np.zeros((32, 32, 3), np.uint8)
    ramp[:, :, 0] = np.arange(0, 256, 8)  # colour alone: subsampling would blur it
    jpeg = Image.open(io.BytesIO(encode_frame(ramp, image_format="jpeg")))
    assert {part[1:3] for part in jpeg.layer} == {(1, 1)}
    assert np.abs(np.asarray(jpeg).astype(int) - ramp).max() <= 6


def test_what_cannot_be_sent() -> None:
    frame = np.zeros((4, 4, 3), np.uint8)
    with pytest.raises(ValueError, match="one of jpeg, png, got 'gif'"):
        encode_frame(frame, image_format="gif")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="70000x1 pixels cannot be sent as jpeg"):
        encode_frame(np.zeros((1, 70000, 3), np.uint8), image_format="jpeg")


def test_state_names_the_confidence_as_every_model_may() -> None:
    state = json.loads(request_state(confidence=0.3, class_name="mouse", batch_size=4))
    assert state == {
        "settings": {
            "conf": 0.3,
            "confidence": 0.3,
            "confidence_threshold": 0.3,
            "confidence_thresh": 0.3,
            "classes": ["mouse"],
        },
        "batch_size": 4,
    }
