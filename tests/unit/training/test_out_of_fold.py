"""What is fitted to the clips that the folds held out, and the file that carries it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mouse_ar.cli.options import numbers_from
from mouse_ar.core.actions import Action, ActionKind, ActionSet
from mouse_ar.core.decoding_params import DecodingParams, StateDecoding
from mouse_ar.core.types import ActionScores, Bout, ClipSpec, Ethogram, Interval, Track
from mouse_ar.data.training_data import TrainingData, VideoRecord
from mouse_ar.training.out_of_fold import OutOfFold, fit_out_of_fold

# A name that means something else in YAML unless it is quoted.
GROOM, TWITCH = "Groom: paws #1", "Twitch"
ACTIONS = ActionSet((Action(GROOM, "g", ActionKind.STATE), Action(TWITCH, "t", ActionKind.POINT)))
FPS, FRAMES, SPEC = 25.0, 75, ClipSpec()
GROOMING, IDLE = Interval(20, 60), None


def record(
    key: str, source: str, grooming: Interval | None, *, ignored: Sequence[Interval] = ()
) -> VideoRecord:
    labels = (Bout(grooming, GROOM),) if grooming else ()
    return VideoRecord(
        key=key,
        dataset="x",
        path=Path(key),
        source=source,
        width=8,
        height=8,
        ethogram=Ethogram(FRAMES, FPS, labels),
        track=Track.from_boxes(FRAMES, {}),
        ignored=tuple(ignored),
    )


def low_scores(clip: VideoRecord, seed: int) -> ActionScores:
    """Grooming reaches 0.45 only, which the default thresholds miss."""
    rng = np.random.default_rng(seed)
    groom = np.where(clip.ethogram.mask(GROOM), 0.45, 0.05) + rng.normal(0, 0.02, FRAMES)
    columns = [1 - groom, groom, np.zeros(FRAMES)]
    return ActionScores(np.stack(columns, 1).astype(np.float32), ACTIONS.classes, FPS)


CLIPS = tuple(
    record(f"x/s{source}_{n}", f"s{source}", IDLE if n == 4 else GROOMING)
    for source in range(3)
    for n in range(5)
)
SCORES = {clip.key: low_scores(clip, seed) for seed, clip in enumerate(CLIPS)}
DATA = TrainingData(
    clips=CLIPS,
    val=(
        record("x/v1", "v1", Interval(0, 15), ignored=[Interval(50, 75)]),
        record("x/v2", "v2", IDLE),
    ),
    test=(),
    fingerprint="",
)


def fit(data: TrainingData = DATA, scores: dict[str, ActionScores] = SCORES) -> OutOfFold:
    return fit_out_of_fold(data, scores, spec=SPEC, actions=ACTIONS)


def test_file_brings_the_fitted_decoding_to_a_model_and_leaves_its_noise_floor(
    tmp_path: Path,
) -> None:
    found = fit()
    path = tmp_path / "out_of_fold.yaml"
    path.write_text(found.overrides(), encoding="utf-8")
    model = DecodingParams.defaults(ACTIONS).with_overrides(
        {f"{GROOM}.noise_sigmas": 2.5, f"{GROOM}.smooth_seconds": 2.0, f"{TWITCH}.threshold": 0.9}
    )
    used = model.with_overrides(numbers_from(path, None), actions=ACTIONS)
    groom = found.fitted.params[GROOM]
    assert isinstance(groom, StateDecoding)
    assert groom.on_threshold < 0.45
    assert used[GROOM] == replace(groom, noise_sigmas=2.5)
    assert used[TWITCH] == model[TWITCH], "no bout of it says anything"
    text = path.read_text(encoding="utf-8")
    assert "15 clips of 3 source videos" in text
    assert "fitted to 12 true bouts in 3 videos" in text
    assert "# Twitch: not set: only 0 true bouts" in text


def test_noise_floor_stays_the_default() -> None:
    params, defaults = fit().fitted.params, DecodingParams.defaults(ACTIONS)
    for name in ACTIONS.names:
        assert params[name].noise_sigmas == defaults[name].noise_sigmas > 0


def test_defaults_are_those_of_the_training_frame_rate() -> None:
    spec = ClipSpec(num_frames=16, sampling_rate=2)
    found = fit_out_of_fold(DATA, SCORES, spec=spec, actions=ACTIONS)
    expected = DecodingParams.defaults(ACTIONS, spec=spec, fps=FPS)
    assert found.fitted.params[TWITCH] == expected[TWITCH]


def test_sources_are_left_out_as_a_whole() -> None:
    assert fit().fitted.report[0].f1_held_out == 1
    one = replace(DATA, clips=tuple(replace(clip, source="s0") for clip in CLIPS))
    alone = fit(one).fitted.report[0]
    assert alone.f1_held_out is None
    assert "of one video, which nothing else confirms" in alone.reason


def test_calibration_is_for_the_share_that_val_videos_have() -> None:
    found = fit()
    assert found.priors == {GROOM: pytest.approx(15 / 125)}
    rarer = replace(DATA, val=(*DATA.val, *(record(f"x/w{i}", "w", IDLE) for i in range(20))))
    often, seldom = found.calibration.of(GROOM), fit(rarer).calibration.of(GROOM)
    assert "calibrated on" in often.reason
    between = np.array([0.25])
    assert seldom(between) < often(between)


def test_without_val_videos_nothing_is_calibrated_and_it_is_said() -> None:
    found = fit(replace(DATA, val=()))
    assert found.priors == {}
    assert all(found.calibration.of(name).is_identity for name in ACTIONS.names)
    assert "there are no val videos" in found.calibration.of(GROOM).reason
    assert "only 0 true bouts" in found.calibration.of(TWITCH).reason


def test_action_that_no_val_video_shows_is_not_calibrated() -> None:
    found = fit(replace(DATA, val=DATA.val[1:])).calibration.of(GROOM)
    assert found.is_identity
    assert "no val video tells" in found.reason


def test_clips_that_could_not_be_scored_are_left_out() -> None:
    found = fit(scores={key: own for key, own in SCORES.items() if not key.startswith("x/s2")})
    assert (found.clips, found.sources) == (10, 2)
    assert found.fitted.report[0].true_bouts == 8
    none = fit(scores={})
    assert (none.clips, none.sources) == (0, 0)
    assert not any(one.fitted for one in none.fitted.report)


def test_ignored_frames_of_clips_do_not_count() -> None:
    spoilt = tuple(replace(clip, ignored=(Interval(0, FRAMES),)) for clip in CLIPS[:5])
    found = fit(replace(DATA, clips=(*spoilt, *CLIPS[5:])))
    assert found.fitted.report[0].true_bouts == 8


def test_the_result_is_json() -> None:
    found = fit()
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert DecodingParams.from_dict(data["decoding"]["params"]) == found.fitted.params
    assert set(data["calibration"]) == set(ACTIONS.names)
