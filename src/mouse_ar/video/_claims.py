"""What a container says about its video before anything is decoded; headers may lie."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from av.container import InputContainer
from av.video.stream import VideoStream

from mouse_ar.video._container import packets

__all__ = ["REORDER_FRAMES", "Header", "Packets", "list_packets", "read_header"]

REORDER_FRAMES = 16  # the longest delay between decoding and presentation, of H.264 and HEVC
_FALLBACK_FPS = 25.0
_MATROSKA_DURATION = re.compile(r"(\d+):(\d\d):(\d\d\.\d+)\0*")


@dataclass(frozen=True)
class Header:
    """What the container claims.

    ``codec`` and ``tick_seconds`` are believed. ``fps`` stands in where there are no usable times;
    ``num_frames`` and ``end_seconds`` (0 where unknown) only tell whether something is missing,
    ``pixel_aspect`` (width / height) is only reported.
    """

    codec: str
    tick_seconds: float
    num_frames: int
    fps: float
    end_seconds: float
    pixel_aspect: Fraction


@dataclass(frozen=True)
class Packets:
    """What the packets say, in order of the file.

    ``pts``, ``dts`` and ``keys`` are of pictures that are shown. Hidden ones an edit list leaves
    out, though others need them; dropped ones are empty: the recorder missed a frame. An index
    knows the keyframes, so where the file has one, it starts at a keyframe.
    """

    pts: list[int | None]
    dts: list[int | None]
    keys: list[bool]
    num_hidden: int
    num_dropped: int
    has_index: bool

    def num_cut_off(self, first: int | None) -> int:
        """Pictures before the first shown one that need pictures from before a cut.

        They lead up to the first keyframe of an open group (and so follow it in the file), or the
        file starts in the middle of a group, as a broadcast may. Others are lost to damage.
        """
        if first is None or first not in self.pts:
            return 0
        place = self.pts.index(first)
        around = self.pts[place if self.has_index else 0 : place + REORDER_FRAMES + 1]
        return sum(pts is not None and pts < first for pts in around)


def read_header(container: InputContainer, stream: VideoStream) -> Header:
    """Read what the container claims."""
    return Header(
        codec=stream.codec_context.name,
        tick_seconds=float(stream.time_base or 0),
        num_frames=stream.frames,
        fps=float(stream.average_rate or stream.guessed_rate or 0) or _FALLBACK_FPS,
        end_seconds=_read_end(container, stream),
        pixel_aspect=stream.sample_aspect_ratio or Fraction(1),
    )


def _read_end(container: InputContainer, stream: VideoStream) -> float:
    """When the pictures end by what the container claims; 0 when it does not say."""
    ends = []
    if container.duration:
        ends.append((container.duration + (container.start_time or 0)) / 1e6)
    if stream.duration and stream.time_base:
        ends.append(float((stream.duration + (stream.start_time or 0)) * stream.time_base))
    elif text := _MATROSKA_DURATION.fullmatch(stream.metadata.get("DURATION", "")):
        hours, minutes, seconds = text.groups()
        ends.append(int(hours) * 3600 + int(minutes) * 60 + float(seconds))
    elif len(container.streams) > 1:
        return 0.0  # sound may outlast the pictures
    return min(ends, default=0.0)


def list_packets(path: Path, container: InputContainer, stream: VideoStream) -> Packets:
    """Read all packets, decoding none."""
    pts: list[int | None] = []
    dts: list[int | None] = []
    keys: list[bool] = []
    has_index = len(stream.index_entries) > 0
    num_hidden, num_dropped = 0, _num_left_out(container, stream)
    for packet in packets(path, container, stream):
        if packet.is_discard:
            num_hidden += 1
        elif not packet.size:
            num_dropped += 1
        else:
            pts.append(packet.pts)
            dts.append(packet.dts)
            keys.append(packet.is_keyframe)
    return Packets(
        pts, dts, keys, num_hidden=num_hidden, num_dropped=num_dropped, has_index=has_index
    )


def _num_left_out(container: InputContainer, stream: VideoStream) -> int:
    """Dropped frames of an AVI: its index counts them, but FFmpeg does not even deliver them."""
    entries = stream.index_entries
    if container.format.name != "avi" or not len(entries):
        return 0
    return max(0, entries[-1].timestamp + 1 - len(entries))
