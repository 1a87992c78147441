from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numbered_video import damage, number_of

from mouse_ar.video.probe import VideoError, probe
from mouse_ar.video.reader import iter_frames, open_video

KINDS = {
    "bframes.mp4": {},
    "bframes.mkv": {},
    "times_in_decoding_order.avi": {},
    "mpeg4.avi": {"codec": "mpeg4"},
    "windows.wmv": {"codec": "wmv2"},
    "broadcast.ts": {},
    "mpeg2.mkv": {"codec": "mpeg2video"},
    "open_groups.mp4": {"options": {"x264-params": "open-gop=1"}},
    "444.mp4": {"pix_fmt": "yuv444p"},
    "turned.mp4": {"rotation": 90},
    "vfr.mp4": {"ticks": [40 * i + (15 if i % 3 else 0) for i in range(60)]},
    "one_keyframe.mp4": {"gop_size": 600},
}


@pytest.mark.parametrize("name", KINDS)
def test_random_access_equals_the_stream(make_video, name):
    path = make_video(name, num_frames=60, **KINDS[name])
    meta = probe(path)
    stream = np.stack([frame for _, frame in iter_frames(path, meta=meta)])
    indices = np.random.default_rng(0).integers(0, 60, 40)
    for threads in (1, 2):
        with open_video(path, meta=meta, threads=threads) as reader:
            for index in indices[:20]:
                np.testing.assert_array_equal(reader.get_batch([index])[0], stream[index])
            np.testing.assert_array_equal(reader.get_batch(indices), stream[indices])


@pytest.fixture
def plain_video(make_video):
    return make_video("plain.mp4")


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(requests=st.lists(st.lists(st.integers(0, 39), max_size=6), min_size=1, max_size=4))
def test_batches_come_in_the_order_asked_for(plain_video, requests):
    with open_video(plain_video) as reader:
        for indices in requests:
            batch = reader.get_batch(indices)
            assert batch.shape == (len(indices), 120, 160, 3)
            assert [number_of(frame) for frame in batch] == indices


@pytest.mark.parametrize(
    ("start", "stop", "step"), [(0, None, 1), (7, 31, 1), (13, None, 5), (0, 40, 20), (9, 9, 1)]
)
def test_stream_delivers_the_range(make_video, start, stop, step):
    frames = list(iter_frames(make_video("x.mp4"), start=start, stop=stop, step=step))
    wanted = list(range(40))[start:stop:step]
    assert [index for index, _ in frames] == wanted
    assert [number_of(frame) for _, frame in frames] == wanted


def test_frames_do_not_share_memory(make_video):
    """A decoder that reuses its picture would change frames that were handed out before."""
    frames = [frame for _, frame in iter_frames(make_video("x.mp4"))]
    assert [number_of(frame) for frame in frames] == list(range(40))
    assert all(frame.flags.c_contiguous and frame.flags.writeable for frame in frames)


@pytest.mark.parametrize("bad", [{"start": -1}, {"stop": 41}, {"start": 9, "stop": 8}, {"step": 0}])
def test_range_outside_the_video_is_an_error(make_video, bad):
    with pytest.raises(ValueError, match=r"x\.mp4.*expected 0 <= start <= stop <= 40"):
        next(iter_frames(make_video("x.mp4"), **bad))


@pytest.mark.parametrize("index", [-1, 40])
def test_index_outside_the_video_is_an_error(make_video, index):
    with (
        open_video(make_video("x.mp4")) as reader,
        pytest.raises(IndexError, match=rf"got frame {index}, expected 0\.\.39"),
    ):
        reader.get_batch([0, index])


@pytest.mark.parametrize("indices", [[1.9], [2.0], [True, False], np.array([0.5, 1])])
def test_index_that_is_no_integer_is_an_error(make_video, indices):
    with (
        open_video(make_video("x.mp4")) as reader,
        pytest.raises(TypeError, match=r"x\.mp4: got indices of \w+, expected integers"),
    ):
        reader.get_batch(indices)


def test_length_and_meta(make_video):
    with open_video(make_video("x.mp4")) as reader:
        assert len(reader) == reader.meta.num_frames == 40


def test_readers_work_side_by_side_in_threads(make_video):
    path = make_video("x.mp4")

    def read(seed: int) -> bool:
        indices = np.random.default_rng(seed).integers(0, 40, 30).tolist()
        with open_video(path) as reader:
            return [number_of(f) for f in reader.get_batch(indices)] == indices

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(read, range(8)))


def test_stream_can_be_left_early(make_video):
    path = make_video("x.mp4")
    for index, _ in iter_frames(path):
        if index == 3:
            break
    path.unlink()
    assert not path.exists()


def broken_group(path, *, first: int, stop: int) -> None:
    """Zero the packets of some frames of an MP4 in place."""
    with av.open(str(path)) as container:
        places = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    data = bytearray(path.read_bytes())
    for position, size in places[first:stop]:
        data[position : position + size] = bytes(size)
    path.write_bytes(data)


def test_short_damage_in_the_middle_keeps_later_frames_in_place(make_video, caplog):
    path = make_video("scratch.mp4", num_frames=96)
    broken_group(path, first=36, stop=42)
    meta = probe(path)
    assert meta.num_frames == 96
    with caplog.at_level(logging.WARNING):
        stream = [number_of(frame) for _, frame in iter_frames(path, meta=meta)]
    assert stream[:34] == list(range(34))
    assert stream[48:] == list(range(48, 96))
    assert "cannot be decoded" in caplog.text
    assert str(path) in caplog.text


def test_long_damage_in_the_middle_is_an_error(make_video):
    path = make_video("ruined.mp4", num_frames=120)
    broken_group(path, first=40, stop=90)
    with pytest.raises(VideoError, match=r"ruined\.mp4: frames \d+ to \d+ cannot be decoded"):
        list(iter_frames(path))


def test_damaged_file_gives_the_same_frames_by_index(make_video):
    path = make_video("disk_full.mp4", num_frames=80, options={"movflags": "+faststart"})
    damage(path, start=0.5, num_bytes=10**6)
    stream = [frame for _, frame in iter_frames(path)]
    with open_video(path, threads=4) as reader:
        for index in (len(reader) - 1, 3, len(reader) // 2):
            np.testing.assert_array_equal(reader.get_batch([index])[0], stream[index])


def test_change_of_picture_size_is_an_error(make_video, tmp_path):
    small = make_video("small.ts", size=(160, 120))
    large = make_video("large.ts", size=(320, 240))
    joined = tmp_path / "joined.ts"
    joined.write_bytes(small.read_bytes() + large.read_bytes())
    with pytest.raises(VideoError, match=r"joined\.ts.*160x120 to 320x240"):
        list(iter_frames(joined))
