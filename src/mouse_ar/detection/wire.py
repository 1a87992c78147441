"""What goes over the wire between a detector's client and its service.

The protocol is that of a Supervisely serving session (SDK 6.74.51, ``supervisely.nn.inference``):
``POST {url}/inference_batch`` as ``multipart/form-data`` with the images as parts ``files`` and a
text part ``state`` (:func:`request_state`); the answer is a JSON list, one item per image in the
order of the parts, each with an annotation in Supervisely's image format.

A rectangle there has whole-pixel corners: a session hands the model's continuous edges to the SDK
(``sly.Rectangle``), which truncates each. An edge is so anywhere in ``[corner, corner + 1)``, and
read as its middle: right on average, wrong by half a pixel at most. Our own service says, beside
that rectangle, the exact box in the object's field ``boxPx``, which the SDK passes over: a client
that knows it gets the very numbers of the detector.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.types import Box
from mouse_ar.detection.protocol import Detection

__all__ = [
    "BOX_FIELD",
    "CONFIDENCE_TAG",
    "FINGERPRINT_FIELD",
    "JPEG_QUALITY",
    "MAX_REQUEST_BYTES_FIELD",
    "MIN_CONFIDENCE_FIELD",
    "TOKEN_HEADER",
    "ImageFormat",
    "WireError",
    "annotation_from_detections",
    "clean_token",
    "detections_from_annotation",
    "encode_frame",
    "model_meta",
    "request_state",
]

ImageFormat = Literal["jpeg", "png"]

TOKEN_HEADER = "x-api-key"
CONFIDENCE_TAG = "confidence"
BOX_FIELD = "boxPx"
JPEG_QUALITY = 95

# What our service says in its session info beside the SDK's fields.
FINGERPRINT_FIELD = "fingerprint"
MIN_CONFIDENCE_FIELD = "minConfidence"
MAX_REQUEST_BYTES_FIELD = "maxRequestBytes"

# The framework fills in its default for the name that a model uses, unless that very name is sent.
_CONFIDENCE_SETTINGS = ("conf", "confidence", "confidence_threshold", "confidence_thresh")


class WireError(ValueError):
    """An answer that is not of this protocol."""


def clean_token(token: str) -> str:
    """A token as it is sent: without the line end of the file it was copied from.

    Raises:
        ValueError: when no header can hold it; does not show it.
    """
    token = token.strip()
    if not (token.isascii() and token.isprintable()):
        raise ValueError(
            "A token holds plain ASCII characters that can be printed, got others: "
            "was it copied whole, and without what stood around it?"
        )
    return token


def encode_frame(frame_HWC: NDArray[np.uint8], *, image_format: ImageFormat) -> bytes:
    """A frame (uint8 RGB) as a file: JPEG without colour subsampling, or lossless PNG.

    Raises:
        ValueError: on an unknown format, or a frame that the format cannot hold.
    """
    if image_format == "jpeg":
        settings = [
            *(cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY),
            *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
        ]
    elif image_format == "png":
        settings = [cv2.IMWRITE_PNG_COMPRESSION, 1]
    else:
        raise ValueError(
            f"Image format must be one of {', '.join(get_args(ImageFormat))}, got {image_format!r}."
        )
    try:
        done, data = cv2.imencode(
            f".{image_format}", cv2.cvtColor(frame_HWC, cv2.COLOR_RGB2BGR), settings
        )
    except cv2.error as error:
        done, cause = False, f": {error}"
    else:
        cause = ""
    if not done:
        height, width = frame_HWC.shape[:2]
        raise ValueError(
            f"A frame of {width}x{height} pixels cannot be sent as {image_format}{cause}."
        )
    return data.tobytes()


def request_state(*, confidence: float, class_name: str, batch_size: int) -> str:
    """The part ``state`` of a request."""
    settings: dict[str, Any] = dict.fromkeys(_CONFIDENCE_SETTINGS, confidence)
    settings["classes"] = [class_name]
    return json.dumps({"settings": settings, "batch_size": batch_size})


def model_meta(class_name: str) -> dict[str, Any]:
    """The model's only class and its confidence tag, as Supervisely describes them."""
    return {
        "classes": [
            {
                "title": class_name,
                "description": "",
                "shape": "rectangle",
                "color": "#E6194B",
                "geometry_config": {},
                "hotkey": "",
            }
        ],
        "tags": [
            {
                "name": CONFIDENCE_TAG,
                "value_type": "any_number",
                "color": "#3CB44B",
                "hotkey": "",
                "applicable_type": "all",
                "classes": [],
                "target_type": "all",
            }
        ],
        "projectType": "images",
    }


def annotation_from_detections(
    detections: Sequence[Detection], *, class_name: str, height: int, width: int
) -> dict[str, Any]:
    """Annotation of one image, for the SDK's clients and, exactly, for ours.

    Args:
        detections: what was seen in the image.
        class_name: of every object.
        height: of the image, in pixels.
        width: of the image, in pixels.
    """
    return {
        "description": "",
        "tags": [],
        "size": {"height": height, "width": width},
        "objects": [
            {
                "classTitle": class_name,
                "description": "",
                "geometryType": "rectangle",
                "tags": [{"name": CONFIDENCE_TAG, "value": float(detection.score)}],
                "points": {"exterior": _corners(detection.box, height, width), "interior": []},
                BOX_FIELD: [
                    float(side)
                    for side in (
                        detection.box.left,
                        detection.box.top,
                        detection.box.right,
                        detection.box.bottom,
                    )
                ],
            }
            for detection in detections
        ],
    }


def detections_from_annotation(
    annotation: Any, *, class_name: str, confidence: float, size_HW: tuple[int, int]
) -> list[Detection]:
    """Detections of one image, best first.

    Args:
        annotation: as the service sent it.
        class_name: objects of other classes are left out.
        confidence: objects below it are left out; one without a confidence tag counts as sure.
        size_HW: size of the image that was sent: another one means the answer is not to it.

    Raises:
        WireError: when it is not an annotation of that image.
    """
    try:
        size = annotation["size"]["height"], annotation["size"]["width"]
        objects = [obj for obj in annotation["objects"] if obj["classTitle"] == class_name]
        found = [Detection(_box(obj), _score(obj)) for obj in objects]
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise WireError(f"not an annotation with rectangles ({_cause(error)})") from None
    if size != size_HW:
        raise WireError(
            f"an annotation of a {size[1]}x{size[0]} image for one of {size_HW[1]}x{size_HW[0]}"
        )
    return sorted((d for d in found if d.score >= confidence), key=lambda d: -d.score)


def _corners(box: Box, height: int, width: int) -> list[list[int]]:
    """First and last pixel, cut to the image, at least one pixel in size."""
    left, right = _pixels(box.left, box.right, width)
    top, bottom = _pixels(box.top, box.bottom, height)
    return [[left, top], [right, bottom]]


def _pixels(start: float, stop: float, size: int) -> tuple[int, int]:
    first = min(max(round(start), 0), size - 1)
    return first, max(first, min(round(stop), size) - 1)


def _box(obj: Mapping[str, Any]) -> Box:
    if BOX_FIELD in obj:
        left, top, right, bottom = obj[BOX_FIELD]
        return Box(float(left), float(top), float(right), float(bottom))
    exterior = obj["points"]["exterior"]
    columns, rows = [float(p[0]) for p in exterior], [float(p[1]) for p in exterior]
    (left, right), (top, bottom) = _edges(columns), _edges(rows)
    return Box(left, top, right, bottom)


def _edges(corners: Sequence[float]) -> tuple[float, float]:
    """Continuous edges of truncated ones; those within one pixel become its borders."""
    first, last = min(corners), max(corners)
    return (first + 0.5, last + 0.5) if last > first else (first, first + 1)


def _score(obj: Mapping[str, Any]) -> float:
    for tag in obj["tags"]:
        if tag["name"] == CONFIDENCE_TAG:
            return float(tag["value"])
    return 1.0


def _cause(error: Exception) -> str:
    return f"no {error}" if isinstance(error, KeyError) else str(error)
