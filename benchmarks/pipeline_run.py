"""The inference pipeline on made-up inputs, for benchmarks: videos, boxes and networks."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from mouse_ar.core.types import Box, ClipSpec, Track
from mouse_ar.data.config_files import load_actions
from mouse_ar.detection.protocol import Detection, Detector
from mouse_ar.mvd import MVD, PRESETS
from mouse_ar.pipelines.engine import Engine
from mouse_ar.pipelines.job import ScoringJob
from mouse_ar.pipelines.meter import Meter
from mouse_ar.pipelines.tracks import Tracker
from mouse_ar.video.probe import VideoMeta, probe
from mouse_ar.video.reader import iter_frames
from mouse_ar.video.writer import VideoWriter

__all__ = [
    "ACTIONS",
    "BATCH",
    "SPEC",
    "STRIDE",
    "AlwaysSeen",
    "NoNetwork",
    "lengthened",
    "network",
    "repeat",
    "score",
    "seconds",
    "wandering",
]

ACTIONS = load_actions()
SPEC = ClipSpec(num_frames=16, sampling_rate=2, input_size=224)
STRIDE = 16  # of the earlier app; ours is 7 by default
BATCH = 16


class NoNetwork(torch.nn.Module):
    """Everything but the network, whose embedding normalises: gives scores without looking."""

    takes_bytes = True

    def forward(self, pixels_NCTHW: torch.Tensor) -> torch.Tensor:
        """Zeros (N, classes)."""
        return torch.zeros(len(pixels_NCTHW), len(ACTIONS.classes))


class AlwaysSeen:
    """Costs what a detector costs; finds a box in the middle, as random weights find anything."""

    def __init__(self, detector: Detector) -> None:
        self.detector = detector
        self.fingerprint = f"seen-{detector.fingerprint}"

    def prepare(self, path: Path, *, meta: VideoMeta | None = None) -> None:
        """As the detector does."""
        self.detector.prepare(path, meta=meta)

    def detect(self, frames_NHWC: NDArray[np.uint8]) -> Sequence[Sequence[Detection]]:
        """One box a frame, after the detector has run."""
        self.detector.detect(frames_NHWC)
        height, width = frames_NHWC.shape[1:3]
        box = Box(width / 3, height / 3, 2 * width / 3, 2 * height / 3)
        return [[Detection(box, 0.9)] for _ in frames_NHWC]


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
