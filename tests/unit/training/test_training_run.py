"""Training: it learns, resumes exactly, refuses what does not fit, and leaves a full checkpoint."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock

import tiny
from mouse_ar.core.decoding import DecodingParams
from mouse_ar.data.local_project import LocalProject
from mouse_ar.data.training_data import open_training_data
from mouse_ar.mvd import load_checkpoint
from mouse_ar.pipelines.store import BusyError
from mouse_ar.training.config import TrainConfig
from mouse_ar.training.loop import TrainResult
from mouse_ar.training.run import train
from mouse_ar.training.state import ResumeError
from tiny import ACTIONS

CPU = torch.device("cpu")
FOUR = replace(tiny.TRAIN, epochs=4)


class Interrupted(Exception):
    """What stops a run from outside."""


def start(data: Path, output: Path, config: TrainConfig, **options: Any) -> TrainResult:
    settings = {"actions": ACTIONS, "device": CPU, "emit": lambda event: None}
    return train(data, output, config=config, **{**settings, **options})


def stop_at(kind: str, epoch: int) -> Any:
    def emit(event: dict[str, Any]) -> None:
        if event["event"] == kind and event["epoch"] == epoch:
            raise Interrupted

    return emit


@pytest.fixture(scope="module")
def finished(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("run")
    start(data, output, FOUR)
    return output


def events(run: Path, kind: str) -> list[dict[str, Any]]:
    lines = (run / "events.jsonl").read_text().splitlines()
    return [event for line in lines if (event := json.loads(line))["event"] == kind]


def weights(run: Path, name: str = "best.safetensors") -> dict[str, torch.Tensor]:
    if name.endswith(".pt"):
        return dict(torch.load(run / "checkpoints" / name, weights_only=True)["model"])
    return load_checkpoint(run / "checkpoints" / name).model.state_dict()


def assert_same_weights(one: Path, other: Path, name: str) -> None:
    first, second = weights(one, name), weights(other, name)
    assert first.keys() == second.keys()
    for key, value in first.items():
        assert torch.equal(value, second[key]), key


def test_loss_goes_down_on_what_colour_tells(finished: Path) -> None:
    losses = [event["loss"] for event in events(finished, "epoch")]
    assert len(losses) == 4
    assert losses[-1] < 0.85 * losses[0]
    assert events(finished, "end")[0]["score"] == max(
        event["score"] for event in events(finished, "validation")
    )


def test_checkpoint_carries_everything(finished: Path, data: Path) -> None:
    checkpoint = load_checkpoint(finished / "checkpoints/best.safetensors")
    assert checkpoint.spec == FOUR.clip_spec()
    assert checkpoint.actions == ACTIONS
    assert checkpoint.training_fps == pytest.approx(tiny.FPS)
    assert checkpoint.config.num_frames == FOUR.num_frames
    assert checkpoint.data_fingerprint == open_training_data(data, actions=ACTIONS).fingerprint
    decoding = DecodingParams.from_dict(checkpoint.decoding)
    assert decoding.to_dict() == checkpoint.decoding
    assert checkpoint.metadata["train_config"] == FOUR.to_dict()
    assert checkpoint.metadata["epoch"] == events(finished, "end")[0]["best_epoch"]


@pytest.mark.parametrize(("kind", "epoch"), [("epoch", 1), ("validation", 2), ("epoch", 0)])
def test_interrupted_run_ends_like_an_undisturbed_one(
    finished: Path, data: Path, tmp_path: Path, kind: str, epoch: int
) -> None:
    with pytest.raises(Interrupted):
        start(data, tmp_path, FOUR, emit=stop_at(kind, epoch))

    result = start(data, tmp_path, FOUR)

    resumed = [event["epoch"] for event in events(tmp_path, "resume")[-1:]]
    assert resumed == ([epoch] if epoch else [])
    assert_same_weights(tmp_path, finished, "last.pt")
    assert_same_weights(tmp_path, finished, "best.safetensors")
    assert result.best_score == events(finished, "end")[0]["score"]


def test_averaged_weights_resume_exactly_too(data: Path, tmp_path: Path) -> None:
    config = replace(FOUR, epochs=2, ema_decay=0.5)
    start(data, tmp_path / "whole", config)
    with pytest.raises(Interrupted):
        start(data, tmp_path / "parts", config, emit=stop_at("epoch", 1))
    start(data, tmp_path / "parts", config)

    assert_same_weights(tmp_path / "parts", tmp_path / "whole", "best.safetensors")
    averaged, last = weights(tmp_path / "whole"), weights(tmp_path / "whole", "last.pt")
    assert any(not torch.equal(averaged[key], last[key]) for key in last)


def test_finished_run_is_left_alone(finished: Path, data: Path) -> None:
    before = (finished / "checkpoints/best.safetensors").stat().st_mtime_ns
    result = start(data, finished, FOUR)
    assert result.checkpoint.stat().st_mtime_ns == before
    assert result.best_score >= 0


@pytest.mark.parametrize("change", [{"lr": 0.01}, {"seed": 1}, {"epochs": 5}])
def test_other_settings_in_the_same_folder_are_refused(
    finished: Path, data: Path, change: dict[str, Any]
) -> None:
    with pytest.raises(ResumeError, match=r"other settings or other training data.* --restart"):
        start(data, finished, replace(FOUR, **change))


def test_other_data_in_the_same_folder_are_refused(finished: Path, few: Path) -> None:
    with pytest.raises(ResumeError, match="other training data"):
        start(few, finished, FOUR)


def test_loss_that_is_not_finite_stops_the_run(data: Path, tmp_path: Path) -> None:
    config = replace(tiny.TRAIN, lr=1e30, warmup_epochs=0)
    with pytest.raises(FloatingPointError, match=r"loss is nan at step \d+\. Lower lr"):
        start(data, tmp_path, config)
    assert not (tmp_path / "checkpoints/last.pt").exists()


def test_few_videos_hold_out_clips(few: Path, tmp_path: Path) -> None:
    assert not open_training_data(few, actions=ACTIONS).val
    result = start(few, tmp_path, replace(tiny.TRAIN, epochs=1))

    validation = events(tmp_path, "validation")[0]
    assert "window_macro_f1" in validation["metrics"]
    assert "No val videos: held-out clips chose" in validation["decoding"]["note"]
    checkpoint = load_checkpoint(result.checkpoint)
    assert "No val videos: held-out clips chose" in checkpoint.metadata["decoding_report"]["note"]


def test_no_clips_are_told(tmp_path: Path) -> None:
    LocalProject.create(tmp_path / "data", actions=ACTIONS)
    with pytest.raises(ValueError, match="holds no training clips"):
        start(tmp_path / "data", tmp_path / "run", tiny.TRAIN)


def test_videos_to_evaluate_are_nothing_to_train_on(tmp_path: Path) -> None:
    project = LocalProject.create(tmp_path / "data", actions=ACTIONS)
    tiny.add_video(project, "a.mp4", [], dataset="test")
    with pytest.raises(ValueError, match="no training clips, only val or test"):
        start(tmp_path / "data", tmp_path / "run", tiny.TRAIN)


def test_second_training_in_the_same_folder_is_refused(data: Path, tmp_path: Path) -> None:
    with (
        FileLock(tmp_path / ".lock"),
        pytest.raises(BusyError, match=r"Another training is writing to .*Wait for it"),
    ):
        start(data, tmp_path, tiny.TRAIN)
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.parametrize(("layer_decay", "texts"), [(1.0, 0), (0.75, 1)])
def test_layer_decay_from_scratch_is_warned_of(
    data: Path, tmp_path: Path, layer_decay: float, texts: int
) -> None:
    start(data, tmp_path, replace(tiny.TRAIN, epochs=1, layer_decay=layer_decay))
    found = [event["text"] for event in events(tmp_path, "warning")]
    assert sum("Set layer_decay=1.0" in text for text in found) == texts


def test_loading_process_changes_nothing(data: Path, tmp_path: Path) -> None:
    config = replace(tiny.TRAIN, epochs=1)
    start(data, tmp_path / "inside", config)
    start(data, tmp_path / "beside", replace(config, num_workers=1))
    assert_same_weights(tmp_path / "inside", tmp_path / "beside", "last.pt")


def test_shuffled_labels_are_another_run_with_the_same_pixels(data: Path, tmp_path: Path) -> None:
    control = replace(tiny.TRAIN, epochs=1, shuffle_labels=True)
    start(data, tmp_path, control)
    with pytest.raises(ResumeError):
        start(data, tmp_path, replace(control, shuffle_labels=False))
