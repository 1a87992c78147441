"""How long a training step takes, and how much memory it needs.

    python benchmarks/step_time.py [OUT.json]

On a CPU: ``vit_tiny`` and ``vit_small`` in float32, under bfloat16 autocast and compiled. The ways
take turns, step by step, so that other work of the machine slows all of them: trust the ratios.
On a GPU: windows per second and model FLOP utilisation of ViT-S and ViT-B with windows of 16 and 32
frames, and the memory that each batch size takes. Windows are random numbers: no loader is timed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from mouse_ar.data.files import write_json
from mouse_ar.data.pixels import normalise
from mouse_ar.mvd import MVD, PRESETS
from mouse_ar.report.tables import markdown_table
from mouse_ar.training.config import TrainConfig
from mouse_ar.training.optim import build_optimizer

CLASSES = 3
WARM_UP, STEPS = 2, 5
# Windows per step on a CPU: enough to see the network rather than the optimiser.
CPU_BATCH = {"vit_tiny": 32, "vit_small": 1}
CARDS_GB = (8, 16, 24, 80)
MAX_BATCH = 512
MATMUL = 8192


@dataclass(frozen=True)
class Way:
    """A way of computing the same step.

    Args:
        name: as the table calls it.
        bf16: under bfloat16 autocast.
        compile: with ``torch.compile``.
        checkpointing: with gradient checkpointing.
    """

    name: str
    bf16: bool = False
    compile: bool = False
    checkpointing: bool = False


CPU_WAYS = (
    Way("float32"),
    Way("bf16 autocast", bf16=True),
    Way("float32, compiled", compile=True),
    Way("bf16, compiled", bf16=True, compile=True),
)
GPU_WAYS = (
    Way("bf16", bf16=True),
    Way("bf16, compiled", bf16=True, compile=True),
    Way("bf16, grad_checkpointing", bf16=True, checkpointing=True),
)


class Step:
    """One training step of a model on random windows."""

    def __init__(
        self, model: str, *, num_frames: int, batch: int, way: Way, device: torch.device
    ) -> None:
        torch.manual_seed(0)
        config = TrainConfig(
            model=model,
            num_frames=num_frames,
            input_size=PRESETS[model].image_size,
            batch_size=batch,
        )
        self._way, self._device = way, device
        preset = replace(PRESETS[model], num_frames=num_frames, num_classes=CLASSES)
        network = MVD(preset).to(device).train()
        network.set_grad_checkpointing(way.checkpointing)
        self._parameters = list(network.parameters())
        self._optimizer = build_optimizer(network, config)
        self._model = torch.compile(network) if way.compile else network
        size = preset.image_size
        shape = (batch, num_frames, size, size, 3)
        self._frames = torch.randint(0, 256, shape, dtype=torch.uint8, device=device)
        self._target = torch.full((batch, CLASSES), 1 / CLASSES, device=device)

    def gradients(self) -> None:
        """Forward and backward."""
        kind = self._device.type
        with torch.autocast(kind, dtype=torch.bfloat16) if self._way.bf16 else nullcontext():
            logits_NK = self._model(normalise(self._frames))
        loss = cross_entropy(logits_NK.float(), self._target)
        loss.backward()  # type: ignore[no-untyped-call]

    def __call__(self) -> None:
        """A whole step, update included."""
        self.gradients()
        torch.nn.utils.clip_grad_norm_(self._parameters, 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        if self._device.type == "cuda":
            torch.cuda.synchronize()


def step_gflop(model: str, *, num_frames: int) -> float:
    """GFLOP of forward and backward for one window, counted by torch (a multiply-add is two)."""
    meta = torch.device("meta")
    step = Step(model, num_frames=num_frames, batch=1, way=Way("count"), device=meta)
    # Fused attention is not counted on every device; its matrix products are.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        step.gradients()
    return float(counter.get_total_flops()) / 1e9


def seconds(call: Callable[[], object]) -> float:
    """Wall time of a call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def take_turns(steps: Mapping[str, Callable[[], object]], *, rounds: int) -> dict[str, float]:
    """Median seconds of each, one step of each in every round."""
    for step in steps.values():
        for _ in range(WARM_UP):
            step()
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            times[name].append(seconds(step))
    return {name: statistics.median(found) for name, found in times.items()}


def on_cpu(rounds: int) -> list[dict[str, Any]]:
    """A row per model and way."""
    rows = []
    for model, batch in CPU_BATCH.items():
        frames = PRESETS[model].num_frames
        steps = {
            way.name: Step(
                model, num_frames=frames, batch=batch, way=way, device=torch.device("cpu")
            )
            for way in CPU_WAYS
        }
        found = take_turns(steps, rounds=rounds)
        gflop = batch * step_gflop(model, num_frames=frames)
        rows += [
            {
                "model": model,
                "batch": batch,
                "way": name,
                "seconds": value,
                "relative": value / found["float32"],
                "GFLOP/s": gflop / value,
            }
            for name, value in found.items()
        ]
    return rows


def matmul_tflops() -> float:
    """What the card reaches in one large bfloat16 matrix product, in TFLOP/s."""
    left, right = (
        torch.randn(MATMUL, MATMUL, device="cuda", dtype=torch.bfloat16) for _ in range(2)
    )

    def product() -> None:
        torch.matmul(left, right)
        torch.cuda.synchronize()

    return 2 * MATMUL**3 / take_turns({"": product}, rounds=20)[""] / 1e12


def on_gpu(rounds: int, *, peak_tflops: float | None) -> list[dict[str, Any]]:
    """A row per model, window length, way and batch size, until the card is full."""
    peak = peak_tflops or matmul_tflops()
    rows = []
    for model in ("vit_small", "vit_base"):
        for frames in (16, 32):
            gflop = step_gflop(model, num_frames=frames)
            for way in GPU_WAYS:
                rows += _batches(model, frames, way, rounds, gflop=gflop, peak=peak)
    return rows


def _batches(
    model: str, frames: int, way: Way, rounds: int, *, gflop: float, peak: float
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    # Compiling anew for each batch size takes minutes and changes little: one size is enough.
    batches = (8,) if way.compile else [2**power for power in range(MAX_BATCH.bit_length())]
    for batch in batches:
        torch.cuda.empty_cache()
        try:
            step = Step(model, num_frames=frames, batch=batch, way=way, device=torch.device("cuda"))
            value = take_turns({"": step}, rounds=rounds)[""]
        except torch.cuda.OutOfMemoryError:
            break
        free, total = torch.cuda.mem_get_info()
        row = {"model": model, "frames": frames, "way": way.name, "batch": batch}
        row |= {"windows/s": batch / value, "GB": (total - free) / 1e9}
        rows.append(row | {"utilisation": batch * gflop / 1e3 / value / peak})
        del step
    return rows


def largest_batches(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Per model, window length and way: the largest batch measured that fits each card."""
    cells = []
    for key in dict.fromkeys((r["model"], r["frames"], r["way"]) for r in rows):
        mine = [r for r in rows if (r["model"], r["frames"], r["way"]) == key]
        fits = [max((r["batch"] for r in mine if r["GB"] <= size), default=0) for size in CARDS_GB]
        if len(mine) > 1:
            cells.append([*map(str, key), *(str(batch or "none") for batch in fits)])
    return cells


def as_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as Markdown."""
    return markdown_table(
        tuple(rows[0]),
        [[f"{v:.3g}" if isinstance(v, float) else str(v) for v in row.values()] for row in rows],
    )


def main() -> None:
    """Measure what is there."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("out", type=Path, nargs="?", help="JSON file for all figures")
    parser.add_argument("--steps", type=int, default=STEPS, help="timed steps of each")
    parser.add_argument(
        "--peak-tflops", type=float, help="the card's bf16 rate as its maker gives it; by default "
        "utilisation is the share of what a large matrix product reaches",
    )  # fmt: skip
    options = parser.parse_args()
    gpu = torch.cuda.is_available()
    about = torch.cuda.get_device_name() if gpu else f"CPU, {os.cpu_count()} cores"
    print(f"{about}; torch {torch.__version__}, {torch.get_num_threads()} threads\n")
    rows = on_gpu(options.steps, peak_tflops=options.peak_tflops) if gpu else on_cpu(options.steps)
    print(as_table(rows))
    if gpu:
        columns = ("model", "frames", "way", *(f"{size} GB" for size in CARDS_GB))
        print("\nLargest batch measured that fits:\n")
        print(markdown_table(columns, largest_batches(rows)))
    if options.out:
        write_json(options.out, {"device": about, "torch": torch.__version__, "rows": rows})


if __name__ == "__main__":
    main()
