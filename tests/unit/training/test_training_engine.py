"""The engine: several processes as one, and runs that end as if they had never been cut off."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.multiprocessing as processes
from safetensors.torch import load_file

import tiny
from mouse_ar.training.config import TrainConfig
from mouse_ar.training.distributed import open_team
from mouse_ar.training.run import train
from tiny import ACTIONS

CPU = torch.device("cpu")
PLAIN = replace(
    tiny.TRAIN,
    epochs=2,
    samples_per_epoch=16,
    batch_size=4,
    drop_path=0.0,
    flip="none",
    jitter=0.0,
    color_jitter=0.0,
    mixup_prob=0.0,
    num_workers=0,
)
# Everything that draws random numbers or keeps state.
RANDOM = replace(
    PLAIN,
    epochs=4,
    drop_path=0.2,
    flip="horizontal",
    color_jitter=0.2,
    mixup_prob=0.5,
    reprob=0.5,
    ema_decay=0.9,
    smoothing=0.1,
    val_interval=2,
    save_minutes=1e-9,
)


def weights(run: Path, name: str = "best.safetensors") -> dict[str, torch.Tensor]:
    return load_file(run / "checkpoints" / name)


def assert_same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> None:
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def run(data: Path, output: Path, config: TrainConfig, **options: Any) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []

    def emit(event: dict[str, Any]) -> None:
        events.append(event)

    settings = {"actions": ACTIONS, "device": CPU, "emit": emit, **options}
    train(data, output, config=config, **settings)
    return events


def one_of(
    rank: int, world: int, port: int, data: Path, output: Path, config: TrainConfig, stop_at: int
) -> None:
    """A process of a run, as torchrun would start it."""
    os.environ |= {
        "RANK": str(rank),
        "WORLD_SIZE": str(world),
        "LOCAL_RANK": str(rank),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    torch.set_num_threads(1)
    with open_team(CPU) as team:
        train(
            data,
            output,
            config=config,
            actions=ACTIONS,
            device=CPU,
            emit=killer(stop_at) if team.leads else lambda _: None,
            team=team,
        )


def killer(steps: int) -> Callable[[dict[str, Any]], None]:
    """Ends its process as a power cut would when it is told of so many steps."""

    def emit(event: dict[str, Any]) -> None:
        if event["event"] == "step" and event["step"] >= steps:
            os.kill(os.getpid(), signal.SIGKILL)

    return emit


def spawn(
    world: int, data: Path, output: Path, config: TrainConfig, *, stop_at: int = 10**9
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    processes.spawn(one_of, (world, port, data, output, config, stop_at), nprocs=world)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def every_step_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mouse_ar.training.loop._STEPS_BETWEEN_EVENTS", 1)


def gradients(run: Path) -> list[torch.Tensor]:
    """Of the only step: AdamW's first moment is a tenth of it after one."""
    state = torch.load(run / "checkpoints/last.pt", weights_only=True)
    return [10 * entry["exp_avg"] for entry in state["optimizer"]["state"].values()]


def test_two_processes_are_one_with_twice_the_batch(data: Path, tmp_path: Path) -> None:
    config = replace(PLAIN, epochs=1, samples_per_epoch=8, clip_grad=1e9)
    spawn(2, data, tmp_path / "two", config)
    run(data, tmp_path / "one", replace(config, batch_size=8))
    two, one = gradients(tmp_path / "two"), gradients(tmp_path / "one")
    for first, second in zip(two, one, strict=True):
        torch.testing.assert_close(first, second, rtol=0, atol=1e-5)
    assert max(float(gradient.abs().max()) for gradient in one) > 1e-2, "or equality means nothing"


def test_accumulated_gradients_are_those_of_one_batch(data: Path, tmp_path: Path) -> None:
    config = replace(PLAIN, epochs=1, samples_per_epoch=8, clip_grad=1e9)
    run(data, tmp_path / "four", replace(config, batch_size=2, update_freq=4))
    run(data, tmp_path / "one", replace(config, batch_size=8))
    for first, second in zip(
        gradients(tmp_path / "four"), gradients(tmp_path / "one"), strict=True
    ):
        torch.testing.assert_close(first, second, rtol=0, atol=1e-5)


class PowerCut(BaseException):
    pass


@pytest.mark.parametrize("step", [1, 3, 4, 6, 9, 15])
def test_a_run_that_is_cut_off_ends_the_same(
    data: Path, tmp_path: Path, undisturbed: Path, step: int
) -> None:
    def cut(event: dict[str, Any]) -> None:
        if event["event"] == "step" and event["step"] == step:
            raise PowerCut

    with pytest.raises(PowerCut):
        run(data, tmp_path / "run", RANDOM, emit=cut)
    events = run(data, tmp_path / "run", RANDOM)
    (resumed,) = [event for event in events if event["event"] == "resume"]
    assert resumed["step"] >= step - 1, "it goes on where it was, not where the epoch began"
    assert_same(weights(tmp_path / "run"), weights(undisturbed))


@pytest.fixture(scope="module")
def undisturbed(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("undisturbed")
    run(data, folder, RANDOM)
    return folder


def test_stop_changes_nothing_in_the_end(data: Path, tmp_path: Path, undisturbed: Path) -> None:
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 6

    events = run(data, tmp_path / "run", RANDOM, should_stop=stop)
    assert [event["event"] for event in events][-2:] == ["validation", "stopped"]
    assert (tmp_path / "run/checkpoints/best.safetensors").is_file()
    run(data, tmp_path / "run", RANDOM)
    assert_same(weights(tmp_path / "run"), weights(undisturbed))


@pytest.mark.slow
@pytest.mark.parametrize("step", [3, 7])
def test_two_processes_that_are_killed_end_the_same(data: Path, tmp_path: Path, step: int) -> None:
    spawn(2, data, tmp_path / "whole", RANDOM)
    with pytest.raises(processes.ProcessExitedException):
        spawn(2, data, tmp_path / "cut", RANDOM, stop_at=step)
    spawn(2, data, tmp_path / "cut", RANDOM)
    assert_same(weights(tmp_path / "cut"), weights(tmp_path / "whole"))


def test_another_number_of_processes_is_refused(data: Path, tmp_path: Path) -> None:
    run(data, tmp_path / "run", PLAIN)
    with pytest.raises(processes.ProcessRaisedException, match=r"run of 1 process\(es\), got 2"):
        spawn(2, data, tmp_path / "run", PLAIN)


def test_early_stop(data: Path, tmp_path: Path) -> None:
    still = replace(PLAIN, epochs=20, val_interval=1, early_stop=3, lr=1e-30)
    events = run(data, tmp_path / "run", still)
    kinds = [event["event"] for event in events]
    assert kinds.count("epoch") == 4, "a first validation, and three that are no better"
    assert kinds[-2:] == ["early_stop", "end"]
    again = [event["event"] for event in run(data, tmp_path / "run", still)]
    assert again.count("epoch") == 0, "a run that has ended has ended"


def test_a_loss_that_is_not_finite_names_the_clips(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mouse_ar.training.stepper import Stepper

    genuine = Stepper.gradients
    calls: list[int] = []

    def spoilt(self: Stepper, *args: Any, **options: Any) -> float:
        calls.append(1)
        return float("nan") if len(calls) == 3 else genuine(self, *args, **options)

    monkeypatch.setattr(Stepper, "gradients", spoilt)
    with pytest.raises(FloatingPointError, match=r"loss is nan at step 2.*\.mp4.*last\.pt"):
        run(data, tmp_path / "run", PLAIN)


def test_a_full_disk_leaves_the_last_state(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(data, tmp_path / "run", replace(PLAIN, epochs=1))
    path = tmp_path / "run/checkpoints/last.pt"
    before = path.read_bytes()

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    from mouse_ar.training import state

    monkeypatch.setattr(state.torch, "save", full)
    with pytest.raises(OSError, match=r"No space left.*Free space"):
        state.save_state(path, {"epoch": 9})
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir() if "tmp" in p.name] == []
