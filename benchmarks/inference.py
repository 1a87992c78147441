"""How fast inference is, as ratios from one run on one machine; prints markdown tables.

    python benchmarks/inference.py VIDEO                      all parts, minutes on two cores
    python benchmarks/inference.py VIDEO --only ratio         against the earlier app's path
    python benchmarks/inference.py VIDEO --only stages        against the slowest stage alone
    python benchmarks/inference.py VIDEO --only length        cost and memory over the length
    python benchmarks/inference.py VIDEO --only detect        with detection
        --keys rtdetrv2_state_dict_keys.json                  and RT-DETRv2 r18, weights at random

Weights are random: they do not change the speed. Boxes are given, but for ``detect``.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from earlier_app import EarlierPath
from memory import MemoryWatch
from pipeline_run import (
    BATCH,
    SPEC,
    STRIDE,
    AlwaysSeen,
    NoNetwork,
    lengthened,
    network,
    repeat,
    score,
    seconds,
    wandering,
)
from random_rtdetr import random_checkpoint

from mouse_ar.core.types import ClipSpec
from mouse_ar.core.windows import plan_windows
from mouse_ar.data.pixels import MEAN, STD
from mouse_ar.data.stream import iter_groups
from mouse_ar.detection.choice import open_detector
from mouse_ar.detection.protocol import Detector
from mouse_ar.mvd.byte_input import ByteMVD
from mouse_ar.pipelines.precision import autocast, pick_precision
from mouse_ar.video.probe import VideoMeta, probe
from mouse_ar.video.reader import iter_pictures

PARTS = ("ratio", "stages", "length", "detect")


def ratio(source: Path, folder: Path, device: torch.device, frames: int, rounds: int) -> None:
    """Windows a second times the step between them, against the earlier app's path, in turns."""
    short = probe(repeat(source, folder / "s.mp4", num_frames=frames, size=(640, 480)))
    long = probe(repeat(source, folder / "l.mp4", num_frames=8 * frames, size=(640, 480)))
    model = network("vit_small", SPEC).to(device)
    earlier = EarlierPath(model, device=device, spec=SPEC, stride=STRIDE, batch_size=BATCH)
    allowed = pick_precision("auto", model=model, device=device)
    nothing = NoNetwork()
    runs: dict[str, tuple[VideoMeta, Callable[[], object]]] = {
        "earlier": (short, lambda: earlier.run(short.path, wandering(short))),
        "fp32": (short, lambda: score(short, model, device=device)),
        f"auto ({allowed})": (
            short,
            lambda: score(short, model, device=device, precision=allowed),
        ),
        "earlier, no network": (
            long,
            lambda: earlier.run(long.path, wandering(long), classify=False),
        ),
        "no network": (long, lambda: score(long, nothing, device=device)),
    }
    fps: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, (meta, work) in runs.items():
            # The earlier app leaves out the edges: of a long video both have one window a step.
            theirs = (meta.num_frames - SPEC.window_frames) // STRIDE + 1
            ours = len(plan_windows(meta.num_frames, spec=SPEC, stride_frames=STRIDE))
            count = theirs if "earlier" in name else ours
            fps[name].append(count * STRIDE / seconds(work))
    print("\n| 640x480, ViT-S, stride 16 | frames per second | ratio |\n|---|---|---|")
    for name, values in fps.items():
        base = fps["earlier, no network" if "no network" in name else "earlier"]
        gain = statistics.median(a / b for a, b in zip(values, base, strict=True))
        print(f"| {name} | {statistics.median(values):.1f} | {gain:.2f} |", flush=True)


def stages(source: Path, folder: Path, device: torch.device, frames: int, rounds: int) -> None:
    """The whole against its slowest stage by itself."""
    meta = probe(repeat(source, folder / "s.mp4", num_frames=frames, size=(640, 480)))
    model, track = network("vit_small", SPEC).to(device), wandering(meta)
    plan = plan_windows(meta.num_frames, spec=SPEC, stride_frames=STRIDE)
    groups = {n: plan[n : n + BATCH] for n in range(0, len(plan), BATCH)}

    def cut() -> list[torch.Tensor]:
        cutting = iter_groups(meta.path, groups=groups, track=track, spec=SPEC, meta=meta)
        return [torch.from_numpy(group.pixels) for group in cutting]

    batches = cut()
    taking = ByteMVD(model, mean=MEAN, std=STD)

    @torch.inference_mode()
    def classify() -> None:
        for batch in batches:
            with autocast("fp32", device=device):
                for some in batch.split(4 if device.type == "cpu" else BATCH):
                    taking(some.to(device)).cpu()

    parts: dict[str, Callable[[], object]] = {
        "decoding": lambda: [picture for _, picture in iter_pictures(meta.path, meta=meta)][:0],
        "decoding and cropping, one thread": cut,
        "network": classify,
        "pipeline": lambda: score(meta, model, device=device),
    }
    times: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(rounds):
        for name, work in parts.items():
            times[name].append(seconds(work))
    print("\n| stage | seconds | pipeline / stage |\n|---|---|---|")
    for name, values in times.items():
        share = statistics.median(
            whole / part for whole, part in zip(times["pipeline"], values, strict=True)
        )
        print(f"| {name} | {statistics.median(values):.2f} | {share:.2f} |", flush=True)


def length(
    source: Path,
    folder: Path,
    device: torch.device,
    minutes: list[int],
    size: tuple[int, int],
) -> None:
    """Seconds per minute of video, and what memory grows by after the first minute."""
    spec = ClipSpec(num_frames=8, sampling_rate=2, input_size=32)
    model = network("vit_tiny", spec).to(device)
    one = repeat(source, folder / "one.mp4", num_frames=1800, size=size)
    print(f"\n| minutes, {size[0]}x{size[1]} | seconds per minute | memory's growth, MB |")
    print("|---|---|---|", flush=True)
    score(probe(one), model, device=device, spec=spec, stride=None)  # start-up belongs to no length
    for count in minutes:
        meta = probe(lengthened(one, folder / f"{count}.mp4", count))
        memory = MemoryWatch()
        with memory:
            taken = seconds(
                lambda meta=meta: score(meta, model, device=device, spec=spec, stride=None)
            )
        growth = memory.growth_mb(after=taken / count if count > 1 else 0)
        print(f"| {count} | {taken / count:.2f} | {growth:.0f} |", flush=True)


def detectors(names: list[str], keys: Path | None, folder: Path) -> dict[str, Detector]:
    """Those to measure, by name; with keys of checkpoints also an RT-DETRv2 r18 at random."""
    found = {name: open_detector(name) for name in names}
    if keys is not None:
        path = random_checkpoint(keys, "r18vd", folder)
        found["RT-DETRv2 r18"] = AlwaysSeen(open_detector(f"rtdetrv2:{path}"))
    return found


def detect(
    source: Path, folder: Path, device: torch.device, frames: int, found: dict[str, Detector]
) -> None:
    """Frames per second with detection, with and without the network behind it."""
    meta = probe(repeat(source, folder / "d.mp4", num_frames=frames, size=(640, 480)))
    networks = (NoNetwork(), network("vit_small", SPEC).to(device))

    def row(name: str, finder: tuple[Detector, int] | None) -> None:
        fps = (
            meta.num_frames
            / seconds(lambda model=model: score(meta, model, device=device, finder=finder))
            for model in networks
        )
        cells = " | ".join(f"{value:.1f}" for value in fps)
        print(f"| {name} | {finder[1] if finder else ''} | {cells} |", flush=True)

    print("\n| boxes | looks every | no network, frames/s | ViT-S fp32, frames/s |")
    print("|---|---|---|---|", flush=True)
    row("given", None)
    for name, detector in found.items():
        for every in (1, 4, 8):
            row(name, (detector, every))


def picture_size(text: str) -> tuple[int, int]:
    """Of WIDTHxHEIGHT."""
    width, height = text.split("x")
    return int(width), int(height)


def options_of() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("video", type=Path, help="a video of a mouse")
    parser.add_argument("--only", choices=PARTS, action="append")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--frames", type=int, default=256, help="of the excerpts")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--minutes", type=int, nargs="+", default=[1, 5, 20, 60], help="of length")
    parser.add_argument(
        "--size", type=picture_size, default=(320, 240), help="of length's pictures"
    )
    parser.add_argument("--detector", action="append", help="as of mouse-ar; default background")
    parser.add_argument("--keys", type=Path, help="names and shapes of RT-DETRv2's weights")
    return parser.parse_args()


def main() -> None:
    """Run the parts that are asked for."""
    options = options_of()
    device = torch.device(options.device)
    torch.manual_seed(0)
    wanted = options.only or PARTS
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {device}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "ratio" in wanted:
            ratio(options.video, folder, device, options.frames, options.rounds)
        if "stages" in wanted:
            stages(options.video, folder, device, options.frames, options.rounds)
        if "length" in wanted:
            length(options.video, folder, device, options.minutes, options.size)
        if "detect" in wanted:
            found = detectors(options.detector or ["background"], options.keys, folder)
            detect(options.video, folder, device, options.frames, found)


if __name__ == "__main__":
    main()
