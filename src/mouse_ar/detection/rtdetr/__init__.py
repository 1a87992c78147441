"""RT-DETRv2 in this process: the detectors that labs have trained."""

from __future__ import annotations

from mouse_ar.detection.rtdetr.detector import DetectorOptions, RawOutputs, RTDetrV2Detector
from mouse_ar.detection.rtdetr.errors import CheckpointError, DetectorFailedError
from mouse_ar.detection.rtdetr.loading import load_rtdetrv2, save_rtdetrv2

__all__ = [
    "CheckpointError",
    "DetectorFailedError",
    "DetectorOptions",
    "RTDetrV2Detector",
    "RawOutputs",
    "load_rtdetrv2",
    "save_rtdetrv2",
]
