"""What is told of Training Data before a training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import tiny
from mouse_ar.data.training_data import open_training_data
from mouse_ar.report.data_summary import summarise_data
from tiny import ACTIONS, GROOMING, TWITCH


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_training_data(tmp_path_factory.mktemp("summary"))


def test_counts(project: Path) -> None:
    data = open_training_data(project, actions=ACTIONS)
    summary = summarise_data(data, actions=ACTIONS)
    rows = {name: rest for name, *rest in summary.rows}
    assert list(rows) == [*ACTIONS.datasets, "val", "test"]
    assert sum(rows[name][0] for name in ACTIONS.datasets) == len(data.clips)
    assert rows["test"][:3] == [1, 1, tiny.NUM_FRAMES / tiny.FPS]
    assert rows["Self-Grooming"][3][GROOMING] >= 5
    assert [text.split(":")[0] for text in summary.warnings] == [
        f"There are only {rows['Self-Grooming'][0]} clips of {GROOMING}",
        f"There are only {rows['Head-Body_TWITCH'][0]} clips of {TWITCH}",
    ]


def test_what_is_missing_is_told(project: Path) -> None:
    data = open_training_data(project, actions=ACTIONS)
    clips = tuple(clip for clip in data.clips if clip.dataset == "Self-Grooming")
    lacking = replace(data, clips=clips, val=(), test=())
    text = "\n".join(summarise_data(lacking, actions=ACTIONS).warnings)
    for word in (f"no clip of {TWITCH}", "no idle clip", "no val video", "no test video"):
        assert word in text
