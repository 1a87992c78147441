"""What is told of Training Data before a training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import tiny
from mouse_ar.core.types import Ethogram
from mouse_ar.data.data_summary import summarise_data
from mouse_ar.data.training_data import open_training_data
from mouse_ar.pipelines.config import PreprocessConfig
from mouse_ar.pipelines.preprocess import preprocess
from tiny import ACTIONS, GROOMING, TWITCH


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("summary")
    tiny.write_project(root / "input")
    preprocess(
        root / "input",
        root / "data",
        actions=ACTIONS,
        config=PreprocessConfig(detect_every=20),
        detector=tiny.BoxDetector(),
    )
    return root / "data"


def test_counts(project: Path) -> None:
    data = open_training_data(project, actions=ACTIONS)
    summary = summarise_data(data, actions=ACTIONS)
    rows = {name: rest for name, *rest in summary.rows}
    assert list(rows) == [*ACTIONS.datasets, "val", "test"]
    assert sum(rows[name][0] for name in ACTIONS.datasets) == len(data.clips)
    assert rows["test"][:3] == [1, 1, tiny.NUM_FRAMES / tiny.FPS]
    assert rows["Self-Grooming"][3][GROOMING] >= 5
    bouts = {
        name: sum(row[3].get(name, 0) for row in list(rows.values())[:3])
        for name in (GROOMING, TWITCH)
    }
    assert [text.split(" in the clips:")[0] for text in summary.warnings] == [
        f"There are only {bouts[GROOMING]} bouts of {GROOMING}",
        f"There are only {bouts[TWITCH]} bouts of {TWITCH}",
    ]


def test_what_is_missing_is_told(project: Path) -> None:
    data = open_training_data(project, actions=ACTIONS)
    clips = tuple(clip for clip in data.clips if clip.dataset == "Self-Grooming")
    lacking = replace(data, clips=clips, val=(), test=())
    summary = summarise_data(lacking, actions=ACTIONS)
    assert not summarise_data(data, actions=ACTIONS).errors
    assert not summary.errors
    text = "\n".join(summary.warnings)
    for word in (f"no clip of {TWITCH}", "no idle clip", "no val video", "no test video"):
        assert word in text
    idle = tuple(clip for clip in data.clips if clip.dataset == ACTIONS.background)
    (error,) = summarise_data(replace(data, clips=idle), actions=ACTIONS).errors
    assert error.startswith(f"There is no clip of {GROOMING} or {TWITCH}")


def test_counts_by_source_video(project: Path) -> None:
    data = open_training_data(project, actions=ACTIONS)
    rows = summarise_data(data, actions=ACTIONS).sources
    assert [row.use for row in rows] == ["train"] * 5 + ["val", "test"]
    assert sum(row.files for row in rows[:5]) == len(data.clips)
    assert sum(row.frames for row in rows[:5]) == sum(clip.num_frames for clip in data.clips)
    labelled = {Path(row.source).name: row.bouts for row in rows}
    assert labelled["g.mp4"] == {}
    assert all(bouts[TWITCH] >= 1 for name, bouts in labelled.items() if name != "g.mp4")
    assert rows[-1].seconds == tiny.NUM_FRAMES / tiny.FPS


def test_what_cannot_be_told_of_an_action_is_warned_of(project: Path) -> None:
    data = open_training_data(project, actions=ACTIONS)
    one = data.clips[0].source
    quiet = replace(data.val[0], ethogram=Ethogram(tiny.NUM_FRAMES, tiny.FPS, ()))
    lacking = replace(
        data,
        clips=tuple(clip for clip in data.clips if clip.source == one),
        val=(quiet,),
        test=(quiet,),
    )
    text = "\n".join(summarise_data(lacking, actions=ACTIONS).warnings)
    for word in (
        f"All clips of {TWITCH} are from one source video, {one}",
        f"No val video shows {GROOMING}",
        f"No test video shows {TWITCH}",
    ):
        assert word in text
    assert "one source video" not in "\n".join(summarise_data(data, actions=ACTIONS).warnings)


def test_clips_of_unknown_origin_are_warned_of(project: Path) -> None:
    data = open_training_data(project, actions=ACTIONS)
    clips = tuple(replace(clip, source=clip.key, made_from=("", "")) for clip in data.clips)
    text = "\n".join(summarise_data(replace(data, clips=clips), actions=ACTIONS).warnings)
    assert "do not say which videos they are from" in text
    assert "do not say" not in "\n".join(summarise_data(data, actions=ACTIONS).warnings)
