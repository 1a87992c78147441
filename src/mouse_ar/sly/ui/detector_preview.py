"""The chosen detector on sample frames of the chosen videos, for :class:`DetectorPicker`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np

from mouse_ar.detection.protocol import Detector
from mouse_ar.sly.connection import Connection
from mouse_ar.sly.sample_frames import sample_boxes
from mouse_ar.sly.ui.detector_picker import Preview
from mouse_ar.sly.ui.picked_detector import PickedDetector
from mouse_ar.sly.videos import RemoteVideo

__all__ = ["Opened", "detector_preview"]

# Opens what was picked, and gives up in the end what was started for it.
Opened = Callable[[PickedDetector], AbstractContextManager[Detector]]


def detector_preview(
    opened: Opened,
    connection: Connection,
    *,
    videos: Callable[[], Mapping[str, RemoteVideo]],
    folder: Path,
) -> Preview:
    """A preview that opens the detector, looks at some frames, and closes it.

    Args:
        opened: see :func:`~.opened_detector.opened_detector`.
        connection: to the instance.
        videos: to take frames of, by key, at the time of asking.
        folder: where a whole video is put for a while.
    """

    def preview(picked: PickedDetector) -> Sequence[tuple[str, np.ndarray]]:
        with opened(picked) as detector:
            return sample_boxes(detector, connection, videos(), folder=folder)

    return preview
