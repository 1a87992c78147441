"""What the instance finds out about a video file, and its frames."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import av

from supervisely_double.errors import ApiError


def file_meta(path: Path) -> dict[str, Any]:
    """``fileMeta`` of a video; 400 for what is none.

    Frames are counted by their packets: nothing is decoded.
    """
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            assert stream.time_base is not None
            codec = stream.codec_context
            pts = sorted(p.pts for p in container.demux(stream) if p.size and p.pts is not None)
            seconds = [float(label * stream.time_base) for label in pts]
            rate = float(stream.average_rate or 0)
            duration = float((container.duration or 0) / 1_000_000)
            index, name, width, height = stream.index, codec.name, codec.width, codec.height
    except (OSError, IndexError, ValueError) as error:
        raise ApiError(400, f"Not a video: {error}") from error
    if not seconds:
        raise ApiError(400, "Not a video: it has no frames")
    duration = duration or len(seconds) / (rate or 25)
    size = {"width": width, "height": height, "framesCount": len(seconds), "duration": duration}
    timecodes = [round(second - seconds[0], 6) for second in seconds]
    stream_meta = {
        "index": index,
        "codecType": "video",
        "codecName": name,
        "rotation": 0,
        "startTime": seconds[0],
        "framesToTimecodes": timecodes,
        **size,
    }
    return {
        **size,
        "size": str(path.stat().st_size),
        "mime": "video/mp4",
        "codecName": name,
        "framesToTimecodes": timecodes,
        "streams": [stream_meta],
    }


def frames_png(path: Path, indices: list[int]) -> dict[int, bytes]:
    """PNGs of the frames with these indices, in the order of presentation."""
    wanted, found = set(indices), {}
    with av.open(str(path)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index in wanted:
                picture = io.BytesIO()
                frame.to_image().save(picture, "PNG")
                found[index] = picture.getvalue()
            if len(found) == len(wanted):
                break
    return found
