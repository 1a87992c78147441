"""Detection in few frames: every n-th, and between them where the mouse moves fast."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np

from mouse_ar.detection.protocol import Detection, Detector
from mouse_ar.video.reader import Picture

__all__ = ["STILL_IOU", "detect_sparsely"]

# Boxes that overlap at least this much are joined by a line; between others is looked again.
STILL_IOU = 0.6

_BATCH_FRAMES = 16

Found = dict[int, list[Detection]]


def detect_sparsely(
    pictures: Iterable[tuple[int, Picture]],
    *,
    num_frames: int,
    detector: Detector,
    detect_every: int,
    still_iou: float = STILL_IOU,
    held_frames: int = 64,
    after: tuple[int, list[Detection]] | None = None,
) -> Iterator[tuple[int, list[Detection]]]:
    """Detections of every n-th frame and of the last, and of frames between where boxes change.

    Halfway between two frames whose boxes overlap too little is looked again, and so on down to
    single frames. A mouse that comes or goes is a change as well.

    Args:
        pictures: all frames, in order; read once.
        num_frames: how many they are.
        detector: prepared for the video.
        detect_every: step.
        still_iou: least overlap that is no change; 0 looks at every n-th frame alone.
        held_frames: most frames that are kept to look again (at least ``detect_every``).
        after: the last frame that was looked at, to go on there; pictures follow it.

    Yields:
        Frame and its detections, ascending.
    """
    steps = max(1, min(_BATCH_FRAMES, held_frames // detect_every))
    last: Found = dict([after]) if after else {}
    chunk: dict[int, Picture] = {}
    due: list[int] = []
    for frame, picture in pictures:
        chunk[frame] = picture
        is_last = frame == num_frames - 1
        if frame % detect_every == 0 or is_last:
            due.append(frame)
        if len(due) == steps or is_last:
            found = last | _detect(chunk, due, detector=detector)
            while between := list(_changes(found, still_iou=still_iou)):
                found |= _detect(chunk, between, detector=detector)
            yield from ((n, found[n]) for n in sorted(found.keys() - last.keys()))
            last = {frame: found[frame]}
            chunk, due = {}, []


def _detect(chunk: dict[int, Picture], frames: Sequence[int], *, detector: Detector) -> Found:
    """Detections in some frames of a chunk, by frame."""
    found: Found = {}
    for start in range(0, len(frames), _BATCH_FRAMES):
        batch = frames[start : start + _BATCH_FRAMES]
        detections = detector.detect(np.stack([chunk[frame]() for frame in batch]))
        found.update(zip(batch, detections, strict=True))
    return found


def _changes(found: Found, *, still_iou: float) -> Iterator[int]:
    """Frames halfway between neighbours whose detections differ."""
    for start, stop in pairwise(sorted(found)):
        if stop - start > 1 and not _alike(found[start], found[stop], still_iou=still_iou):
            yield (start + stop) // 2


def _alike(one: Sequence[Detection], other: Sequence[Detection], *, still_iou: float) -> bool:
    """Whether the best box of either frame is found again in the other."""
    if not one or not other:
        return not one and not other
    return all(
        max(best.box.iou(d.box) for d in others) >= still_iou
        for best, others in ((one[0], other), (other[0], one))
    )
