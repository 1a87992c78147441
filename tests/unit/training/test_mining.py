"""Hard negatives: what is scored, what is kept, and that all ranks agree."""

from __future__ import annotations

import json
import os
import socket
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.multiprocessing as processes
from hypothesis import given, settings
from hypothesis import strategies as st

import tiny
from mouse_ar.data.sampling import Sample
from mouse_ar.data.training_data import open_training_data
from mouse_ar.training.clips import TrainingClips
from mouse_ar.training.config import TrainConfig
from mouse_ar.training.distributed import open_team
from mouse_ar.training.mining import hardest, mine
from tiny import ACTIONS

CONFIG = replace(tiny.TRAIN, samples_per_epoch=40, hard_negatives=0.5, batch_size=6)
CPU = torch.device("cpu")


class Bright:
    """Takes bright pictures for grooming."""

    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        self.seen += len(inputs)
        bright = inputs.mean(dim=(1, 2, 3, 4))
        return torch.stack([torch.zeros_like(bright), 20 * bright, -bright], dim=1)


@pytest.fixture
def clips(data: Path, monkeypatch: pytest.MonkeyPatch) -> TrainingClips:
    opened = open_training_data(data, actions=ACTIONS)
    clips = TrainingClips(opened, config=CONFIG, actions=ACTIONS)
    monkeypatch.setattr(TrainingClips, "has_idle_pool", True)
    return clips


def run(clips: TrainingClips, config: TrainConfig = CONFIG) -> object:
    return mine(Bright(), clips, epoch=3, config=config, device=CPU)


def test_what_the_model_confuses_most_is_kept_and_drawn(clips: TrainingClips) -> None:
    model = Bright()
    mined = mine(model, clips, epoch=3, config=CONFIG, device=CPU)
    assert mined is not None
    assert model.seen == mined.looked_at > 10
    assert mined.mean_kept > mined.mean_all
    hard = [Sample(*pair) for pair in clips.state()["hard"]]
    assert len(hard) == mined.kept > 0
    drawn = Counter(clips.epoch(4)._samples)
    assert sum(drawn[sample] for sample in hard) >= clips.idle_windows // 2


def test_the_same_round_finds_the_same_whatever_the_batch(clips: TrainingClips) -> None:
    states = []
    for config in (CONFIG, replace(CONFIG, num_workers=2)):
        run(clips, config)
        states.append(clips.state())
    assert states[0] == states[1]


def test_without_need_nothing_is_scored(
    clips: TrainingClips, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(clips, replace(CONFIG, hard_negatives=0.0)) is None
    monkeypatch.setattr(TrainingClips, "has_idle_pool", False)
    assert run(clips) is None
    assert clips.state() == {"hard": []}


def one_of(rank: int, port: int, data: Path, folder: Path) -> None:
    """A process of a run of two."""
    os.environ |= {
        "RANK": str(rank),
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    torch.set_num_threads(1)
    opened = open_training_data(data, actions=ACTIONS)
    clips = TrainingClips(opened, config=CONFIG, actions=ACTIONS)
    TrainingClips.has_idle_pool = True  # type: ignore[assignment, method-assign]
    model = Bright()
    with open_team(CPU) as team:
        mined = mine(model, clips, epoch=3, config=CONFIG, device=CPU, team=team)
    assert mined is not None
    told = {"seen": model.seen, "mined": vars(mined), **clips.state()}
    (folder / f"{rank}.json").write_text(json.dumps(told))


def test_processes_share_the_windows_and_agree(
    clips: TrainingClips, data: Path, tmp_path: Path
) -> None:
    alone = run(clips)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    processes.spawn(one_of, (port, data, tmp_path), nprocs=2)
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2))
    seen = first.pop("seen"), second.pop("seen")
    assert first == second
    assert first["hard"] == [list(pair) for pair in clips.state()["hard"]]
    assert first["mined"] == pytest.approx(vars(alone))
    assert sum(seen) == first["mined"]["looked_at"]
    assert abs(seen[0] - seen[1]) <= CONFIG.batch_size


@settings(max_examples=100, deadline=None)
@given(
    sources=st.lists(st.integers(0, 12), min_size=1, max_size=120),
    number=st.integers(1, 60),
    seed=st.integers(0, 99),
)
def test_kept_are_hard_few_per_clip_and_not_the_very_hardest(
    sources: list[int], number: int, seed: int
) -> None:
    samples = [Sample(source, start) for start, source in enumerate(sources)]
    confusion = np.random.default_rng(seed).random(len(samples))
    kept = hardest(samples, confusion, number=number)
    assert len(kept) == len(set(kept)) <= number
    assert list(confusion[kept]) == sorted(confusion[kept], reverse=True)
    assert int(confusion.argmax()) not in kept
    assert max(Counter(samples[i].source for i in kept).values(), default=0) <= 4
    if kept:
        assert confusion[kept].min() >= np.sort(confusion)[::-1][: len(samples) // 2 + 2].min()


def test_one_in_a_hundred_is_left_to_the_labeler() -> None:
    samples = [Sample(source, 0) for source in range(400)]
    confusion = np.linspace(1, 0, 400)
    assert hardest(samples, confusion, number=10) == list(range(4, 14))
