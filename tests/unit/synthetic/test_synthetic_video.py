from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mouse_ar.core.actions import ActionKind
from mouse_ar.data.config_files import load_actions
from mouse_ar.synthetic import GROOMING, TWITCH, SyntheticConfig, SyntheticVideo, make_video
from mouse_ar.synthetic.mouse import CoatColors, paint_mouse
from mouse_ar.synthetic.scene import ARENAS, COATS, choose_look

SHORT = SyntheticConfig(seconds_per_video=12.0, seed=3)


@pytest.fixture(scope="module")
def video() -> SyntheticVideo:
    return make_video(SHORT, 1)


@pytest.fixture(scope="module")
def frames(video: SyntheticVideo) -> np.ndarray:
    return np.stack(list(video.frames()))


def test_frames_are_rgb_and_as_many_as_the_truth_says(
    video: SyntheticVideo, frames: np.ndarray
) -> None:
    assert frames.shape == (300, 192, 256, 3)
    assert frames.dtype == np.uint8
    assert video.num_frames == video.track.num_frames == video.unlabelled.num_frames == 300
    assert video.fps == 25.0


def test_the_same_seed_gives_the_same_pixels_and_labels(
    video: SyntheticVideo, frames: np.ndarray
) -> None:
    again = make_video(replace(SHORT, num_videos=2), 1)
    assert again.ethogram == video.ethogram
    assert again.name == video.name
    np.testing.assert_array_equal(again.track.boxes_T4, video.track.boxes_T4)
    for _ in range(2):  # frames() may be called again
        np.testing.assert_array_equal(np.stack(list(again.frames())), frames)


def test_seed_and_index_change_the_video(video: SyntheticVideo) -> None:
    for other in (make_video(SHORT, 2), make_video(replace(SHORT, seed=4), 1)):
        assert other.ethogram != video.ethogram
        assert not np.array_equal(next(other.frames()), next(video.frames()))


def test_action_names_and_kinds_are_those_of_the_built_in_actions() -> None:
    actions = load_actions()
    assert actions[GROOMING].kind is ActionKind.STATE
    assert actions[TWITCH].kind is ActionKind.POINT


@pytest.mark.parametrize("index", range(4))
def test_box_holds_all_of_the_mouse_but_the_tail_and_no_more(index: int) -> None:
    video = make_video(replace(SHORT, distractors_per_minute=0.0), index)
    hidden = np.repeat(video._shape.trunk.mean(axis=1, keepdims=True), 9, axis=1)
    shape = replace(video._shape, tail=hidden)
    black = CoatColors(*[(0.0, 0.0, 0.0)] * 4)
    for number in range(0, video.num_frames, 7):
        canvas = np.full((192, 256, 3), 255, dtype=np.uint8)
        paint_mouse(canvas, shape=shape, frame=number, colors=black, light=1.0)
        rows, columns = np.nonzero(canvas[:, :, 0] < 100)  # the drop shadow is lighter
        seen = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        np.testing.assert_allclose(video.track.boxes_T4[number], seen, atol=1.6)


def test_box_is_where_the_mouse_is_seen() -> None:
    config = replace(SHORT, noise_sigma=0.0, flicker_percent=0.0, distractors_per_minute=0.0)
    dark = next(i for i in range(8) if choose_look(config, i).coat == "black")
    video = make_video(config, dark)
    empty = video._scene.background_HWC
    for number, frame in enumerate(video.frames()):
        if number % 25 == 0:
            changed = frame < 0.6 * np.median(frame / np.maximum(empty, 1)) * empty
            box = video.track.box(number)
            assert box is not None
            rows, columns = np.nonzero(changed.all(axis=2))
            assert box.contains(columns.mean(), rows.mean())
            within = (columns >= box.left) & (columns < box.right)
            assert (within & (rows >= box.top) & (rows < box.bottom)).mean() > 0.9


def test_boxes_stay_inside_the_image_and_have_the_size_of_a_mouse() -> None:
    for index in range(4):
        left, top, right, bottom = make_video(SHORT, index).track.boxes_T4.T
        assert min(left.min(), top.min()) >= 0
        assert right.max() <= 256
        assert bottom.max() <= 192
        diagonal = np.median(np.hypot(right - left, bottom - top))
        assert 50 < diagonal < 100


def test_twitches_alternate_and_last_as_configured() -> None:
    for index in range(4):
        video = make_video(SHORT, index)
        for bout in video.ethogram.of(TWITCH):
            assert 2 <= bout.interval.length <= 6
            # Head against body, without the slow scanning that goes on underneath.
            part = slice(bout.interval.start - 1, bout.interval.stop + 1)
            angle = video._motion.head_angle[part] + video._motion.heading[part]
            change = np.diff(angle)
            assert (np.abs(change) > np.radians(3)).sum() >= 2
            assert change.min() < 0 < change.max()


def test_labels_do_not_overlap_distractors() -> None:
    distractors = {"head turn", "startle", "posture shift", "flicker burst", "camera bump"}
    for index in range(4):
        video = make_video(SHORT, index)
        for twitch in video.ethogram.of(TWITCH):
            for other in video.unlabelled.bouts:
                if other.action in distractors:
                    assert not other.interval.overlap(twitch.interval)


def test_rates_and_shares_come_out_as_configured() -> None:
    config = SyntheticConfig(seed=1, num_videos=12)
    ethograms = [make_video(config, i).ethogram for i in range(12) if i not in config.positive_free]
    minutes = sum(e.num_frames / e.fps for e in ethograms) / 60
    assert 8 < sum(len(e.of(TWITCH)) for e in ethograms) / minutes < 15
    assert 2.5 < sum(len(e.of(GROOMING)) for e in ethograms) / minutes < 5.5
    assert 0.15 < np.mean([e.mask(GROOMING).mean() for e in ethograms]) < 0.35
    for ethogram in ethograms:
        for bout in ethogram.of(GROOMING):
            low, high = config.grooming_seconds
            assert low * 25 - 1 <= bout.interval.length <= high * 25 + 1


def test_positive_free_videos_have_no_labels_but_distractors() -> None:
    video = make_video(replace(SHORT, positive_free=(1,)), 1)
    assert video.ethogram.bouts == ()
    assert {b.action for b in video.unlabelled.bouts} - {"walk", "rest", "sniff", "rear"}


def test_looks_vary() -> None:
    looks = [choose_look(SHORT, i) for i in range(16)]
    assert {look.arena for look in looks[:4]} == set(ARENAS)
    assert {look.coat for look in looks[:4]} == set(COATS)
    assert len({(look.arena, look.coat) for look in looks}) == 16
    infrared = next(i for i, look in enumerate(looks) if look.light == "infrared")
    frame = next(make_video(SHORT, infrared).frames())
    assert np.ptp(frame, axis=2).max() == 0


def test_other_sizes_and_rates_work() -> None:
    config = SyntheticConfig(width=320, height=128, fps=60.0, seconds_per_video=2.0)
    video = make_video(config, 0)
    frames = list(video.frames())
    assert len(frames) == 120
    assert frames[0].shape == (128, 320, 3)


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"fps": 0.0}, "fps must be > 0"),
        ({"width": 255}, "width must be even"),
        ({"seed": -1}, "seed must be >= 0"),
        ({"twitch_frames": (6, 2)}, "twitch_frames must be"),
        ({"noise_sigma": -1.0}, "noise_sigma must be >= 0"),
        ({"grooming_bouts_per_minute": 20.0}, "lower grooming_bouts_per_minute"),
        ({"distractors_per_minute": 60.0}, "must be at most 60"),
    ],
)
def test_config_rejects_what_cannot_be(wrong: dict[str, object], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        SyntheticConfig(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="index must be >= 0"):
        make_video(SHORT, -1)
