"""Cross-validation: what is held out, that it goes on, and what it leaves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st

import tiny
from mouse_ar.cli.options import numbers_from
from mouse_ar.core.decoding import DecodingParams
from mouse_ar.core.types import Ethogram, Track
from mouse_ar.data.training_data import TrainingData, VideoRecord, open_training_data
from mouse_ar.pipelines.predictor import load_predictor
from mouse_ar.pipelines.scoring import score_video
from mouse_ar.pipelines.store import BusyError
from mouse_ar.training.fold_split import assign_folds
from mouse_ar.training.folds import CrossValidation, cross_validate
from mouse_ar.training.loop import TrainResult
from mouse_ar.training.out_of_fold import out_of_fold_scores
from mouse_ar.training.run import train
from mouse_ar.training.state import ResumeError
from mouse_ar.video.probe import probe
from tiny import ACTIONS, GROOMING, TWITCH

CPU = torch.device("cpu")
CONFIG = replace(tiny.TRAIN, epochs=1, batch_size=4)
CHECKPOINT = "checkpoints/best.safetensors"


def train_one(data: Path, output: Path, **options: Any) -> TrainResult:
    settings = {"config": CONFIG, "actions": ACTIONS, "device": CPU, "emit": lambda event: None}
    return train(data, output, **{**settings, **options})


def cross(data: Path, output: Path, **options: Any) -> CrossValidation:
    settings = {"folds": 2, "config": CONFIG, "actions": ACTIONS, "device": CPU, "train": train_one}
    return cross_validate(data, output, **{**settings, **options})


@pytest.fixture(scope="module")
def loaded(data: Path) -> TrainingData:
    return open_training_data(data, actions=ACTIONS)


class Recorded:
    """Trains, and remembers what each fold was trained on."""

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.data: dict[str, TrainingData] = {}

    def __call__(self, data: Path, output: Path) -> TrainResult:
        self.data[output.name] = open_training_data(data, actions=ACTIONS)
        return train_one(data, output, **self.options)


@pytest.fixture(scope="module")
def trained() -> Recorded:
    return Recorded()


@pytest.fixture(scope="module")
def finished(data: Path, trained: Recorded, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("folds")
    assert not cross(data, output, train=trained).stopped
    return output


def document(output: Path) -> dict[str, Any]:
    return dict(json.loads((output / "folds.json").read_text()))


def test_no_fold_has_seen_what_it_is_judged_by(
    finished: Path, trained: Recorded, loaded: TrainingData
) -> None:
    results = document(finished)["results"]
    held = [set(result["sources"]) for result in results]
    assert held[0].isdisjoint(held[1])
    assert held[0] | held[1] == {clip.source for clip in loaded.clips}
    for result in results:
        seen = trained.data[f"fold_{result['fold']}"]
        assert {clip.source for clip in seen.clips}.isdisjoint(result["sources"])
        assert len(seen.clips) == result["clips_trained_on"]
        assert len(seen.clips) + result["clips"] == len(loaded.clips)
        assert [video.key for video in seen.val] == [video.key for video in loaded.val]
        assert seen.test == ()


def test_clips_are_scored_by_the_model_that_has_not_seen_them(
    finished: Path, loaded: TrainingData
) -> None:
    scores = out_of_fold_scores(finished)
    assert set(scores) == {clip.key for clip in loaded.clips}
    for result in document(finished)["results"]:
        predictor = load_predictor(finished / f"fold_{result['fold']}" / CHECKPOINT, device=CPU)
        assert predictor.sha256 == result["checkpoint_sha256"]
        clip = next(clip for clip in loaded.clips if clip.source in result["sources"])
        meta = probe(clip.path)
        own = score_video(
            predictor.model,
            path=clip.path,
            meta=meta,
            track=clip.track,
            spec=predictor.spec_for(meta),
            actions=ACTIONS,
            device=CPU,
        )
        np.testing.assert_allclose(scores[clip.key].scores_TK, own.scores_TK, atol=1e-3)


def test_decoding_is_fitted_to_all_held_out_clips_and_ready_for_use(
    finished: Path, loaded: TrainingData
) -> None:
    found = document(finished)["out_of_fold"]
    assert found["clips"] == len(loaded.clips)
    assert found["sources"] == len({clip.source for clip in loaded.clips})
    fitted = DecodingParams.from_dict(found["decoding"]["params"])
    model = load_predictor(finished / "fold_1" / CHECKPOINT, device=CPU)
    numbers = numbers_from(finished / "out_of_fold.yaml", None)
    used = model.decoding.with_overrides(numbers, actions=ACTIONS)
    for fit in found["decoding"]["report"]:
        few = fit["true_bouts"] < 10
        assert used[fit["action"]] == (model.decoding if few else fitted)[fit["action"]]


def test_spread_and_pooled_figures_are_those_of_the_folds(finished: Path) -> None:
    found = document(finished)
    first, second = (result["metrics"] for result in found["results"])
    for name in ("macro/frame F1", f"{GROOMING}/average precision", "validation score"):
        values = [first[name], second[name]]
        summary = found["summary"][name]
        assert summary["mean"] == pytest.approx(np.mean(values))
        assert summary["std"] == pytest.approx(np.std(values, ddof=1))
        assert (summary["min"], summary["max"]) == (min(values), max(values))
        assert summary["folds"] == 2
    tp = sum(result["pooled"][TWITCH]["frames"]["tp"] for result in found["results"])
    assert found["pooled"][TWITCH]["frames"]["tp"] == tp
    assert found["pooled"][TWITCH]["average_precision"] is None


def test_finished_folds_are_not_trained_again(finished: Path, data: Path) -> None:
    def never(data: Path, output: Path) -> TrainResult:
        raise AssertionError(f"{output} was trained again")

    told: list[str] = []
    before = document(finished)
    assert cross(data, finished, train=never, tell=told.append).document == before
    assert told[:2] == ["fold 1 of 2: finished before", "fold 2 of 2: finished before"]
    assert told[2:] == ["fitting the decoding to the held-out clips of all folds"]
    assert not list(finished.glob("fold_*/data")), "what only linked to the clips is gone"


def test_interrupted_fold_goes_on(finished: Path, data: Path, tmp_path: Path) -> None:
    calls = 0

    def soon() -> bool:
        nonlocal calls
        calls += 1
        return calls > 3

    stopping = Recorded(should_stop=soon)
    (tmp_path / "out_of_fold.yaml").write_text("# of an earlier cross-validation")
    result = cross(
        data,
        tmp_path,
        train=lambda d, o: (train_one if "1" in o.name else stopping)(d, o),
        restart=True,
    )
    assert result.stopped
    assert [r["fold"] for r in result.document["results"]] == [1]
    assert result.document["finished"] == 1
    assert result.document["out_of_fold"] is None
    assert not (tmp_path / "out_of_fold.yaml").exists()

    again = Recorded()
    assert not cross(data, tmp_path, train=again).stopped
    assert list(again.data) == ["fold_2"]
    one, other = document(tmp_path), document(finished)
    assert one["summary"] == other["summary"]
    assert one["pooled"] == other["pooled"]
    assert one["out_of_fold"] == other["out_of_fold"]


def test_kill_between_training_and_judging_loses_nothing(
    finished: Path, data: Path, tmp_path: Path
) -> None:
    def killed(data: Path, output: Path) -> TrainResult:
        train_one(data, output)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cross(data, tmp_path, train=killed)
    epochs: list[str] = []
    once = Recorded(emit=lambda event: epochs.append(event["event"]))
    cross(data, tmp_path, train=once)
    assert epochs.count("epoch") == 1, "fold 1 was only judged"
    assert document(tmp_path)["summary"] == document(finished)["summary"]


@pytest.mark.parametrize("change", [{"folds": 3}, {"config": replace(CONFIG, lr=0.01)}])
def test_other_folds_or_settings_need_a_restart(
    finished: Path, data: Path, change: dict[str, Any]
) -> None:
    before = document(finished)
    with pytest.raises(ResumeError, match=r"other settings or other training data.* --restart"):
        cross(data, finished, **change)
    assert document(finished) == before


def test_what_would_end_a_later_fold_is_told_before_the_first(data: Path, tmp_path: Path) -> None:
    never = Recorded()
    with pytest.raises(ValueError, match="fewer than the 16 windows of a batch"):
        cross(data, tmp_path, train=never, config=replace(CONFIG, batch_size=16))
    assert never.data == {}


def test_restart_begins_anew(data: Path, tmp_path: Path) -> None:
    (tmp_path / "fold_3").mkdir()
    (tmp_path / "plan.json").write_text('{"fingerprint": "of something else"}')
    again = Recorded()
    cross(data, tmp_path, train=again, restart=True)
    assert list(again.data) == ["fold_1", "fold_2"]
    assert not (tmp_path / "fold_3").exists()


def test_second_one_in_the_same_folder_is_refused(data: Path, tmp_path: Path) -> None:
    with (
        FileLock(tmp_path / ".lock"),
        pytest.raises(BusyError, match="Another training is writing to"),
    ):
        cross(data, tmp_path)


def test_more_loader_processes_are_no_other_settings(finished: Path, data: Path) -> None:
    config = replace(CONFIG, cache_mb=1)
    assert cross(data, finished, config=config).document == document(finished)


def clip(source: str, number: int, actions: Sequence[str]) -> VideoRecord:
    labels = [(action, 10 * i, 10 * i + 5) for i, action in enumerate(actions)]
    return VideoRecord(
        key=f"x/{source}_{number}",
        dataset="x",
        path=Path("x"),
        source=source,
        width=8,
        height=8,
        ethogram=Ethogram(100, 10.0, tiny.bouts(labels)),
        track=Track.from_boxes(100, {}),
    )


@settings(deadline=None)
@given(
    shown=st.lists(
        st.lists(st.sampled_from([(GROOMING,), (TWITCH,), (GROOMING, TWITCH), ()]), min_size=1),
        min_size=2,
        max_size=8,
    ),
    folds=st.integers(2, 5),
    seed=st.integers(0, 3),
)
def test_every_source_is_held_out_once(
    shown: list[list[tuple[str, ...]]], folds: int, seed: int
) -> None:
    clips = [
        clip(f"s{i}", j, actions) for i, own in enumerate(shown) for j, actions in enumerate(own)
    ]
    try:
        held = assign_folds(clips, actions=ACTIONS, folds=folds, seed=seed)
    except ValueError:
        return  # too few sources, or all of an action in one
    assert len(held) == folds
    assert sorted(s for sources in held for s in sources) == sorted({c.source for c in clips})
    assert held == assign_folds(clips[::-1], actions=ACTIONS, folds=folds, seed=seed)
    for sources in held:
        assert any(c.ethogram.bouts for c in clips if c.source in sources)
        rest = [c for c in clips if c.source not in sources]
        assert all(any(c.ethogram.of(a) for c in rest) for a in ACTIONS.names)


def test_actions_are_spread_over_the_folds() -> None:
    """Three sources are rich in twitches, three in grooming: no fold gets all of either."""
    clips = [clip(f"t{i}", j, [TWITCH]) for i in range(3) for j in range(10)]
    clips += [clip(f"g{i}", j, [GROOMING]) for i in range(3) for j in range(10)]
    for seed in range(5):
        held = assign_folds(clips, actions=ACTIONS, folds=3, seed=seed)
        assert all({name[0] for name in sources} == {"t", "g"} for sources in held)


def test_both_sources_of_a_rare_action_are_not_held_out_at_once() -> None:
    clips = [clip(f"s{i}", j, [GROOMING]) for i in range(4) for j in range(3 * i + 1)]
    clips += [clip("s0", 99, [TWITCH]), clip("s1", 99, [TWITCH])]
    for folds in (2, 3, 4):
        for sources in assign_folds(clips, actions=ACTIONS, folds=folds):
            assert not {"s0", "s1"} <= set(sources)


def test_as_many_folds_as_groups_leave_one_out() -> None:
    clips = [clip(f"day{i}", j, [TWITCH, GROOMING]) for i in range(3) for j in range(3 + i)]
    held = assign_folds(clips, actions=ACTIONS, folds=3)
    assert sorted(held) == [("day0",), ("day1",), ("day2",)]


@pytest.mark.parametrize("folds", [0, 1, 4])
def test_impossible_number_of_folds(folds: int) -> None:
    clips = [clip(f"s{i}", 0, [TWITCH, GROOMING]) for i in range(3)]
    with pytest.raises(ValueError, match=rf"--folds {folds} is impossible: allowed are 2 to 3"):
        assign_folds(clips, actions=ACTIONS, folds=folds)


def test_action_of_one_source_cannot_be_cross_validated() -> None:
    clips = [clip(f"s{i}", 0, [GROOMING]) for i in range(3)] + [clip("s0", 1, [TWITCH])]
    with pytest.raises(ValueError, match=rf"all clips of {TWITCH} are from s0"):
        assign_folds(clips, actions=ACTIONS, folds=2)
