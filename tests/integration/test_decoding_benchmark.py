"""``benchmarks/decoding.py``: the earlier way, and a demo's windows scored as inference does."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from colour_checkpoint import write_colour_checkpoint
from mouse_ar.core.aggregation import ScoreAccumulator
from mouse_ar.core.types import Bout, ClipSpec, Ethogram, Interval, Window
from mouse_ar.data.training_data import open_training_data
from mouse_ar.pipelines.predictor import load_predictor
from mouse_ar.pipelines.scoring import score_video
from mouse_ar.video.probe import probe
from tiny import ACTIONS, GROOMING, TWITCH, write_training_data

SPEC = ClipSpec(num_frames=8, sampling_rate=1)
STEP = 4


@pytest.fixture
def script(repo: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(repo / "benchmarks")
    return importlib.import_module("decoding")


def labelled(script: ModuleType, num_frames: int, *, winners: dict[int, str]) -> object:
    """A video in which an action is likeliest in the windows with these first frames."""

    def score(windows: list[Window]) -> np.ndarray:
        names = [winners.get(window.interval.start, ACTIONS.background) for window in windows]
        return np.array([[name == one for one in ACTIONS.classes] for name in names], dtype=float)

    return script.WindowScores.of(
        Ethogram(num_frames, 25.0, (Bout(Interval(20, 23), TWITCH),)),
        ignored=(),
        spec=SPEC,
        classes=ACTIONS.classes,
        scorer=score,
    )


def test_the_earlier_way_joins_whole_windows_that_touch(script: ModuleType) -> None:
    winners = {-4: GROOMING, 20: GROOMING, 24: TWITCH, 28: GROOMING, 40: GROOMING, 92: GROOMING}
    found = script.earlier_way(labelled(script, 96, winners=winners), step=STEP)
    # 20..28 and 28..36 touch; the next begins at 40
    assert [bout.interval for bout in found.of(GROOMING)] == [
        Interval(0, 5),
        Interval(20, 37),
        Interval(40, 49),
        Interval(92, 96),
    ]
    assert [bout.interval for bout in found.of(TWITCH)] == [Interval(24, 33)]


def test_the_table_has_both_ways_side_by_side(script: ModuleType) -> None:
    video = labelled(script, 96, winners={16: TWITCH, 20: TWITCH})
    rows = script.table(
        {"a": video},
        name="made up",
        actions=ACTIONS,
        decoding=script.DecodingParams.defaults(ACTIONS, spec=SPEC),
    )
    (at_half, _) = (row for row in rows if row[1] == f"{TWITCH} (1)")
    # earlier: frames 16 to 28, three of them true; its centre is a frame from the true one
    assert at_half[3:6] == ["1.000 / 1.000", "0.000 / 1.000", "0.000 / 0.000"]
    assert at_half[6] == "1.000 / 1.000"


def test_windows_of_a_demo_are_scored_as_inference_does(script: ModuleType, tmp_path: Path) -> None:
    write_training_data(tmp_path / "made")
    shutil.copytree(tmp_path / "made" / "data", tmp_path / "seed0" / "data")
    checkpoint = tmp_path / "seed0" / "run" / "checkpoints" / "best.safetensors"
    checkpoint.parent.mkdir(parents=True)
    write_colour_checkpoint(checkpoint)

    predictor = load_predictor(checkpoint, device=torch.device("cpu"))
    videos, _ = script.demo_videos(tmp_path / "seed0")
    records = open_training_data(tmp_path / "seed0" / "data", actions=ACTIONS).test
    assert sorted(videos) == sorted(record.key for record in records)
    for record in records:
        meta = probe(record.path)
        spec = predictor.spec_for(meta)
        step = script.steps(spec)[1]
        scores = ScoreAccumulator(meta.num_frames, classes=ACTIONS.classes, fps=meta.fps)
        scores.add(*videos[record.key].at(step))
        expected = score_video(
            predictor.model,
            path=record.path,
            meta=meta,
            track=record.track,
            spec=spec,
            actions=ACTIONS,
            device=torch.device("cpu"),
            stride_frames=step,
        )
        np.testing.assert_allclose(scores.result().scores_TK, expected.scores_TK, atol=1e-4)

    rows = list(script.demo_rows([tmp_path / "seed0"]))
    assert {row[0] for row in rows} == {"seed0"}
    assert len(rows) == 2 * len(ACTIONS.names)
