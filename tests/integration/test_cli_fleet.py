"""``--ray`` where it does not go together with what else was asked for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mouse_ar import cli
from mouse_ar.console import InferView
from mouse_ar.pipelines.meter import Meter

MODEL = ["--checkpoint", "best.safetensors"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["infer", "v", "out", *MODEL, "--devices", "cuda:0,cuda:1"], "and --devices, not both"),
        (["infer", "v", "out", *MODEL, "--detector", "deploy:/m.pth"], "Every process of --ray"),
        (["preprocess", "p", "data", "--detector", "deploy:/m.pth"], "Every process of --ray"),
        (["evaluate", "d", "--out", "e", "--against", "h.csv"], "--ray are settings of a"),
        (["evaluate", "d", "--out", "e", *MODEL, "--ray-cpus", "0"], "--ray-cpus"),
    ],
)
def test_refused(
    arguments: list[str],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "p").mkdir()
    (tmp_path / "p/meta.json").write_text('{"classes": [], "tags": [], "projectType": "videos"}')
    monkeypatch.setattr(sys, "argv", ["mouse-ar", *arguments, "--ray", "auto"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code != 0
    said = capsys.readouterr()
    assert told in said.out + said.err


def test_the_videos_that_are_done_are_counted() -> None:
    view = InferView(Meter())
    view("annotating", 2, 5)
    assert view._bar.tasks[0].description == "2 of 5 videos done"
