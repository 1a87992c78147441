"""Fixture that writes small numbered videos."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from fractions import Fraction
from pathlib import Path

import av
import pytest
from numbered_video import numbered_frame


@pytest.fixture
def make_video(tmp_path: Path) -> Callable[..., Path]:
    """Function that writes a numbered video and returns its path."""

    def make(
        name: str,
        *,
        num_frames: int = 40,
        codec: str = "libx264",
        pix_fmt: str = "yuv420p",
        size: tuple[int, int] = (160, 120),
        ticks: Sequence[int] | None = None,
        rotation: int = 0,
        gop_size: int = 12,
        options: dict[str, str] | None = None,
        codec_options: dict[str, str] | None = None,
        skip: Collection[int] = (),
        first_number: int = 0,
        first_pts: int = 0,
        pixel_aspect: Fraction | None = None,
    ) -> Path:
        path = tmp_path / name
        width, height = size
        with av.open(str(path), "w", options=options or {}) as container:
            stream = container.add_stream(codec, rate=25, options=codec_options or {})
            stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
            stream.codec_context.gop_size = gop_size
            if ticks is not None:
                stream.codec_context.time_base = Fraction(1, 1000)
            if rotation:
                stream.set_display_rotation(rotation)
            if pixel_aspect:
                stream.codec_context.sample_aspect_ratio = pixel_aspect
            for number in sorted(set(range(num_frames)) - set(skip)):
                picture_HWC = numbered_frame(first_number + number, width=width, height=height)
                frame = av.VideoFrame.from_ndarray(picture_HWC, format="rgb24")
                frame.pts, frame.time_base = first_pts + number, Fraction(1, 25)
                if ticks is not None:
                    frame.pts, frame.time_base = ticks[number], Fraction(1, 1000)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return make
