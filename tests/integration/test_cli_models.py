"""``mouse-ar infer --models``: what Docker runs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import tiny
from colour_checkpoint import write_colour_checkpoint
from mouse_ar import cli


def infer(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["mouse-ar", "infer", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return int(end.value.code or 0)


def test_the_model_is_found_and_the_detector_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    video, out = tmp_path / "a.mp4", tmp_path / "out"
    tiny.write_video(video, tiny.SEVEN["a.mp4"])
    write_colour_checkpoint(tmp_path / "models" / "any name.safetensors")
    assert infer(monkeypatch, video, out, "--models", tmp_path / "models") == 0
    said = capsys.readouterr().out.replace("\n", "")
    assert "any name.safetensors" in said
    assert "background (no RT-DETRv2 checkpoint" in said
    assert (out / "bouts.csv").is_file()


def test_no_model_is_one_clear_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "models").mkdir()
    assert infer(monkeypatch, tmp_path, tmp_path / "out", "--models", tmp_path / "models") != 0
    captured = capsys.readouterr()
    assert "holds no trained model" in captured.out + captured.err
    assert infer(monkeypatch, tmp_path, tmp_path / "out") != 0
    assert "--checkpoint" in capsys.readouterr().err
