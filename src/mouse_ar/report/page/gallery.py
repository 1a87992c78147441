"""The worst errors as small looping clips, to see at a glance what the model got wrong."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.bout_errors import BoutError, ErrorKind
from mouse_ar.core.types import ActionScores, Box, Interval
from mouse_ar.data.training_data import VideoRecord
from mouse_ar.report.page.blocks import Block, Picture, Text
from mouse_ar.video.failures import VIDEO_FAILURES
from mouse_ar.video.reader import RandomAccessReader, open_video

__all__ = ["MOST_CLIPS", "error_gallery"]

MOST_CLIPS = 12  # of one action and kind of error
_ALL_BYTES = 1_900_000
_SIDE_PX, _BAR_PX = 150, 5
_MOST_FRAMES, _STEP_MS = 14, 130
_BEFORE_SECONDS = 0.4  # shown on both sides of the bout
_PADDING = 0.25  # around the mouse, as a share of the larger side
_QUALITIES = (62, 40, 20)
_HEADINGS = {
    ErrorKind.FALSE: ("false bouts", "the most confident first"),
    ErrorKind.MISSED: ("missed bouts", "the longest first"),
}

Errors = Mapping[tuple[str, ErrorKind], Sequence[BoutError]]


@dataclass(frozen=True, eq=False)
class _Clip:
    """A shown error with its picture, or why there is none."""

    error: BoutError
    data: bytes | None = None
    cause: str = ""


def error_gallery(
    errors: Errors,
    *,
    records: Sequence[VideoRecord],
    actions: ActionSet,
    scores: Mapping[str, ActionScores],
    timestamps_seconds: Mapping[str, NDArray[np.float64]],
) -> list[Block]:
    """Headings and clips, action by action; all clips together stay below 2 MB.

    A video that cannot be read costs its own clips, which are then listed in words.

    Args:
        errors: of :func:`~mouse_ar.core.bout_errors.bout_errors`.
        records: the videos, by their keys.
        actions: gives the order.
        scores: per-frame probabilities by video, where there are some.
        timestamps_seconds: times of the frames by video; without them frames / fps.
    """
    chosen = {key: list(found[:MOST_CLIPS]) for key, found in errors.items()}
    by_key = {record.key: record for record in records}
    clips = _clips([e for found in chosen.values() for e in found], by_key)
    blocks: list[Block] = []
    for action in actions.actions:
        for kind, (what, order) in _HEADINGS.items():
            found, total = chosen[action.name, kind], len(errors[action.name, kind])
            if not total:
                blocks.append(Text("none.", lead=f"{action.name}, {what}:"))
                continue
            shown = "all" if total == len(found) else f"the first {len(found)} of"
            blocks.append(Text(f"{shown} {total}, {order}.", lead=f"{action.name}, {what}:"))
            for error in found:
                caption = _caption(error, by_key[error.video], scores, timestamps_seconds)
                clip = clips[id(error)]
                if clip.data is None:
                    blocks.append(Text(f"{caption}. No picture: {clip.cause}", warns=True))
                else:
                    blocks.append(Picture(clip.data, "image/webp", caption))
    return blocks


def _caption(
    error: BoutError,
    record: VideoRecord,
    scores: Mapping[str, ActionScores],
    timestamps_seconds: Mapping[str, NDArray[np.float64]],
) -> str:
    interval = error.bout.interval
    first, last = interval.inclusive
    times = timestamps_seconds.get(error.video)
    start = first / record.fps if times is None else float(times[first])
    parts = [error.video, f"frames {first}–{last}", f"{_clock(start)} ({interval.length} frames)"]
    if error.kind is ErrorKind.FALSE:
        parts.append(f"confidence {error.bout.confidence:.2f}")
    elif error.video in scores:
        score_T = scores[error.video].of(error.bout.action)
        parts.append(f"score up to {score_T[interval.start : interval.stop].max():.2f}")
    if error.best_iou > 0:
        other = "a true one" if error.kind is ErrorKind.FALSE else "a predicted one"
        parts.append(f"overlaps {other} (IoU {error.best_iou:.2f})")
    return " · ".join(parts)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{rest:05.2f}" if hours else f"{minutes}:{rest:05.2f}"


def _clips(errors: Sequence[BoutError], records: Mapping[str, VideoRecord]) -> dict[int, _Clip]:
    """By identity of the error; each video is opened once."""
    most_bytes = _ALL_BYTES // max(1, len(errors))
    made: dict[int, _Clip] = {}
    for key in dict.fromkeys(error.video for error in errors):
        record, here = records[key], [error for error in errors if error.video == key]
        try:
            with open_video(record.path) as reader:
                for error in here:
                    frames = _frames(reader, error.bout.interval, record)
                    made[id(error)] = _encoded(error, frames, most_bytes=most_bytes)
        except VIDEO_FAILURES as failure:
            cause = f"the video could not be read ({failure})"
            for error in here:
                made.setdefault(id(error), _Clip(error, cause=cause))
    return made


def _frames(reader: RandomAccessReader, bout: Interval, record: VideoRecord) -> list[Image.Image]:
    """The bout with a little before and after, a red bar below the frames that belong to it."""
    if len(reader) < record.num_frames:
        raise ValueError(f"got {len(reader)} frames, expected {record.num_frames} as labelled")
    around = round(_BEFORE_SECONDS * record.fps)
    start, stop = max(0, bout.start - around), min(len(reader), bout.stop + around)
    wanted = np.unique(np.linspace(start, stop - 1, _MOST_FRAMES).round().astype(int))
    crop = _crop(record, Interval(start, stop))
    pictures = []
    for frame in wanted.tolist():
        picture = Image.fromarray(reader.get_batch([frame])[0])  # one at a time: 4K frames are big
        if crop is not None:
            picture = picture.crop(crop)
        picture.thumbnail((_SIDE_PX, _SIDE_PX))
        canvas = Image.new("RGB", (picture.width, picture.height + _BAR_PX), "white")
        canvas.paste(picture, (0, 0))
        if bout.start <= frame < bout.stop:
            canvas.paste((220, 30, 30), (0, picture.height, picture.width, canvas.height))
        pictures.append(canvas)
    return pictures


def _crop(record: VideoRecord, interval: Interval) -> tuple[int, int, int, int] | None:
    """A square in the picture around all boxes of these frames; None where there are none."""
    found = [record.track.box(frame) for frame in range(interval.start, interval.stop)]
    boxes = [box for box in found if box is not None]
    if not boxes:
        return None
    around = reduce(Box.union, boxes)
    wanted = max(around.width, around.height) * (1 + 2 * _PADDING)
    side = min(round(wanted), record.width, record.height)
    x, y = around.center
    left = min(max(round(x - side / 2), 0), record.width - side)
    top = min(max(round(y - side / 2), 0), record.height - side)
    return left, top, left + side, top + side


def _encoded(error: BoutError, frames: Sequence[Image.Image], *, most_bytes: int) -> _Clip:
    """As an animated WebP, of lower quality where it would grow too large."""
    for quality in _QUALITIES:
        file = io.BytesIO()
        frames[0].save(
            file,
            "WEBP",
            save_all=True,
            append_images=frames[1:],
            duration=_STEP_MS,
            loop=0,
            quality=quality,
            method=4,
        )
        if file.tell() <= most_bytes:
            return _Clip(error, data=file.getvalue())
    return _Clip(error, cause="it would be too large for the page")
