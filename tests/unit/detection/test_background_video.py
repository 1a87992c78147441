"""Learning the background from a file: which frames are read, and what damage does."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from mouse_ar.core.types import Box
from mouse_ar.detection.background import BackgroundSubtraction
from mouse_ar.video.probe import VideoError, probe
from mouse_ar.video.reader import RandomAccessReader, iter_frames

NUM_FRAMES = 200


def place(frame: int) -> Box:
    """A square that walks through the picture and back."""
    left = 10 + (frame if frame < 100 else 200 - frame)
    return Box(left, 60, left + 28, 84)


def write(path: Path, *, gop_size: int) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        stream.codec_context.gop_size = gop_size
        stream.options = {"crf": "12", "sc_threshold": "0", "bf": "0"}
        for n in range(NUM_FRAMES):
            frame_HWC = np.full((120, 160, 3), 180, np.uint8)
            left = int(place(n).left)
            frame_HWC[60:84, left : left + 28] = 20
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame_HWC, format="rgb24")))
        container.mux(stream.encode())
    return path


def mean_iou(detector: BackgroundSubtraction, path: Path) -> float:
    found = [(n, detector.detect(frame[None])[0]) for n, frame in iter_frames(path, step=5)]
    return float(np.mean([d[0].box.iou(place(n)) if d else 0.0 for n, d in found]))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Frames that have been read by index so far."""
    indices: list[int] = []
    get_batch = RandomAccessReader.get_batch

    def recording(reader: RandomAccessReader, frames: list[int]) -> NDArray[np.uint8]:
        indices.extend(frames)
        return get_batch(reader, frames)

    monkeypatch.setattr(RandomAccessReader, "get_batch", recording)
    return indices


@pytest.mark.parametrize(("gop_size", "num_keyframes"), [(1, 200), (3, 67), (12, 17)])
def test_reads_key_frames_where_there_are_enough(
    tmp_path: Path, read: list[int], gop_size: int, num_keyframes: int
) -> None:
    path = write(tmp_path / "walk.mp4", gop_size=gop_size)
    keyframes = probe(path).frame_index.keyframes
    assert len(keyframes) == num_keyframes
    detector = BackgroundSubtraction()
    detector.prepare(path)
    assert len(set(read)) == 64
    assert set(read) <= set(keyframes.tolist()) or num_keyframes < 64
    # Spread over the whole video.
    assert (min(read), max(read) >= NUM_FRAMES - gop_size) == (0, True)
    assert np.diff(sorted(read)).max() <= 6
    assert mean_iou(detector, path) > 0.8


@pytest.mark.parametrize("gop_size", [1, 12])
def test_learns_from_what_is_left_of_a_cut_off_file(tmp_path: Path, gop_size: int) -> None:
    path = write(tmp_path / "cut.mkv", gop_size=gop_size)
    data = path.read_bytes()
    path.write_bytes(data[: int(0.6 * len(data))])
    meta = probe(path)
    assert 64 < meta.num_frames < NUM_FRAMES
    detector = BackgroundSubtraction()
    detector.prepare(path, meta=meta)
    assert mean_iou(detector, path) > 0.8


def test_file_that_is_no_video_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.mp4"
    path.write_text("not a video")
    with pytest.raises(VideoError, match=r"notes\.mp4"):
        BackgroundSubtraction().prepare(path)
