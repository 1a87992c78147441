"""Training as a process of its own: followed, stopped with a checkpoint, continued."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import tiny
from mouse_ar.data.files import read_json
from mouse_ar.mvd import load_checkpoint
from mouse_ar.training.launch import TrainingFailedError, TrainingProcess, read_events
from tiny import ACTIONS

FOUR = replace(tiny.TRAIN, epochs=4)
ENDLESS = replace(tiny.TRAIN, epochs=10_000)


def start(data: Path, output: Path, **options: Any) -> TrainingProcess:
    settings = {"config": FOUR, "actions": ACTIONS, "device": "cpu"}
    return TrainingProcess(data, output, **{**settings, **options})


def follow(process: TrainingProcess, until: Callable[[dict[str, Any]], bool]) -> list[str]:
    seen = []
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for event in process.events():
            seen.append(event["event"])
            if until(event):
                return seen
        process.check()
        time.sleep(0.05)
    raise AssertionError(f"only saw {seen}: {process.log()}")


def is_a(kind: str) -> Callable[[dict[str, Any]], bool]:
    return lambda event: event["event"] == kind


def test_a_run_is_followed_to_its_end(data: Path, tmp_path: Path) -> None:
    process = start(data, tmp_path / "run")
    seen = follow(process, is_a("end"))
    assert process.wait(30)
    process.check()
    assert seen[0] == "start"
    assert seen.count("epoch") == seen.count("validation") == 4
    assert (tmp_path / "run/checkpoints/best.safetensors").is_file()


def test_stop_leaves_a_checkpoint_and_the_run_continues(data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = start(data, run, config=replace(ENDLESS, val_interval=10_000))
    follow(process, is_a("epoch"))
    assert not (run / "checkpoints/best.safetensors").exists()
    process.stop()
    follow(process, is_a("stopped"))
    assert process.wait(30)
    process.check()
    load_checkpoint(run / "checkpoints/best.safetensors")

    again = start(data, run, config=replace(ENDLESS, val_interval=10_000))
    assert follow(again, is_a("epoch"))[:2] == ["resume", "start"]
    again.kill()
    assert not again.running
    with pytest.raises(
        TrainingFailedError, match=r"SIGKILL \(signal 9: out of memory\?\).*continues"
    ):
        again.check()
    epochs = [event["epoch"] for event in read_events(run) if event["event"] == "epoch"]
    assert epochs == sorted(set(epochs))


def test_the_cause_of_a_failure_is_told(tmp_path: Path) -> None:
    process = start(tmp_path / "nothing", tmp_path / "run")
    assert process.wait(60)
    with pytest.raises(TrainingFailedError, match=r"no such folder.*train\.log"):
        process.check()


def test_a_signal_is_told_whatever_the_log_says(tmp_path: Path) -> None:
    process = TrainingProcess.__new__(TrainingProcess)
    process._log_path = tmp_path / "train.log"
    process._log_path.write_text("UserWarning: something harmless\n")
    for number, text in (
        (signal.SIGKILL, r"SIGKILL \(signal 9: out of memory\?\)"),
        (signal.SIGSEGV, r"SIGSEGV \(signal 11\)"),
    ):
        process._process = subprocess.Popen(["sleep", "60"])
        process._process.send_signal(number)
        process._process.wait()
        with pytest.raises(TrainingFailedError, match=f"{text}; the last line.*harmless"):
            process.check()


def test_a_line_that_a_killed_run_left_unfinished(data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = start(data, run, config=ENDLESS)
    follow(process, is_a("epoch"))
    process.kill()
    path = run / "events.jsonl"
    whole = path.read_bytes()[: path.read_bytes().rfind(b"\n") + 1]
    path.write_bytes(whole + b'{"event": "st')
    before = list(read_events(run))
    assert before

    again = start(data, run, config=ENDLESS)
    follow(again, is_a("start"))
    again.kill()
    assert [event["event"] for event in read_events(run)].count("start") == 2
    assert path.read_bytes().startswith(whole + b'{"event": "st\n{')


def test_a_parent_that_ended_before_its_child_was_ready() -> None:
    code = "import os, sys, mouse_ar.training.child as c; print(c._stop_wish(int(sys.argv[1]))())"
    ended = subprocess.Popen(["true"])
    ended.wait()
    for parent, stops in ((ended.pid, "True"), (os.getpid(), "False")):
        done = subprocess.run(
            [sys.executable, "-c", code, str(parent)], capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == stops


def test_the_child_is_told_its_parent(tmp_path: Path) -> None:
    process = start(tmp_path / "nothing", tmp_path / "run")
    process.kill()
    assert read_json(tmp_path / "run/spec.json")["parent"] == os.getpid()


def test_it_does_not_outlive_who_started_it(data: Path, tmp_path: Path) -> None:
    code = (
        "import sys, time; sys.path[:0] = ['src', 'tests']\n"
        "from pathlib import Path\n"
        "from unit.training.test_launch import ENDLESS, start\n"
        f"process = start(Path({str(data)!r}), Path({str(tmp_path / 'run')!r}), config=ENDLESS)\n"
        "print(process._process.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]
    )
    assert starter.stdout is not None
    pid = int(starter.stdout.readline())
    path = tmp_path / "run/events.jsonl"
    _until(lambda: path.is_file() and '"epoch"' in path.read_text())
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    starter.stdout.close()
    _until(lambda: '"stopped"' in path.read_text())
    _until(lambda: not _lives(pid))


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # Nobody may be there to collect it.
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
