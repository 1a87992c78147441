"""Commands that read what inference has written."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from made_results import add_result, make_results, scores
from mouse_ar import cli
from mouse_ar.core.types import Bout, Interval
from mouse_ar.data.local_project import LocalProject
from mouse_ar.pipelines.results import scores_path
from tiny import GROOMING


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def run(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["mouse-ar", *map(str, arguments)])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = int(end.code or 0)
        return code, capsys.readouterr().out.replace("\n", " ")

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    counts = {"m1": 1, "m2": 2, "m3": 6, "m4": 7}
    return make_results(
        tmp_path / "out",
        {
            f"{name}/v.mp4": [Bout(Interval(50 * i, 50 * i + 20), GROOMING) for i in range(n)]
            for name, n in counts.items()
        },
        num_frames=600,
    )


def test_workbook(command, folder: Path, tmp_path: Path) -> None:
    code, said = command("workbook", folder, "--out", tmp_path / "r.xlsx", "--bin-minutes", "0.5")
    assert (code, said.startswith("4 videos: ")) == (0, True)
    assert (tmp_path / "r.xlsx").is_file()
    scores_path(folder, "m1/v.mp4").unlink()
    code, said = command("workbook", folder, "--out", tmp_path / "r.xlsx")
    assert code == 1
    assert "FAILED: m1/v.mp4: " in said


def test_boris(command, folder: Path, tmp_path: Path) -> None:
    assert command("export-boris", folder, "--out", tmp_path / "r.boris")[0] == 0
    made = json.loads((tmp_path / "r.boris").read_text())
    assert made["project_name"] == "out"
    assert made["observations"]["m1/v.mp4"]["file"]["1"] == ["out/project/m1/video/v.mp4"]
    assert made["observations"]["m1/v.mp4"]["description"] == "predicted, not checked"
    assert command("export-boris", folder, "--out", tmp_path / "r.csv")[0] == 0
    assert (tmp_path / "r.csv").read_text().startswith("Observation id,")
    code, said = command("export-boris", folder, "--out", tmp_path / "r.txt")
    assert code == 1
    assert "ends in .boris, .csv or .tsv" in said


def test_compare(command, folder: Path, tmp_path: Path) -> None:
    groups = tmp_path / "groups.csv"
    groups.write_text("animal,group\nm1,control\nm2,control\nm3,drug\nm4,drug\n")
    options = ("compare", folder, "--groups", groups, "--out", tmp_path / "c")
    code, said = command(*options)
    assert code == 0
    assert "# drug against control" in said
    assert {path.name for path in (tmp_path / "c").iterdir()} == {
        *("animals.csv", "comparison.csv", "comparison.md", "comparison.png"),
    }
    code, said = command(*options, "--primary", "luck")
    assert code == 1
    assert "Unknown measure 'luck'" in said
    scores_path(folder, "m1/v.mp4").unlink()
    code, said = command(*options)
    assert code == 1
    assert "a comparison without them would mislead: m1/v.mp4" in said


def test_review_queue(command, tmp_path: Path) -> None:
    curve = np.full(600, 0.01)
    curve[100:150], curve[400:450] = 0.72, 0.66
    add_result(tmp_path / "out", "m1/v.mp4", scores(self=curve))
    options = ("review-queue", tmp_path / "out", "--out", tmp_path / "queue.csv")
    code, said = command(*options)
    assert (code, "2 of 2 parts" in said, "0.2 minutes" in said) == (0, True, True)
    project = LocalProject.open(tmp_path / "out/project", with_files=False)
    assert project.read(project.videos()[0]).tags == ()

    code, said = command(*options, "--top", "1", "--tags", "--labels", tmp_path / "out/project")

    assert code == 0
    assert "1 of 2 parts" in said
    assert len(project.read(project.videos()[0]).tags) == 1
    (tmp_path / "out/run.json").unlink()
    code, said = command(*options)
    assert code == 1
    assert "give the model with --checkpoint" in said
