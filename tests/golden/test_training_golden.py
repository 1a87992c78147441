"""Twenty steps of training on the CPU give the losses of a committed curve.

Run as a script, it writes the curve anew and prints the line for ``docs/decisions.md``:
``PYTHONPATH=src:tests python tests/golden/test_training_golden.py``.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import tiny
from mouse_ar.data.local_project import LocalProject
from mouse_ar.training.config import TrainConfig
from mouse_ar.training.run import train
from tiny import ACTIONS, GROOMING, TWITCH

CURVE = Path(__file__).with_name("training_loss.json")
DECISIONS = Path(__file__).resolve().parents[2] / "docs" / "decisions.md"
STEPS = 20
FRAMES = 24
# An epoch is one step, so that every step's loss is in the events.
CONFIG = TrainConfig(
    model="vit_tiny",
    num_frames=8,
    sampling_rate=1,
    input_size=32,
    epochs=STEPS,
    samples_per_epoch=8,
    batch_size=8,
    val_interval=STEPS,
    val_windows_interval=0,
    lr=0.03,
    warmup_epochs=4.0,
    layer_decay=0.9,
    drop_path=0.1,
    ema_decay=0.9,
    smoothing=0.1,
    mixup_prob=0.5,
    reprob=0.25,
    gamma_jitter=0.2,
    temporal_jitter=0.2,
    flip="dihedral",
)


@contextmanager
def one_thread() -> Iterator[None]:
    """Sums in an order that does not depend on the machine's cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def write_clips(root: Path) -> None:
    """Three sources with a clip of each class: seconds faster than preprocessing videos."""
    project = LocalProject.create(root, actions=ACTIONS)
    labels = {
        ACTIONS.dataset_of(GROOMING): [(GROOMING, 6, 20)],
        ACTIONS.dataset_of(TWITCH): [(TWITCH, 10, 13)],
        ACTIONS.background: [],
    }
    for dataset, events in labels.items():
        for source in "abc":
            name = f"{source}.mp4"
            path = project.video(dataset, name).video_path
            tiny.write_video(path, events, num_frames=FRAMES)
            provenance = {"fps": tiny.FPS, "entry": {"group": source}}
            tiny.annotate(
                project, name, events, dataset=dataset, num_frames=FRAMES, provenance=provenance
            )


def losses(root: Path) -> list[float]:
    """Loss of each step, from the events of a run."""
    events: list[dict[str, Any]] = []
    write_clips(root / "data")
    with one_thread():
        train(
            root / "data",
            root / "run",
            config=CONFIG,
            actions=ACTIONS,
            device=torch.device("cpu"),
            emit=events.append,
        )
    return [event["loss"] for event in events if event["event"] == "epoch"]


def curve_name(text: str) -> str:
    """What the line in ``docs/decisions.md`` calls a curve."""
    return f"golden loss {hashlib.sha256(text.encode()).hexdigest()[:8]}"


@pytest.fixture(scope="module")
def curve(tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    return losses(tmp_path_factory.mktemp("golden"))


def test_training_reproduces_the_committed_losses(curve: list[float]) -> None:
    np.testing.assert_allclose(
        curve,
        json.loads(CURVE.read_text()),
        rtol=1e-3,
        err_msg="Training gives other losses than before: every lab's next model would differ. "
        "If that is meant, say what changed and why in docs/decisions.md; "
        f"`python tests/golden/{Path(__file__).name}` writes the curve anew and prints the line.",
    )


def test_the_losses_tell_that_something_is_learnt(curve: list[float]) -> None:
    assert len(curve) == STEPS
    assert np.mean(curve[-5:]) < 0.95 * np.mean(curve[:5])


def test_a_new_curve_has_its_reason_written_down() -> None:
    name = curve_name(CURVE.read_text())
    assert name in DECISIONS.read_text(encoding="utf-8"), (
        f"{CURVE.name} is not the curve that docs/decisions.md speaks of: expected a line with "
        f"'{name}' that says what changed in training, and why."
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        text = json.dumps([round(loss, 6) for loss in losses(Path(folder))], indent=1) + "\n"
    CURVE.write_text(text)
    sys.stdout.write(f"| {curve_name(text)} | what changed in training, and why |\n")
