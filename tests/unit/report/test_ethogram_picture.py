"""Pictures of bouts, also for more videos than fit one picture."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

import tiny
from mouse_ar.core.types import ActionScores, Ethogram
from mouse_ar.report.ethogram import plot_ethograms
from tiny import ACTIONS, GROOMING, TWITCH


def ethogram(*labels: tuple[str, int, int]) -> Ethogram:
    return Ethogram(num_frames=200, fps=10, bouts=tiny.bouts(labels))


def colored(path: Path, rgb: tuple[int, int, int]) -> int:
    """Pixels of nearly this colour."""
    picture = cv2.imread(str(path))[:, :, ::-1].astype(int)
    return int((np.abs(picture - rgb).max(axis=2) < 12).sum())


def test_bouts_are_drawn_in_their_colours_and_twitches_can_be_seen(tmp_path: Path) -> None:
    empty, full = tmp_path / "empty.png", tmp_path / "full.png"
    plot_ethograms(empty, predicted={"a": ethogram()}, actions=ACTIONS)
    labels = [(GROOMING, 20, 80), (TWITCH, 150, 151)]
    plot_ethograms(full, predicted={"a": ethogram(*labels)}, actions=ACTIONS)
    for action in ACTIONS.actions:
        assert colored(empty, action.color) == 0
        assert colored(full, action.color) > 40


def test_truth_and_scores_are_drawn_beside(tmp_path: Path) -> None:
    scores = np.full((200, 3), 1 / 3, dtype=np.float32)
    one, both = tmp_path / "one.png", tmp_path / "both.png"
    plot_ethograms(one, predicted={"a": ethogram()}, actions=ACTIONS)
    plot_ethograms(
        both,
        predicted={"a": ethogram()},
        truth={"a": ethogram((GROOMING, 20, 80))},
        scores={"a": ActionScores(scores, classes=ACTIONS.classes, fps=10)},
        actions=ACTIONS,
        title="Test",
    )
    dark = tuple(int(0.55 * c) for c in ACTIONS[GROOMING].color)
    assert colored(both, dark) > 100 > colored(one, dark)


def test_many_videos_give_one_picture_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mouse_ar.report.ethogram._MOST_VIDEOS", 2)
    few, many = tmp_path / "few.png", tmp_path / "many.png"
    plot_ethograms(few, predicted={f"{n}": ethogram() for n in range(2)}, actions=ACTIONS)
    plot_ethograms(many, predicted={f"{n}": ethogram() for n in range(700)}, actions=ACTIONS)
    assert cv2.imread(str(many)).shape == cv2.imread(str(few)).shape
