"""Logistic regressions on 14x14 pixels and frame differences of the clips of rats."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from rat_clips import RatClips, clip_window
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mouse_ar.core.types import ClipSpec
from mouse_ar.video.reader import open_video

__all__ = ["linear_scores", "reference_scores"]

SIDE = 14
# Height of the picture in which boxes.csv has its boxes.
_BOXES_HEIGHT = 1080


def linear_scores(train: RatClips, test: RatClips, *, spec: ClipSpec) -> np.ndarray:
    """Probability of grooming from the network's own crops, made small: (N,).

    The strength of the regularisation, 0.1, does as well as any on the inner split.
    """
    small = replace(spec, input_size=SIDE)
    crops = [
        np.stack([_grey(clip_window(record, spec=small)) for record in clips.records])
        for clips in (train, test)
    ]
    return _fitted(crops[0], train, crops[1], strength=0.1)


def reference_scores(train: RatClips, test: RatClips, *, data: Path) -> np.ndarray:
    """The same from the boxes that come with the data, squeezed to a square: (N,).

    This is how macro F1 0.859 comes about for the date 6/23 trained on the other two.
    """
    boxes = _read_boxes(data / "rat_homecage_clips" / "boxes.csv")
    return _fitted(_squeezed(train, boxes), train, _squeezed(test, boxes), strength=0.01)


def _fitted(
    train_NTHW: np.ndarray, clips: RatClips, test_NTHW: np.ndarray, *, strength: float
) -> np.ndarray:
    model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=2000))
    model.fit(_features(train_NTHW), clips.grooming_N)
    return np.asarray(model.predict_proba(_features(test_NTHW))[:, 1])


def _features(grey_NTHW: np.ndarray) -> np.ndarray:
    """Pixels of every frame and the sizes of their changes: (N, F)."""
    change_NTHW = np.abs(np.diff(grey_NTHW, axis=1))
    return np.concatenate([part.reshape(len(part), -1) for part in (grey_NTHW, change_NTHW)], 1)


def _grey(frames_THWC: np.ndarray) -> np.ndarray:
    return np.asarray(frames_THWC.mean(axis=-1) / 255.0)


def _read_boxes(path: Path) -> dict[str, list[list[float]]]:
    """Boxes [left, top, right, bottom] of all frames by the name of the clip."""
    boxes: dict[str, list[list[float]]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            corners = [float(row[name]) for name in ("x1", "y1", "x2", "y2")]
            boxes.setdefault(Path(row["clip"]).stem, []).append(corners)
    return boxes


def _squeezed(clips: RatClips, boxes: dict[str, list[list[float]]]) -> np.ndarray:
    found = []
    for record, video in zip(clips.records, clips.videos, strict=True):
        box_F4 = np.array(boxes[Path(video.file).stem]) * record.height / _BOXES_HEIGHT
        left, top = box_F4[:, :2].min(axis=0).astype(int)
        right, bottom = box_F4[:, 2:].max(axis=0).astype(int)
        with open_video(record.path) as reader:
            frames = reader.get_batch(range(record.num_frames))
        parts = [
            cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
            for part in frames[:, top:bottom, left:right]
        ]
        found.append(_grey(np.stack(parts)))
    return np.stack(found)
