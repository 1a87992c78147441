from __future__ import annotations

import hashlib
from pathlib import Path

import av
import numpy as np
import pytest
from numbered_video import number_of, numbered_frame

from mouse_ar.core.types import Interval
from mouse_ar.video.probe import VideoError, probe
from mouse_ar.video.reader import iter_frames, open_video
from mouse_ar.video.writer import CutClip, VideoWriter, cut_clips


def write(path, *, num_frames=30, size=(160, 120), times=None, **options):
    width, height = size
    with VideoWriter(path, width=width, height=height, **options) as writer:
        for number in range(num_frames):
            frame = numbered_frame(number, width=width, height=height)
            writer.write(frame, None if times is None else times[number])
    return path


def files(folder):
    return sorted(p.name for p in folder.iterdir())


def profile_of(path):
    with av.open(str(path)) as container:
        return container.streams.video[0].codec_context.profile


def test_best_quality_still_plays_in_browsers(tmp_path):
    assert profile_of(write(tmp_path / "x.mp4", crf=1)) == "High"


def test_name_with_a_colon_is_no_protocol(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = "2024-05-01T10:22:33.mp4"
    write(Path(name))
    assert files(tmp_path) == [name]


def test_browser_plays_it(tmp_path):
    path = write(tmp_path / "sub folder" / "ü.mp4")
    meta = probe(path)
    assert (meta.codec, meta.pixel_format) == ("h264", "yuv420p")
    assert profile_of(path) == "High"
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # starts before it is loaded in full
    assert b"elst" not in data or meta.timestamps_seconds[0] == 0
    assert files(path.parent) == ["ü.mp4"]


@pytest.mark.parametrize("fps", [5, 15, 24, 25, 29.97, 30, 119.88, 120])
def test_constant_rate(tmp_path, fps):
    meta = probe(write(tmp_path / "x.mp4", fps=fps))
    np.testing.assert_allclose(meta.timestamps_seconds, np.arange(30) / fps, atol=1e-5)
    with av.open(str(tmp_path / "x.mp4")) as container:
        assert container.duration / 1e6 == pytest.approx(30 / fps, abs=1e-3)


def test_given_times_are_kept_from_zero_on(tmp_path):
    times = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.2, 30)) + 100
    meta = probe(write(tmp_path / "x.mp4", times=times))
    assert meta.is_vfr
    np.testing.assert_allclose(meta.timestamps_seconds, times - times[0], atol=0.6 / 90_000)


def test_frames_are_nearly_lossless(tmp_path):
    path = write(tmp_path / "x.mp4", crf=16)
    for number, frame in iter_frames(path):
        error = frame[20:].astype(float) - numbered_frame(number, width=160, height=120)[20:]
        assert number_of(frame) == number
        assert np.abs(error).mean() < 2


@pytest.mark.parametrize("size", [(161, 120), (160, 121), (161, 121)])
def test_odd_sizes_are_padded_right_and_bottom(tmp_path, size):
    path = write(tmp_path / "x.mp4", size=size)
    with open_video(path) as reader:
        frame = reader.get_batch([7])[0].astype(int)
    width, height = size
    assert frame.shape == (height + height % 2, width + width % 2, 3)
    original = numbered_frame(7, width=width, height=height)
    assert np.abs(frame[20:height, :width] - original[20:]).mean() < 3
    assert np.abs(frame[20:, -1] - frame[20:, width - 1]).max() <= 3
    assert np.abs(frame[-1] - frame[height - 1]).max() <= 3


def test_equal_input_gives_equal_bytes(tmp_path):
    first, second = (write(tmp_path / name).read_bytes() for name in ("a.mp4", "b.mp4"))
    assert hashlib.sha256(first).digest() == hashlib.sha256(second).digest()


def test_an_error_leaves_the_old_file_and_no_rubbish(tmp_path):
    path = write(tmp_path / "x.mp4")
    before = path.read_bytes()
    with pytest.raises(ValueError, match="frame 2 has time"):
        write(path, num_frames=3, times=[0, 1, 1])
    assert path.read_bytes() == before
    assert files(tmp_path) == ["x.mp4"]


def test_target_appears_only_when_complete(tmp_path):
    with VideoWriter(tmp_path / "x.mp4", width=160, height=120) as writer:
        for number in range(20):
            writer.write(numbered_frame(number, width=160, height=120))
        assert files(tmp_path) == [".x.mp4.partial"]
    assert files(tmp_path) == ["x.mp4"]


def test_left_over_partial_file_of_a_killed_run_is_replaced(tmp_path):
    (tmp_path / ".x.mp4.partial").write_bytes(b"half a video")
    assert probe(write(tmp_path / "x.mp4")).num_frames == 30
    assert files(tmp_path) == ["x.mp4"]


def test_no_frames_is_an_error(tmp_path):
    with (
        pytest.raises(ValueError, match="no frame was written"),
        VideoWriter(tmp_path / "x.mp4", width=160, height=120),
    ):
        pass
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    "frame", [np.zeros((120, 161, 3), np.uint8), np.zeros((120, 160, 3), np.float32)]
)
def test_wrong_frame_is_an_error(tmp_path, frame):
    with (
        pytest.raises(ValueError, match=r"expected \(120, 160, 3\) of uint8"),
        VideoWriter(tmp_path / "x.mp4", width=160, height=120) as writer,
    ):
        writer.write(frame)


def test_time_must_ascend(tmp_path):
    with pytest.raises(ValueError, match="frame 2 has time"):
        write(tmp_path / "x.mp4", num_frames=3, times=[0, 0.04, 0.04])


@pytest.mark.parametrize("bad", [{"fps": 0}, {"crf": 52}, {"crf": 0}, {"size": (0, 10)}])
def test_wrong_settings_are_an_error(tmp_path, bad):
    with pytest.raises(ValueError, match="expected a positive size"):
        write(tmp_path / "x.mp4", **bad)


SOURCES = {
    "bframes.mp4": {},
    "times_in_decoding_order.avi": {},
    "windows.wmv": {"codec": "wmv2"},
    "444.mp4": {"pix_fmt": "yuv444p"},
    "vfr.mkv": {"ticks": [500 + 40 * i + (15 if i % 3 else 0) for i in range(60)]},
}


def cut_one(source: Path, target: Path | str, interval: Interval, **options: int) -> CutClip:
    return cut_clips(source, [(target, interval)], **options)[0]


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("interval", [Interval(0, 1), Interval(17, 45), Interval(59, 60)])
def test_cut_has_exactly_the_frames_and_their_times(make_video, tmp_path, name, interval):
    source = make_video(name, num_frames=60, **SOURCES[name])
    clip = cut_one(source, tmp_path / "clip.mp4", interval)
    numbers = [number_of(frame) for _, frame in iter_frames(clip.path)]
    assert numbers == list(range(interval.start, interval.stop))
    times = probe(source).timestamps_seconds[interval.start : interval.stop]
    np.testing.assert_allclose(
        probe(clip.path).timestamps_seconds, times - times[0], atol=0.6 / 90_000
    )
    assert (clip.interval, clip.width, clip.height) == (interval, 160, 120)
    assert (clip.scale_x, clip.scale_y) == (1, 1)


def test_overlapping_cuts_come_from_one_pass(make_video, tmp_path):
    source = make_video("x.mp4", num_frames=80)
    intervals = [Interval(50, 60), Interval(5, 30), Interval(20, 40), Interval(30, 31)]
    calls = []
    clips = cut_clips(
        source,
        [(tmp_path / f"{number}.mp4", interval) for number, interval in enumerate(intervals)],
        progress=lambda done, total: calls.append((done, total)),
    )
    assert [clip.interval for clip in clips] == intervals
    for clip in clips:
        numbers = [number_of(frame) for _, frame in iter_frames(clip.path)]
        assert numbers == list(range(clip.interval.start, clip.interval.stop))
    assert calls == [(done, 45) for done in range(1, 46)]


def test_cutting_alone_or_with_others_gives_the_same_bytes(make_video, tmp_path):
    source = make_video("x.mp4", num_frames=60)
    cut_one(source, tmp_path / "alone.mp4", Interval(20, 40))
    cuts = [(tmp_path / "other.mp4", Interval(0, 33)), (tmp_path / "same.mp4", Interval(20, 40))]
    cut_clips(source, cuts)
    assert (tmp_path / "alone.mp4").read_bytes() == (tmp_path / "same.mp4").read_bytes()


def test_no_cuts_is_nothing(make_video):
    assert cut_clips(make_video("x.mp4"), []) == []


def test_short_side_is_limited_and_the_scale_told(make_video, tmp_path):
    source = make_video("x.mp4", size=(322, 242))
    clip = cut_one(source, tmp_path / "clip.mp4", Interval(3, 9), short_side=100)
    assert (clip.width, clip.height) == (134, 100)
    assert (clip.scale_x, clip.scale_y) == (134 / 322, 100 / 242)
    meta = probe(clip.path)
    assert (meta.width, meta.height) == (134, 100)
    frame = next(iter_frames(clip.path))[1]
    x, y = round(161 * clip.scale_x), round(200 * clip.scale_y)
    assert frame[y, x].tolist() == pytest.approx([161 * 200 / 322, 200 * 200 / 242, 90], abs=6)


def test_short_side_never_enlarges(make_video, tmp_path):
    clip = cut_one(make_video("x.mp4"), tmp_path / "clip.mp4", Interval(0, 5), short_side=480)
    assert (clip.width, clip.height, clip.scale_x) == (160, 120, 1)


def test_odd_source_keeps_its_coordinates(make_video, tmp_path):
    source = make_video("x.mp4", size=(161, 121), pix_fmt="yuv444p")
    clip = cut_one(source, tmp_path / "clip.mp4", Interval(0, 5))
    assert (clip.width, clip.height) == (162, 122)
    assert (clip.scale_x, clip.scale_y) == (1, 1)
    original, copied = next(iter_frames(source))[1], next(iter_frames(clip.path))[1]
    assert np.abs(original[20:].astype(int) - copied[20:121, :161]).mean() < 3


def test_turned_source_is_stored_upright(make_video, tmp_path):
    source = make_video("x.mp4", rotation=90)
    clip = cut_one(source, tmp_path / "clip.mp4", Interval(0, 5))
    meta = probe(clip.path)
    assert (meta.width, meta.height, meta.rotation) == (120, 160, 0)
    original, copied = next(iter_frames(source))[1], next(iter_frames(clip.path))[1]
    assert np.abs(original.astype(int) - copied).mean() < 3


def test_cut_outside_the_source_is_an_error_before_anything_is_written(make_video, tmp_path):
    cuts = [(tmp_path / "good.mp4", Interval(0, 5)), (tmp_path / "bad.mp4", Interval(30, 41))]
    with pytest.raises(ValueError, match=r"frames \(30, 40\) into bad\.mp4.*within 0\.\.39"):
        cut_clips(make_video("x.mp4"), cuts)
    assert files(tmp_path) == ["x.mp4"]


def test_targets_must_differ(make_video, tmp_path):
    source = make_video("x.mp4")
    cuts = [(tmp_path / "a.mp4", Interval(0, 5)), (tmp_path / "a.mp4", Interval(5, 9))]
    with pytest.raises(ValueError, match=r"a\.mp4.*more than once"):
        cut_clips(source, cuts)
    with pytest.raises(ValueError, match="must differ from each other and from the source"):
        cut_one(source, source, Interval(0, 5))


def test_source_is_not_overwritten_however_it_is_spelled(make_video, tmp_path, monkeypatch):
    source = make_video("x.mp4")
    before = source.read_bytes()
    (tmp_path / "link.mp4").symlink_to(source)
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    for target in ("x.mp4", "sub/../x.mp4", "link.mp4"):
        with pytest.raises(ValueError, match="must differ from each other and from the source"):
            cut_one(source, target, Interval(0, 5))
    cuts = [("a.mp4", Interval(0, 5)), (tmp_path / "a.mp4", Interval(5, 9))]
    with pytest.raises(ValueError, match=r"a\.mp4.*more than once"):
        cut_clips(source, cuts)
    assert source.read_bytes() == before
    assert files(tmp_path) == ["link.mp4", "sub", "x.mp4"]


def test_frame_too_large_for_the_encoder_is_named(tmp_path):
    path = tmp_path / "x.mp4"
    with pytest.raises(VideoError, match=r"x\.mp4: cannot be written as 17000x16"):
        write(path, num_frames=1, size=(17000, 16))
    assert files(tmp_path) == []


def test_first_error_is_not_hidden_by_cleaning_up(make_video, tmp_path, monkeypatch):
    def fail(path: Path, **options: object) -> None:
        unlink(path, **options)
        raise OSError("cannot clean up")

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    source, unlink = make_video("x.mp4"), Path.unlink
    cuts = [(tmp_path / name, Interval(0, 9)) for name in ("a.mp4", "b.mp4")]
    monkeypatch.setattr(Path, "unlink", fail)
    with pytest.raises(KeyboardInterrupt):
        cut_clips(source, cuts, progress=stop)
    assert files(tmp_path) == ["x.mp4"]


def test_stopping_in_the_middle_leaves_only_complete_clips(make_video, tmp_path):
    def stop(done: int, total: int) -> None:
        if done == 30:
            raise KeyboardInterrupt

    cuts = [(tmp_path / "a.mp4", Interval(0, 10)), (tmp_path / "b.mp4", Interval(5, 40))]
    with pytest.raises(KeyboardInterrupt):
        cut_clips(make_video("x.mp4"), cuts, progress=stop)
    assert files(tmp_path) == ["a.mp4", "x.mp4"]


def test_short_side_must_make_sense(make_video, tmp_path):
    with pytest.raises(ValueError, match="short_side must be at least 2"):
        cut_one(make_video("x.mp4"), tmp_path / "a.mp4", Interval(0, 5), short_side=0)


def test_missing_source_is_named(tmp_path):
    with pytest.raises(VideoError, match=r"gone\.mp4.*does not exist"):
        cut_one(tmp_path / "gone.mp4", tmp_path / "a.mp4", Interval(0, 5))
