from __future__ import annotations

import pickle
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from numbered_video import (
    copy_packets,
    damage,
    empty_samples,
    number_of,
    truncate,
    turn_back_clusters,
    write_sound,
    write_with_sound,
    write_without_frames,
)

from mouse_ar.video._container import open_stream, packets
from mouse_ar.video.probe import VideoError, probe
from mouse_ar.video.reader import iter_frames, open_video


def test_counts_frames_and_tells_their_times(make_video):
    meta = probe(make_video("plain.mp4"))
    assert (meta.codec, meta.pixel_format) == ("h264", "yuv420p")
    assert (meta.width, meta.height, meta.rotation) == (160, 120, 0)
    assert meta.num_frames == 40
    np.testing.assert_allclose(meta.timestamps_seconds, np.arange(40) / 25, atol=1e-4)
    assert meta.timestamps_seconds.dtype == np.float64
    assert meta.fps == pytest.approx(25)
    assert meta.duration_seconds == pytest.approx(1.6)
    assert not meta.is_vfr
    assert not meta.is_damaged
    assert meta.warnings == ()


KINDS = {
    "spaces and ü.mp4": {},
    "b.mkv": {},
    "h264_in_avi_has_times_in_decoding_order.avi": {},
    "mjpeg.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
    "old.avi": {"codec": "mpeg4"},
    "windows.wmv": {"codec": "wmv2"},
    "broadcast.ts": {},
    "444.mp4": {"pix_fmt": "yuv444p"},
    "odd.mp4": {"pix_fmt": "yuv444p", "size": (161, 121)},
    "odd.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p", "size": (161, 121)},
    "gray.mkv": {"codec": "ffv1", "pix_fmt": "gray"},
    "10bit.mp4": {"pix_fmt": "yuv420p10le"},
    "one.mp4": {"num_frames": 1},
    "open_groups.mkv": {"codec": "mpeg2video"},
}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_file_has_all_frames_in_order(make_video, name):
    options = KINDS[name]
    path = make_video(name, **options)
    meta = probe(path)
    assert meta.num_frames == options.get("num_frames", 40)
    assert (meta.width, meta.height) == options.get("size", (160, 120))
    assert np.all(np.diff(meta.timestamps_seconds) > 0)
    frames = list(iter_frames(path))
    assert [number_of(frame) for _, frame in frames] == list(range(meta.num_frames))
    assert frames[0][1].shape == (meta.height, meta.width, 3)


def test_times_out_of_order_are_replaced_and_reported(make_video):
    meta = probe(make_video("x.avi"))
    assert any("constant 25 frames per second" in w for w in meta.warnings)
    assert not meta.is_damaged
    np.testing.assert_allclose(meta.timestamps_seconds, np.arange(40) / 25)


def numbers_both_ways(path, meta):
    """Numbers of all frames: by the stream, and one by one from the last to the first."""
    stream = [number_of(frame) for _, frame in iter_frames(path, meta=meta)]
    with open_video(path, meta=meta) as reader:
        backward = [number_of(reader.get_batch([i])[0]) for i in reversed(range(len(reader)))]
    return stream, backward[::-1]


@pytest.mark.parametrize("milliseconds", [4020, 4000])  # between the other times, and the same
def test_clock_that_steps_back_in_matroska_loses_no_frame(make_video, milliseconds):
    path = make_video("x.mkv", num_frames=500)
    turn_back_clusters(path, start=5, milliseconds=milliseconds)
    meta = probe(path)
    every = list(range(500))
    assert numbers_both_ways(path, meta) == (every, every)
    assert any("constant 25 frames per second" in w for w in meta.warnings)
    np.testing.assert_allclose(meta.timestamps_seconds, np.arange(500) / 25)
    assert not meta.is_damaged


@pytest.mark.parametrize("start_ms", [3020, 3000])  # between the first one's times, and the same
def test_joined_transport_streams_lose_no_frame(make_video, tmp_path, start_ms):
    first = make_video("first.ts", num_frames=200)
    ticks = [start_ms + 40 * i for i in range(300)]
    second = make_video("second.ts", num_frames=300, first_number=200, ticks=ticks)
    path = tmp_path / "joined.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    every = list(range(500))
    assert numbers_both_ways(path, probe(path)) == (every, every)


def test_variable_rate_keeps_its_times_and_start(make_video):
    ticks = [500 + 40 * i + (15 if i % 3 else 0) for i in range(40)]
    meta = probe(make_video("vfr.mp4", ticks=ticks))
    np.testing.assert_allclose(meta.timestamps_seconds, np.array(ticks) / 1000, atol=1e-4)
    assert meta.is_vfr
    assert meta.fps == pytest.approx(39 / (meta.timestamps_seconds[-1] - 0.5))


def test_rounding_of_times_is_no_variable_rate(make_video):
    ticks = [round(i * 1000 / 30) for i in range(40)]  # 33, 34, 33 ms
    meta = probe(make_video("ms.mkv", ticks=ticks))
    assert not meta.is_vfr
    assert meta.fps == pytest.approx(30, rel=1e-3)


def test_one_lost_frame_makes_the_rate_variable(make_video):
    ticks = [40 * i + (40 if i > 20 else 0) for i in range(40)]
    assert probe(make_video("gap.mp4", ticks=ticks)).is_vfr


@pytest.mark.parametrize(("degrees", "size"), [(90, (120, 160)), (180, (160, 120))])
def test_rotation_is_applied(make_video, degrees, size):
    path = make_video("turned.mp4", rotation=degrees)
    meta = probe(path)
    assert meta.rotation == degrees
    assert (meta.width, meta.height) == size
    upright = next(iter_frames(make_video("upright.mp4")))[1]
    turned = next(iter_frames(path))[1]
    np.testing.assert_array_equal(turned, np.rot90(upright, degrees // 90))


def test_portrait_phone_video_turns_clockwise(make_video):
    """The matrix that phones write maps (x, y) to (-y, x): the right side goes down."""
    path = make_video("phone.mp4")
    upright = next(iter_frames(path))[1]
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40  # version 0 of the track header (ISO 14496-12)
    one = 1 << 16
    struct.pack_into(">9i", data, matrix, 0, one, 0, -one, 0, 0, 120 * one, 0, 1 << 30)
    path.write_bytes(data)
    assert probe(path).rotation == 270
    np.testing.assert_array_equal(next(iter_frames(path))[1], np.rot90(upright, -1))


TRUNCATED = {
    "index_first.mp4": {"options": {"movflags": "+faststart"}},
    "matroska.mkv": {},
    "mjpeg.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
    "mpeg4.avi": {"codec": "mpeg4"},
}


@pytest.mark.parametrize("name", TRUNCATED)
def test_cut_off_file_works_up_to_the_damage_and_says_so(make_video, name):
    path = make_video(name, num_frames=80, **TRUNCATED[name])
    truncate(path, 0.6)
    meta = probe(path)
    assert 10 < meta.num_frames < 80
    assert meta.is_damaged
    assert any(f"only {meta.num_frames} frames" in w for w in meta.warnings)
    # Of reordered frames one at the cut may be missing, but each has its own true time.
    numbers = [number_of(frame) for _, frame in iter_frames(path)]
    np.testing.assert_allclose(meta.timestamps_seconds, np.array(numbers) / 25, atol=2e-3)


@pytest.mark.parametrize("name", TRUNCATED)
def test_cut_off_file_gives_the_same_pixels_by_index(make_video, name):
    path = make_video(name, num_frames=80, gop_size=6, **TRUNCATED[name])
    truncate(path, 0.6)
    meta = probe(path)
    assert len(meta.frame_index.keyframes) > 2  # so that seeking is put to the test
    stream = [frame for _, frame in iter_frames(path, meta=meta)]
    for index in reversed(range(meta.num_frames)):
        with open_video(path, meta=meta) as reader:  # fresh: each access is a jump
            np.testing.assert_array_equal(reader.get_batch([index])[0], stream[index])


def test_cut_off_matroska_with_sound_says_so(tmp_path):
    path = tmp_path / "x.mkv"
    write_with_sound(path, num_frames=200, sound_seconds=8)
    truncate(path, 0.6)
    meta = probe(path)
    assert 50 < meta.num_frames < 150
    assert meta.is_damaged
    assert any("a length of 8.0 s is announced" in w for w in meta.warnings)


@pytest.mark.parametrize("name", ["x.mkv", "x.mp4", "x.avi", "x.ts"])
def test_sound_may_outlast_the_pictures(tmp_path, name):
    path = tmp_path / name
    write_with_sound(path, num_frames=100, sound_seconds=8)
    meta = probe(path)
    assert (meta.num_frames, meta.warnings, meta.is_damaged) == (100, (), False)


def test_frames_that_the_recorder_dropped_are_not_missing(make_video):
    dropped = [10, 11, 30]
    path = make_video("x.avi", num_frames=43, codec="mjpeg", pix_fmt="yuvj420p", skip=dropped)
    left = [n for n in range(43) if n not in dropped]
    meta = probe(path)
    assert (meta.num_frames, meta.warnings, meta.is_damaged) == (40, (), False)
    assert meta.is_vfr
    np.testing.assert_allclose(meta.timestamps_seconds, np.array(left) / 25)
    assert numbers_both_ways(path, meta) == (left, left)


def test_empty_samples_are_dropped_frames_too(make_video):
    path = make_video("x.mp4", codec="mpeg4")
    empty_samples(path, [15, 16, 30])
    meta = probe(path)
    assert (meta.num_frames, meta.warnings, meta.is_damaged) == (37, (), False)
    assert meta.timestamps_seconds[15] == pytest.approx(17 / 25)


def test_cut_at_an_open_group_is_sound(make_video, tmp_path):
    """The pictures that lead up to its keyframe refer to what lies before the cut."""
    params = "open-gop=1:keyint=12:min-keyint=12:scenecut=0"
    whole = make_video("x.mkv", num_frames=60, codec_options={"x264-params": params})
    with av.open(str(whole)) as container:
        keys = [n for n, packet in enumerate(container.demux(video=0)) if packet.is_keyframe]
    path = tmp_path / "cut.mkv"
    copy_packets(whole, path, start=keys[1])
    with av.open(str(path)) as container:
        packets = [packet.pts for packet in container.demux(video=0) if packet.size]
    assert sum(pts < packets[0] for pts in packets) == 3
    meta = probe(path)
    left = list(range(12, 60))
    assert (meta.num_frames, meta.warnings, meta.is_damaged) == (48, (), False)
    assert numbers_both_ways(path, meta) == (left, left)


def test_broken_first_keyframe_is_damage(make_video):
    """Unlike leading pictures, the lost ones could have been shown."""
    path = make_video("x.mp4", num_frames=60)
    with av.open(str(path)) as container:
        first = next(container.demux(video=0))
        place, size = first.pos, first.size
    data = bytearray(path.read_bytes())
    data[place : place + size] = bytes(size)
    path.write_bytes(data)
    meta = probe(path)
    assert meta.num_frames < 60
    assert meta.is_damaged


def test_transport_stream_may_start_in_the_middle_of_a_group(make_video, tmp_path):
    whole, path = make_video("x.ts", num_frames=60), tmp_path / "cut.ts"
    copy_packets(whole, path, start=5)
    left = list(range(12, 60))
    meta = probe(path)
    assert (meta.num_frames, meta.warnings, meta.is_damaged) == (48, (), False)
    assert numbers_both_ways(path, meta) == (left, left)


def test_pixels_that_are_not_square_are_reported(make_video):
    meta = probe(make_video("x.mp4", pixel_aspect=Fraction(4, 3)))
    assert (meta.width, meta.height) == (160, 120)
    assert any("pixels are not square (4:3)" in w for w in meta.warnings)
    assert not meta.is_damaged
    assert probe(make_video("y.mp4", pixel_aspect=Fraction(748, 747))).warnings == ()


def test_name_with_a_colon_is_no_protocol(make_video, tmp_path, monkeypatch):
    name = "2024-05-01T10:22:33.mp4"
    make_video("x.mp4").rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert probe(name).num_frames == len(list(iter_frames(name))) == 40


def test_cut_off_transport_stream_holds_what_is_there(make_video):
    """Such a stream announces no length, so nothing can be known to be missing."""
    path = make_video("x.ts", num_frames=80)
    truncate(path, 0.6)
    assert 20 < len(list(iter_frames(path))) == probe(path).num_frames < 80


def test_zeros_at_the_end_are_found_though_packets_are_listed(make_video):
    path = make_video("disk_full.mp4", num_frames=80, options={"movflags": "+faststart"})
    damage(path, start=0.6, num_bytes=10**6)
    meta = probe(path)
    assert 20 < meta.num_frames < 80
    assert any("80 frames are announced" in w for w in meta.warnings)
    assert len(list(iter_frames(path))) == meta.num_frames


def test_unfinished_recording_is_an_error_with_advice(make_video):
    path = make_video("crashed.mp4")
    truncate(path, 0.9)
    with pytest.raises(VideoError, match=r"crashed\.mp4: .*index is missing.*repair"):
        probe(path)


def test_unusable_files_are_named_with_their_cause(tmp_path):
    empty, text, sound = tmp_path / "empty.mp4", tmp_path / "text.mp4", tmp_path / "sound.m4a"
    nothing = tmp_path / "nothing.avi"
    empty.touch()
    text.write_text("time,behaviour\n" * 100)
    write_sound(sound)
    write_without_frames(nothing)
    causes = {
        tmp_path / "missing.mp4": "does not exist",
        tmp_path: "folder",
        empty: r"empty \(0 bytes\)",
        text: "cannot be opened as a video",
        sound: r"no video stream \(streams found: audio\)",
        nothing: "not a single frame",
    }
    for path, cause in causes.items():
        with pytest.raises(VideoError, match=cause) as caught:
            probe(path)
        assert str(path) in str(caught.value)
        assert caught.value.path == path


def test_file_without_permission_is_named(make_video, monkeypatch):
    path = make_video("x.mp4")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(av, "open", refuse)
    with pytest.raises(VideoError, match=r"x\.mp4: no permission to read the file"):
        probe(path)


def test_failing_storage_is_no_damage(make_video, monkeypatch):
    """A network drive that goes away must not look like a shorter video."""
    path = make_video("x.mp4")
    container, stream = open_stream(path, threads=1)

    class Gone:
        def demux(self, _: object) -> Iterator[av.Packet]:
            yield next(container.demux(stream))
            raise OSError(5, "Input/output error")

    with container, pytest.raises(VideoError, match=r"x\.mp4: reading failed .*network drive"):
        list(packets(path, Gone(), stream))


def test_unsupported_codec_is_named(make_video):
    path = make_video("x.avi", codec="mpeg4")
    path.write_bytes(path.read_bytes().replace(b"FMP4", b"ZZZZ"))
    with pytest.raises(VideoError, match=r"x\.avi: its video codec is not supported\. Convert it"):
        probe(path)


def test_cover_picture_is_no_video(make_video, tmp_path):
    cover = make_video("cover.png", num_frames=1, codec="png", pix_fmt="rgb24")
    sound, path = tmp_path / "sound.m4a", tmp_path / "with_cover.m4a"
    write_sound(sound)
    with (
        av.open(str(sound)) as heard,
        av.open(str(cover)) as seen,
        av.open(str(path), "w", format="mp4") as new,
    ):
        voice = new.add_stream_from_template(heard.streams[0])
        still = new.add_stream_from_template(seen.streams[0])
        still.disposition = Disposition.attached_pic
        for old, stream in ((heard, voice), (seen, still)):
            for packet in [p for p in old.demux() if p.size]:
                packet.stream = stream
                new.mux(packet)
    with av.open(str(path)) as container:
        assert len(container.streams.video) == 1
    with pytest.raises(VideoError, match="no video stream"):
        probe(path)


def test_error_survives_the_way_out_of_a_worker_process():
    error = pickle.loads(pickle.dumps(VideoError(Path("a.mp4"), "broken.")))
    assert str(error) == "a.mp4: broken."
