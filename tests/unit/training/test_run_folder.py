"""The folder of a run: who holds it, and what becomes of an earlier run."""

from __future__ import annotations

import json
from pathlib import Path

from filelock import FileLock

from mouse_ar.training.run_folder import events_from, is_busy, set_aside


def leave(run: Path, text: str) -> None:
    (run / "checkpoints").mkdir(parents=True)
    (run / "checkpoints/best.safetensors").write_text(text)
    (run / "events.jsonl").write_text(text)
    (run / "preflight.json").write_text(text)


def test_the_latest_run_is_set_aside(tmp_path: Path) -> None:
    for text in ("first", "second"):
        leave(tmp_path, text)
        set_aside(tmp_path)
        assert not (tmp_path / "checkpoints").exists()
        (tmp_path / "preflight.json").unlink()  # says nothing of what was trained, so it stays
        assert (tmp_path / "earlier/events.jsonl").read_text() == text
        assert (tmp_path / "earlier/checkpoints/best.safetensors").read_text() == text
    set_aside(tmp_path)
    assert (tmp_path / "earlier/events.jsonl").read_text() == "second", "nothing to set aside"


def test_a_folder_that_another_training_writes_to(tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert not is_busy(run)
    run.mkdir()
    with FileLock(run / ".lock"):
        assert is_busy(run)
    assert not is_busy(run)


def test_half_a_line_is_no_event_yet(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    assert events_from(path, 0) == ([], 0)
    line = json.dumps({"event": "epoch", "epoch": 0})
    path.write_text(f"{line}\nnonsense\n[]\n{line[:10]}")
    events, position = events_from(path, 0)
    assert events == [{"event": "epoch", "epoch": 0}]
    with path.open("a") as file:
        file.write(f"{line[10:]}\n")
    assert events_from(path, position)[0] == events
