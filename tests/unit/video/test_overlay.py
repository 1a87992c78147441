from __future__ import annotations

import numpy as np
import pytest

from mouse_ar.core.types import Bout, Box, Ethogram, Interval, Track
from mouse_ar.video.overlay import write_overlay
from mouse_ar.video.probe import probe
from mouse_ar.video.reader import open_video

BLUE, RED = (40, 120, 230), (230, 60, 60)
COLORS = {"Putzen ü": BLUE, "Twitch": RED}


def ethogram(*bouts):
    return Ethogram(num_frames=40, fps=25, bouts=tuple(Bout(*bout) for bout in bouts))


TRUE = ethogram((Interval(10, 30), "Putzen ü"))
PREDICTED = ethogram((Interval(12, 30), "Putzen ü", 0.91), (Interval(20, 22), "Twitch", 0.7))


def frames_of(path, indices):
    with open_video(path) as reader:
        return reader.get_batch(indices).astype(int)


def share_of(frame, color):
    """Share of pixels that have about this color."""
    return (np.abs(frame - np.array(color)).max(axis=-1) < 60).mean()


@pytest.fixture
def overlay(make_video, tmp_path):
    target = tmp_path / "overlay.mp4"
    boxes = {i: Box(60, 50, 100, 90) for i in range(5, 40)}
    write_overlay(
        make_video("x.mp4"),
        target,
        ethograms={"true": TRUE, "predicted": PREDICTED},
        colors=COLORS,
        track=Track.from_boxes(40, boxes),
    )
    return target


def test_small_videos_are_enlarged_and_keep_their_timing(overlay):
    meta = probe(overlay)
    assert (meta.width, meta.num_frames) == (640, 40)
    assert meta.height > 480
    np.testing.assert_allclose(meta.timestamps_seconds, np.arange(40) / 25, atol=1e-4)


def test_names_appear_while_bouts_run(overlay):
    left = np.s_[:, 64:480, :320]  # what lies to the right has colors much like the labels
    before, grooming, twitch, dimmed, after = frames_of(overlay, [9, 15, 21, 24, 38])[left]
    assert share_of(before, BLUE) < 0.001 < share_of(grooming, BLUE)
    assert share_of(twitch, RED) > 0.001 > share_of(dimmed, RED)
    assert share_of(after, BLUE) < 0.001


def test_timeline_shows_bouts_and_playhead(overlay):
    early, late = frames_of(overlay, [2, 37])
    strip = early[480:]
    assert share_of(strip, BLUE) > 0.02
    assert share_of(strip, RED) > 0.002

    def playhead(frame):
        lines = frame[483:540].min(axis=(0, 2))  # bright from top to bottom
        return int(np.argmax(lines))

    assert playhead(early) < 200 < 500 < playhead(late)


def test_box_is_drawn_where_the_track_has_one(overlay):
    without, with_box = frames_of(overlay, [2, 38])
    edge = np.s_[200:360, 238:243]  # left edge: 60 px, enlarged fourfold
    assert with_box[edge].min(axis=-1).max() > 200
    assert without[edge].min(axis=-1).max() < 150


def test_part_of_a_video(make_video, tmp_path):
    calls = []
    write_overlay(
        make_video("x.mp4"),
        tmp_path / "o.mp4",
        ethograms={"predicted": PREDICTED},
        colors=COLORS,
        interval=Interval(15, 25),
        progress=lambda done, total: calls.append((done, total)),
    )
    assert probe(tmp_path / "o.mp4").num_frames == 10
    assert calls[-1] == (10, 10)


def test_large_videos_keep_their_size(make_video, tmp_path):
    source = make_video("x.mp4", size=(640, 500), num_frames=40)
    write_overlay(source, tmp_path / "o.mp4", ethograms={}, colors={})
    meta = probe(tmp_path / "o.mp4")
    assert meta.width == 640
    assert 500 < meta.height < 560


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ethograms": {"true": Ethogram(39, 25)}}, "'true' has 39 frames, but the video has 40"),
        ({"track": Track.from_boxes(41, {})}, "track has 41 frames"),
        ({"colors": {"Twitch": RED}}, "colors lacks"),
        ({"interval": Interval(30, 41)}, r"expected frames within 0\.\.39"),
    ],
)
def test_what_does_not_fit_is_an_error(make_video, tmp_path, change, message):
    arguments = {"ethograms": {"true": TRUE}, "colors": COLORS} | change
    with pytest.raises(ValueError, match=message):
        write_overlay(make_video("x.mp4"), tmp_path / "o.mp4", **arguments)
    assert not (tmp_path / "o.mp4").exists()


def test_source_is_not_overwritten_however_it_is_spelled(make_video, tmp_path, monkeypatch):
    source = make_video("x.mp4")
    before = source.read_bytes()
    (tmp_path / "link.mp4").symlink_to(source)
    monkeypatch.chdir(tmp_path)
    for target in (source, "x.mp4", "link.mp4"):
        with pytest.raises(ValueError, match="must differ from each other and from the source"):
            write_overlay(source, target, ethograms={}, colors={})
    assert source.read_bytes() == before
