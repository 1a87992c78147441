"""Draws bouts, the mouse's box and a timeline into a copy of a video, for review by eye."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from mouse_ar.core.types import Bout, Box, Ethogram, Interval, Track
from mouse_ar.video._targets import require_distinct
from mouse_ar.video.probe import VideoMeta, probe
from mouse_ar.video.reader import iter_frames
from mouse_ar.video.writer import VideoWriter

__all__ = ["write_overlay"]

Color = tuple[int, int, int]
Image_HWC = NDArray[np.uint8]

_MIN_SIDE_PX = 480  # smaller pictures are enlarged, or the text would cover the mouse
_FONT_PX = 18
_PAD_PX = 6
_ROW_PX = _FONT_PX + 2 * _PAD_PX
_LINGER_SECONDS = 0.5  # a twitch of three frames is over before its name can be read
_BACKGROUND: Color = (24, 24, 27)
_RUNNING, _OVER = 0.8, 0.5  # opacity of names; the picture below must stay visible
_LANE: Color = (52, 52, 58)
_TEXT: Color = (240, 240, 240)
_BOX: Color = (255, 255, 255)


def write_overlay(
    source: Path | str,
    target: Path | str,
    *,
    ethograms: Mapping[str, Ethogram],
    colors: Mapping[str, Color],
    track: Track | None = None,
    interval: Interval | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write an MP4 with box, names and confidences of running bouts, and a timeline below.

    Videos smaller than 480 px are enlarged so that the text stays readable. A name stays on
    screen, dimmed, for half a second even when its bout is shorter.

    Args:
        source: the video.
        target: the MP4 to write.
        ethograms: what to show, by the name of the row, e.g. ``{"true": ..., "predicted": ...}``;
            frames count from the start of the source.
        colors: RGB by action.
        track: the mouse's boxes in source pixels.
        interval: part of the source to show; None is all of it.
        progress: called with (frames done, frames to do).

    Raises:
        VideoError: the source cannot be read, or the target not be written.
        ValueError: the target is the source, an ethogram or the track has another number of frames
            than the video, the interval reaches outside it, or a color is missing.
    """
    require_distinct(source, [target])
    meta = probe(source)
    _check(meta, ethograms, colors, track, interval)
    interval = interval or Interval(0, meta.num_frames)
    painter = _Painter(meta, ethograms=ethograms, colors=colors, track=track, interval=interval)
    height, width = painter.shape
    with VideoWriter(target, width=width, height=height, fps=meta.fps, crf=20) as writer:
        frames = iter_frames(source, start=interval.start, stop=interval.stop, meta=meta)
        for done, (index, frame_HWC) in enumerate(frames, start=1):
            writer.write(painter.paint(index, frame_HWC), float(meta.timestamps_seconds[index]))
            if progress:
                progress(done, interval.length)


def _check(
    meta: VideoMeta,
    ethograms: Mapping[str, Ethogram],
    colors: Mapping[str, Color],
    track: Track | None,
    interval: Interval | None,
) -> None:
    lengths = {f"ethogram {name!r}": e.num_frames for name, e in ethograms.items()}
    if track is not None:
        lengths["track"] = track.num_frames
    for what, num_frames in lengths.items():
        if num_frames != meta.num_frames:
            raise ValueError(
                f"{meta.path}: the {what} has {num_frames} frames, but the video has "
                f"{meta.num_frames}. They must belong to the same video."
            )
    if interval is not None and (interval.start < 0 or interval.stop > meta.num_frames):
        raise ValueError(
            f"{meta.path}: got frames {interval.inclusive}, expected frames within "
            f"0..{meta.num_frames - 1}."
        )
    missing = {b.action for e in ethograms.values() for b in e.bouts} - set(colors)
    if missing:
        raise ValueError(f"colors lacks {sorted(missing)}; it has {sorted(colors)}.")


class _Painter:
    """Paints single frames; everything that does not change is drawn once."""

    def __init__(
        self,
        meta: VideoMeta,
        *,
        ethograms: Mapping[str, Ethogram],
        colors: Mapping[str, Color],
        track: Track | None,
        interval: Interval,
    ) -> None:
        self._meta, self._track, self._interval, self._colors = meta, track, interval, colors
        self._scale = max(1.0, _MIN_SIDE_PX / min(meta.width, meta.height))
        self._width = round(meta.width * self._scale)
        self._height = round(meta.height * self._scale)
        self._labels: dict[tuple[str, Color], Image_HWC] = {}
        self._running = _running(ethograms, interval, meta.fps)
        self._strip_left = _PAD_PX + max(
            (self._label(name, _TEXT).shape[1] for name in ethograms), default=0
        )
        self._strip_HWC = self._draw_strip(ethograms)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the painted frames."""
        return self._height + len(self._strip_HWC), self._width

    def paint(self, index: int, frame_HWC: Image_HWC) -> Image_HWC:
        """One frame of the overlay video."""
        picture_HWC = _resize(frame_HWC, self._width, self._height)
        box = self._track.box(index) if self._track else None
        if box is not None:
            self._draw_box(picture_HWC, box)
        top = _PAD_PX
        for name, bout, is_over in self._running.get(index, []):
            text = f"{name}: {bout.action}"
            if bout.confidence < 1:
                text += f" {bout.confidence:.2f}"
            label_HWC = self._label(text, self._colors[bout.action])
            _paste(
                picture_HWC,
                label_HWC,
                left=_PAD_PX,
                top=top,
                opacity=_OVER if is_over else _RUNNING,
            )
            top += len(label_HWC) + 2
        strip_HWC = self._strip_HWC.copy()
        column = self._column(index + 0.5)
        strip_HWC[:-_ROW_PX, max(0, column - 1) : column + 1] = _TEXT
        seconds = self._meta.timestamps_seconds[index] - self._meta.timestamps_seconds[0]
        clock_HWC = _text(f"{_clock(seconds)}  frame {index}", _TEXT, _BACKGROUND)
        _paste(
            strip_HWC,
            clock_HWC,
            left=self._width - clock_HWC.shape[1],
            top=len(strip_HWC) - _ROW_PX,
        )
        return np.concatenate([picture_HWC, strip_HWC])

    def _draw_box(self, picture_HWC: Image_HWC, box: Box) -> None:
        edges = [round(v * self._scale) for v in (box.left, box.top, box.right, box.bottom)]
        for color, thickness in (((0, 0, 0), 4), (_BOX, 2)):
            cv2.rectangle(picture_HWC, edges[:2], edges[2:], color, thickness)

    def _draw_strip(self, ethograms: Mapping[str, Ethogram]) -> Image_HWC:
        """Timeline rows (one lane per action in each) above a row for legend and clock."""
        actions = list(self._colors)
        strip_HWC = np.empty((_ROW_PX * (len(ethograms) + 1), self._width, 3), dtype=np.uint8)
        strip_HWC[:] = _BACKGROUND
        for row, (name, ethogram) in enumerate(ethograms.items()):
            row_top = row * _ROW_PX
            _paste(strip_HWC, self._label(name, _BACKGROUND), left=0, top=row_top)
            edges = np.linspace(row_top + 3, row_top + _ROW_PX - 3, len(actions) + 1).astype(int)
            strip_HWC[edges[0] : edges[-1], self._strip_left : self._width - _PAD_PX] = _LANE
            for bout in ethogram.bouts:
                part = bout.interval.clip(self._interval)
                if part is None:
                    continue
                lane = actions.index(bout.action)
                left, right = self._column(part.start), self._column(part.stop)
                lines = slice(edges[lane], edges[lane + 1])
                strip_HWC[lines, left : max(right, left + 2)] = self._colors[bout.action]
        left = 0
        for action in actions:
            label_HWC = self._label(action, self._colors[action])
            _paste(strip_HWC, label_HWC, left=left, top=len(strip_HWC) - _ROW_PX)
            left += label_HWC.shape[1] + _PAD_PX
        return strip_HWC

    def _column(self, frame: float) -> int:
        """Horizontal place of a time on the timeline."""
        share = (frame - self._interval.start) / self._interval.length
        return self._strip_left + round(share * (self._width - _PAD_PX - self._strip_left))

    def _label(self, text: str, background: Color) -> Image_HWC:
        if (text, background) not in self._labels:
            self._labels[text, background] = _text(text, _TEXT, background)
        return self._labels[text, background]


def _running(
    ethograms: Mapping[str, Ethogram], interval: Interval, fps: float
) -> dict[int, list[tuple[str, Bout, bool]]]:
    """By frame: name of the ethogram, bout, and whether the bout is over already."""
    linger_frames = round(_LINGER_SECONDS * fps)
    shown: dict[int, list[tuple[str, Bout, bool]]] = {}
    for name, ethogram in ethograms.items():
        for bout in ethogram.bouts:
            stop = max(bout.interval.stop, bout.interval.start + linger_frames)
            for frame in range(max(bout.interval.start, interval.start), min(stop, interval.stop)):
                entry = (name, bout, frame >= bout.interval.stop)
                shown.setdefault(frame, []).append(entry)
    return shown


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes) // 60}:{int(minutes) % 60:02d}:{rest:04.1f}"


def _text(text: str, color: Color, background: Color) -> Image_HWC:
    """A line of text with padding; Pillow draws it, as OpenCV knows ASCII only."""
    font = ImageFont.load_default(_FONT_PX)
    size = (round(font.getlength(text)) + 2 * _PAD_PX, _ROW_PX)
    image = Image.new("RGB", size, background)
    ImageDraw.Draw(image).text((_PAD_PX, _ROW_PX // 2), text, fill=color, font=font, anchor="lm")
    return np.asarray(image)


def _paste(
    canvas_HWC: Image_HWC, patch_HWC: Image_HWC, *, left: int, top: int, opacity: float = 1.0
) -> None:
    """Draw a patch in place; what does not fit is cut off."""
    region_HWC = canvas_HWC[top : top + len(patch_HWC), left : left + patch_HWC.shape[1]]
    patch_HWC = patch_HWC[: region_HWC.shape[0], : region_HWC.shape[1]]
    region_HWC[:] = (opacity * patch_HWC + (1 - opacity) * region_HWC).astype(np.uint8)


def _resize(frame_HWC: Image_HWC, width: int, height: int) -> Image_HWC:
    """A copy of the frame in the size of the overlay."""
    if frame_HWC.shape[:2] == (height, width):
        return frame_HWC.copy()
    resized_HWC = cv2.resize(frame_HWC, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(resized_HWC, dtype=np.uint8)
