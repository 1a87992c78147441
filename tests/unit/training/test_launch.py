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
from mouse_ar.mvd import load_checkpoint
from mouse_ar.pipelines.store import BusyError
from mouse_ar.training.launch import TrainingFailedError, TrainingProcess, Workers
from mouse_ar.training.run_folder import read_events
from tiny import ACTIONS

FOUR = replace(tiny.TRAIN, epochs=4)
ENDLESS = replace(tiny.TRAIN, epochs=10_000)


def start(data: Path, output: Path, **options: Any) -> TrainingProcess:
    settings = {"config": FOUR, "actions": ACTIONS, "workers": Workers()}
    return TrainingProcess(data, output, **{**settings, **options})


def follow(process: TrainingProcess, until: Callable[[dict[str, Any]], bool]) -> list[str]:
    seen = []
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        for event in process.events():
            if event["event"] in {"checking", "data", "warning"}:
                continue
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
    assert process.wait(90)
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
    assert process.wait(90)
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


def test_a_process_that_dies_ends_the_run(data: Path, tmp_path: Path) -> None:
    process = start(data, tmp_path / "run", config=ENDLESS, workers=Workers(processes=2))
    follow(process, is_a("epoch"))
    (other,) = [pid for pid, rank in ranks(process).items() if rank == "1"]
    os.kill(other, signal.SIGKILL)
    assert process.wait(60), "the rest must not wait for it"
    with pytest.raises(TrainingFailedError, match=r"ended by SIGKILL \(signal 9: out of memory"):
        process.check()


def ranks(process: TrainingProcess) -> dict[int, str]:
    """Rank by number of process."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            entries = dict(
                entry.split("=", 1) for entry in path.read_text().split("\0") if "=" in entry
            )
            command = (path.parent / "cmdline").read_text()
        except OSError:
            continue
        if "RANK" in entries and str(process.output) in command:
            found[int(path.parent.name)] = entries["RANK"]
    return found


def test_two_starters_do_not_share_a_folder(data: Path, tmp_path: Path) -> None:
    process = start(data, tmp_path / "run", config=ENDLESS)
    follow(process, is_a("epoch"))
    with pytest.raises(BusyError, match="Another training"):
        start(data, tmp_path / "run", config=ENDLESS)
    process.kill()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"nodes": 2}, "HOST:PORT"),
        ({"nodes": 2, "rendezvous": "a:1", "node_rank": 2}, r"within 0\.\.1, got 2"),
        ({"device": "cuda:0,cuda:1", "processes": 3}, "per GPU: got 3"),
    ],
)
def test_workers_that_cannot_be(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Workers(**options)


def test_torchrun_is_told_of_gpus_and_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6")
    workers = Workers("cuda:0,cuda:2", nodes=2, node_rank=1, rendezvous="first:29400")
    command = " ".join(workers.command())
    assert "--nproc-per-node 2" in command
    assert "--nnodes 2 --node-rank 1" in command
    assert "--rdzv-endpoint first:29400" in command
    assert workers.environment()["CUDA_VISIBLE_DEVICES"] == "4,6"


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
