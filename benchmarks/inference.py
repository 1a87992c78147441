"""How fast inference is, as ratios from one run on one machine; prints markdown tables.

    python benchmarks/inference.py VIDEO                      all parts, minutes on two cores
    python benchmarks/inference.py VIDEO --only ratio         against the earlier app's path
    python benchmarks/inference.py VIDEO --only stages        against the slowest stage alone
    python benchmarks/inference.py VIDEO --only length        cost and memory over the length
    python benchmarks/inference.py VIDEO --only detect        with detection

Weights are random: they do not change the speed. Boxes are given, but for ``detect``.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from earlier_app import EarlierPath

from mouse_ar.core.types import Box, ClipSpec, Track
from mouse_ar.core.windows import plan_windows
from mouse_ar.data.config_files import load_actions
from mouse_ar.data.pixels import MEAN, STD
from mouse_ar.data.stream import iter_groups
from mouse_ar.detection.background import BackgroundSubtraction
from mouse_ar.detection.protocol import Detector
from mouse_ar.mvd import MVD, PRESETS
from mouse_ar.mvd.byte_input import ByteMVD
from mouse_ar.pipelines.engine import Engine
from mouse_ar.pipelines.job import ScoringJob
from mouse_ar.pipelines.meter import Meter
from mouse_ar.pipelines.precision import autocast, pick_precision
from mouse_ar.pipelines.tracks import Tracker
from mouse_ar.video.probe import VideoMeta, probe
from mouse_ar.video.reader import iter_frames, iter_pictures
from mouse_ar.video.writer import VideoWriter

ACTIONS = load_actions()
SPEC = ClipSpec(num_frames=16, sampling_rate=2, input_size=224)
STRIDE = 16  # of the earlier app; ours is 7 by default
BATCH = 16
PARTS = ("ratio", "stages", "length", "detect")


class NoNetwork(torch.nn.Module):
    """Everything but the network, whose embedding normalises: gives scores without looking."""

    takes_bytes = True

    def forward(self, pixels_NCTHW: torch.Tensor) -> torch.Tensor:
        """Zeros (N, classes)."""
        return torch.zeros(len(pixels_NCTHW), len(ACTIONS.classes))


def network(preset: str, spec: ClipSpec) -> MVD:
    """A model with random weights."""
    config = replace(
        PRESETS[preset],
        image_size=spec.input_size,
        num_frames=spec.num_frames,
        num_classes=len(ACTIONS.classes),
    )
    return MVD(config).eval()


def wandering(meta: VideoMeta) -> Track:
    """A box of a third of the picture that moves about."""
    side = min(meta.width, meta.height) / 3
    phase = np.arange(meta.num_frames) / meta.fps / 5
    x = (meta.width - side) * (0.5 + 0.4 * np.sin(phase))
    y = (meta.height - side) * (0.5 + 0.4 * np.cos(phase))
    return Track.from_boxes(
        meta.num_frames,
        {
            n: Box(float(x[n]), float(y[n]), float(x[n] + side), float(y[n] + side))
            for n in range(meta.num_frames)
        },
    )


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def score(
    meta: VideoMeta,
    model: torch.nn.Module,
    *,
    device: torch.device,
    spec: ClipSpec = SPEC,
    precision: str = "fp32",
    stride: int | None = STRIDE,
    finder: tuple[Detector, int] | None = None,
    meter: Meter | None = None,
) -> None:
    """The pipeline on one video."""
    with tempfile.TemporaryDirectory() as folder:
        looking = None
        if finder is not None:
            tracker = Tracker(detector=finder[0], detect_every=finder[1], folder=Path(folder))
            looking = tracker.finder(meta, sha256="benchmark")
        job = ScoringJob(
            key=meta.path.name,
            meta=meta,
            spec=spec,
            actions=ACTIONS,
            track=wandering(meta) if looking is None else None,
            finder=looking,
            stride_frames=stride,
        )
        engine = Engine(model, device=device, precision=precision, batch_size=BATCH, meter=meter)
        ((_, outcome),) = engine.run([job])
        if isinstance(outcome, Exception):
            raise outcome


def repeat(source: Path, target: Path, *, num_frames: int, size: tuple[int, int]) -> Path:
    """A video of that many frames: the source over and over, scaled."""
    meta = probe(source)
    with VideoWriter(target, width=size[0], height=size[1], fps=meta.fps) as out:
        for count in range(num_frames):
            if count % meta.num_frames == 0:
                frames = iter_frames(source, meta=meta)
            _, frame_HWC = next(frames)
            out.write(cv2.resize(frame_HWC, size, interpolation=cv2.INTER_AREA))
    return target


def lengthened(source: Path, target: Path, times: int) -> Path:
    """The same packets several times over, which costs next to nothing."""
    with av.open(str(target), "w") as out:
        stream, shift = None, 0
        for _ in range(times):
            with av.open(str(source)) as container:
                video = container.streams.video[0]
                stream = stream or out.add_stream_from_template(video)
                end = 0
                for packet in container.demux(video):
                    if packet.dts is None:
                        continue
                    end = max(end, packet.pts + packet.duration)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = stream
                    out.mux(packet)
                shift += end
    return target


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


def length(source: Path, folder: Path, device: torch.device, minutes: list[int]) -> None:
    """Seconds per minute of video, and what memory grows by after the first minute."""
    spec = ClipSpec(num_frames=8, sampling_rate=2, input_size=32)
    model = network("vit_tiny", spec).to(device)
    one = repeat(source, folder / "one.mp4", num_frames=1800, size=(320, 240))
    print("\n| minutes, 320x240 | seconds per minute of video | RSS growth, MB |\n|---|---|---|")
    for count in minutes:
        meta = probe(lengthened(one, folder / f"{count}.mp4", count))
        memory = _Memory()
        with memory:
            taken = seconds(
                lambda meta=meta: score(meta, model, device=device, spec=spec, stride=None)
            )
        growth = memory.growth_mb(after=taken / count)
        print(f"| {count} | {taken / count:.2f} | {growth:.0f} |", flush=True)


class _Memory:
    """Watches the memory of this process."""

    def __init__(self) -> None:
        self._samples: list[tuple[float, float]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._began = time.perf_counter()

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.1):
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            self._samples.append((time.perf_counter() - self._began, pages * 4096 / 1e6))

    def growth_mb(self, *, after: float) -> float:
        """The most that there was over what there was at a time."""
        at = next((mb for moment, mb in self._samples if moment >= after), None)
        rest = [mb for moment, mb in self._samples if moment >= after]
        return 0.0 if at is None else max(rest) - at


def random_rtdetr() -> Detector:
    """RT-DETRv2 r18 as it is published, with random weights."""
    from transformers import RTDetrResNetConfig, RTDetrV2Config, RTDetrV2ForObjectDetection

    class Finder:
        """Runs the network on 640 x 640 pixels; what it finds is a box in the middle."""

        fingerprint = "random-r18"

        def __init__(self) -> None:
            backbone = RTDetrResNetConfig(
                layer_type="basic",
                depths=[2, 2, 2, 2],
                hidden_sizes=[64, 128, 256, 512],
                out_indices=[2, 3, 4],
            )
            config = RTDetrV2Config(
                backbone_config=backbone,
                encoder_in_channels=[128, 256, 512],
                hidden_expansion=0.5,
                decoder_layers=3,
                freeze_backbone_batch_norms=False,
                num_labels=1,
            )
            self.model = RTDetrV2ForObjectDetection(config).eval()

        def prepare(self, path: Path, *, meta: VideoMeta | None = None) -> None:
            """Nothing to learn."""

        @torch.inference_mode()
        def detect(self, frames_NHWC: np.ndarray) -> list[list[object]]:
            from mouse_ar.detection.protocol import Detection

            pixels = torch.from_numpy(frames_NHWC).permute(0, 3, 1, 2).float() / 255
            self.model(torch.nn.functional.interpolate(pixels, size=(640, 640)))
            height, width = frames_NHWC.shape[1:3]
            box = Box(width / 3, height / 3, 2 * width / 3, 2 * height / 3)
            return [[Detection(box, 0.9)] for _ in frames_NHWC]

    return Finder()  # type: ignore[return-value]


def detect(source: Path, folder: Path, device: torch.device, frames: int) -> None:
    """Decoding, detection and cropping without the network."""
    meta = probe(repeat(source, folder / "d.mp4", num_frames=frames, size=(640, 480)))
    print("\n| detector | every | frames per second, without the MVD network |\n|---|---|---|")
    nothing = NoNetwork()
    given = meta.num_frames / seconds(lambda: score(meta, nothing, device=device))
    print(f"| boxes given | | {given:.0f} |", flush=True)
    makers: dict[str, Callable[[], Detector]] = {
        "background": BackgroundSubtraction,
        "RT-DETRv2 r18": random_rtdetr,
    }
    for name, make in makers.items():
        detector = make()
        for every in (1, 4, 8):
            taken = seconds(
                lambda detector=detector, every=every: score(
                    meta, nothing, device=device, finder=(detector, every)
                )
            )
            print(f"| {name} | {every} | {meta.num_frames / taken:.0f} |", flush=True)


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("video", type=Path, help="a video of a mouse")
    parser.add_argument("--only", choices=PARTS, action="append")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--frames", type=int, default=256, help="of the excerpts")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--minutes", type=int, nargs="+", default=[1, 5, 20, 60])
    options = parser.parse_args()
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
            length(options.video, folder, device, options.minutes)
        if "detect" in wanted:
            detect(options.video, folder, device, options.frames)


if __name__ == "__main__":
    main()
