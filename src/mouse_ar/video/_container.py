"""Opening containers and decoding frames through PyAV; the only place that handles its errors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

__all__ = ["VideoError", "decoded_frames", "open_stream", "packets", "reason"]


class VideoError(Exception):
    """A video cannot be used; says which file, why, and what to do about it.

    Args:
        path: the file.
        cause: what is wrong and what to do, as one or two sentences.
    """

    def __init__(self, path: Path | str, cause: str) -> None:
        super().__init__(str(path), cause)
        self.path = Path(path)
        self.cause = cause

    def __str__(self) -> str:
        return f"{self.path}: {self.cause}"


def open_stream(path: Path | str, *, threads: int) -> tuple[InputContainer, VideoStream]:
    """Open a file and its first real video stream (a cover picture is none).

    Args:
        path: the video file.
        threads: decoder threads; 0 lets FFmpeg take every core.

    Raises:
        VideoError: the path is no readable video file.
    """
    path = Path(path)
    if not path.exists():
        raise VideoError(path, "the file does not exist. Check the path.")
    if not path.is_file():
        raise VideoError(path, "this is a folder, expected a video file.")
    if path.stat().st_size == 0:
        raise VideoError(path, "the file is empty (0 bytes). Copy or record it again.")
    try:
        # An absolute path, since FFmpeg takes what stands before a colon for a protocol.
        container = av.open(str(path.absolute()), metadata_errors="replace")
    except PermissionError as error:
        raise VideoError(path, "no permission to read the file.") from error
    except (av.FFmpegError, OSError) as error:
        raise VideoError(
            path,
            f"cannot be opened as a video ({reason(error)}). Either it is no video, or its "
            "header or index is missing, as in an MP4 whose recording was interrupted: export it "
            "again or repair it with the recorder's own tool.",
        ) from error
    try:
        return container, _configure(path, container, threads)
    except BaseException:
        container.close()
        raise


def _configure(path: Path, container: InputContainer, threads: int) -> VideoStream:
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        kinds = ", ".join(sorted({s.type for s in container.streams})) or "none"
        raise VideoError(path, f"has no video stream (streams found: {kinds}). Expected a video.")
    stream = streams[0]
    context = stream.codec_context
    if context is None:
        raise VideoError(
            path, "its video codec is not supported. Convert it to H.264 (MP4) and try again."
        )
    context.thread_count = threads
    context.thread_type = "AUTO"
    return stream


def packets(
    path: Path, container: InputContainer, stream: VideoStream
) -> Iterator[Packet[VideoStream]]:
    """Packets up to the end of the file or the first unreadable part; those of dropped frames too.

    A last packet that the end of the file cuts off is left out, as it would decode to a picture
    that is half grey. Elsewhere the same mark may only mean that recordings were joined.

    Raises:
        VideoError: the storage fails (which is not the same as a damaged file).
    """
    cut_off: Packet[VideoStream] | None = None
    try:
        for packet in container.demux(stream):
            if packet.pts is None and packet.dts is None and not packet.size:
                continue  # PyAV's own, at the end
            if cut_off is not None:
                yield cut_off
            cut_off = packet if packet.is_corrupt else None
            if cut_off is None:
                yield packet
    except (av.InvalidDataError, av.EOFError):
        return
    except (av.FFmpegError, OSError) as error:
        raise VideoError(
            path, f"reading failed ({reason(error)}). Check the disk or network drive."
        ) from error


def decoded_frames(
    path: Path, container: InputContainer, stream: VideoStream
) -> Iterator[VideoFrame]:
    """Frames in order of presentation; packets that cannot be decoded are left out."""
    for packet in packets(path, container, stream):
        if not packet.size:  # a dropped frame; to the decoder it would mean the end
            continue
        try:
            frames = stream.decode(packet)
        except (av.FFmpegError, OSError):
            continue
        yield from frames
    try:
        yield from stream.decode(None)
    except (av.FFmpegError, OSError):
        return


def reason(error: BaseException) -> str:
    """What FFmpeg or the system says about an error."""
    return str(getattr(error, "strerror", None) or error)
