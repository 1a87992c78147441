"""The demo, as a newcomer runs it: its figures must be reached in that very run."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    subprocess.run(
        [sys.executable, "-m", "mouse_ar.cli", "demo", "--out", str(folder), "--seed", "1"],
        check=True,
        timeout=1400,
    )
    return folder / "seed1"


def test_figures_and_controls(demo: Path) -> None:
    figures = json.loads((demo / "report.json").read_text())
    assert figures["grooming_frame_f1"] >= 0.85
    assert figures["twitch_event_f1"] >= 0.80
    assert figures["shuffled_twitch_event_f1"] is None or figures["shuffled_twitch_event_f1"] < 0.3
    assert figures["energy_twitch_event_f1"] < figures["twitch_event_f1"] - 0.1


def test_everything_it_promises_is_there(demo: Path) -> None:
    pages = ("index.html", "evaluation/evaluation.html")
    for name in (*pages, "demo.png", "evaluation/ethogram.png", "predictions/bouts.csv"):
        assert (demo / name).stat().st_size > 0
    assert list((demo / "predictions" / "overlays").glob("*.mp4"))
    with (demo / "predictions" / "summary.csv").open() as file:
        videos = {row["video"] for row in csv.DictReader(file)}
    assert len(videos) == 8
    assert len(list((demo / "predictions" / "scores").glob("*.npz"))) == 8
