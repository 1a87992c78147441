"""Which detector a command uses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Annotated

import typer

from mouse_ar.detection.choice import DETECTOR_FORMS, DetectorChoice, open_detector
from mouse_ar.detection.protocol import Detector
from mouse_ar.detection.remote import RemoteDetector
from mouse_ar.detection.wire import ImageFormat

__all__ = [
    "CONFIDENCE",
    "ClassOption",
    "ConfidenceOption",
    "DetectorOption",
    "ImagesOption",
    "chosen_detector",
]

CONFIDENCE = 0.4

DetectorOption = Annotated[
    str, typer.Option("--detector", help=f"What finds the mouse: {DETECTOR_FORMS}.")
]
ClassOption = Annotated[
    str | None,
    typer.Option(
        "--detector-class", help="The model's class that is the mouse, if it has several."
    ),
]
ConfidenceOption = Annotated[
    float,
    typer.Option("--detector-confidence", help="Least score of a model's box.", min=0.0, max=1.0),
]
ImagesOption = Annotated[
    ImageFormat,
    typer.Option("--detector-images", help="How frames go to a served detector; png is exact."),
]


@contextmanager
def chosen_detector(
    choice: str,
    *,
    class_name: str | None,
    confidence: float,
    images: ImageFormat,
    device: str | None,
) -> Iterator[Detector]:
    """The detector of the options; what was deployed for it is stopped in the end.

    A checkpoint in Team Files is deployed into the workspace of ``WORKSPACE_ID``, on the computer
    of ``AGENT_ID`` if that is set.
    """
    options = {
        "class_name": class_name,
        "confidence": confidence,
        "image_format": images,
        "device": device,
    }
    with ExitStack() as stack:
        sessions = None
        if DetectorChoice.parse(choice).kind in {"session", "deploy"}:
            # The SDK takes seconds to import, and is not needed otherwise.
            from mouse_ar.sly.sessions import open_sessions

            sessions = stack.enter_context(open_sessions())
        detector = open_detector(choice, sessions=sessions, **options)
        if isinstance(detector, RemoteDetector):
            stack.enter_context(detector)
        yield detector
