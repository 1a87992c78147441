"""Loading speed: our clips against a loader that works as the earlier app's does.

    python benchmarks/loader.py DATA [--clips 64] [--windows 4] [--workers 2] [--rounds 3]

DATA is a folder of short clips, searched for videos; a ``boxes.csv`` in it (clip, frame, x1, y1,
x2, y2) gives the mouse boxes. Each round loads the same windows (``--windows`` of every clip, in
the same shuffled order) with both loaders in turns, with the same number of workers, from new
loaders that hold nothing in memory yet. What is timed ends with normalised float batches on the
CPU, as a training step takes them.

The other loader decodes the frames of a window with decord, opens the clip a second time for the
frames that its crop is computed from, turns every frame into a PIL image, changes it with timm's
RandAugment, resizes it to 224 and normalises float tensors on the CPU, in processes of a
``DataLoader``. That is the earlier app's way of loading, written anew for this comparison.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from decord import VideoReader, cpu
from PIL import Image
from timm.data.auto_augment import rand_augment_transform
from torch.utils.data import DataLoader, Dataset

from mouse_ar.core.cropping import crop_square
from mouse_ar.core.types import Bout, Box, ClipSpec, Ethogram, Interval, Track
from mouse_ar.data.augment import BatchAugmentation, PixelChanges
from mouse_ar.data.config_files import load_actions
from mouse_ar.data.dataset import ClipLibrary
from mouse_ar.data.decoded import DecodedClips
from mouse_ar.data.jitter import WindowJitter
from mouse_ar.data.sampling import Sample
from mouse_ar.data.training_data import VideoRecord
from mouse_ar.training.config import TrainConfig
from mouse_ar.training.loading import load_batches
from mouse_ar.video.probe import probe

ACTIONS = load_actions()
VIDEOS = {".mp4", ".mkv", ".avi", ".mov", ".webm"}
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BATCH = 8


@dataclass(frozen=True)
class Work:
    """Windows to load and the clips they are from."""

    records: Sequence[VideoRecord]
    samples: Sequence[Sample]
    spec: ClipSpec
    workers: int


def find_records(folder: Path, number: int) -> list[VideoRecord]:
    """Clips below a folder, evenly picked, with their boxes."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in VIDEOS)
    if not paths:
        raise SystemExit(f"No videos in {folder}: expected a folder of clips.")
    boxes: dict[str, dict[int, Box]] = defaultdict(dict)
    table = folder / "boxes.csv"
    if table.is_file():
        for row in csv.DictReader(table.open(encoding="utf-8")):
            corners = (float(row[name]) for name in ("x1", "y1", "x2", "y2"))
            boxes[row["clip"]][int(row["frame"])] = Box(*corners)
    picked = np.unique(np.linspace(0, len(paths) - 1, number).round().astype(int))
    return [_record(paths[i], boxes[paths[i].relative_to(folder).as_posix()]) for i in picked]


def _record(path: Path, boxes: dict[int, Box]) -> VideoRecord:
    meta = probe(path)
    bout = Bout(Interval(0, meta.num_frames), ACTIONS.names[0])
    return VideoRecord(
        key=path.name,
        dataset=ACTIONS.datasets[0],
        path=path,
        source=path.name,
        width=meta.width,
        height=meta.height,
        ethogram=Ethogram(num_frames=meta.num_frames, fps=meta.fps, bouts=(bout,)),
        track=Track.from_boxes(meta.num_frames, boxes),
    )


def ours(work: Work) -> Iterator[torch.Tensor]:
    """The library's loader with the default settings of a training."""
    config = TrainConfig()
    library = ClipLibrary(
        work.records,
        specs=[work.spec] * len(work.records),
        actions=ACTIONS,
        decoded=DecodedClips(config.cache_mb * 1_000_000, spare=config.jitter),
        jitter=WindowJitter(crop=config.jitter, step=config.temporal_jitter),
    )
    augment = BatchAugmentation(
        PixelChanges(
            flip=config.flip,
            color=config.color_jitter,
            gamma=config.gamma_jitter,
            saturation=config.saturation_jitter,
            erase=config.reprob,
            mix=config.mixup_prob,
            mixup=config.mixup,
        )
    )
    number = len(work.samples)
    groups = [range(at, min(at + BATCH, number)) for at in range(0, number, BATCH)]
    dataset = library.windows(work.samples)
    for batch in load_batches(dataset, groups, num_workers=work.workers):
        yield augment(batch, epoch=0)[0]


class EarlierWay(Dataset[torch.Tensor]):
    """Windows as the earlier app loads them."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._augment = rand_augment_transform("rand-m7-n4-mstd0.5-inc1", {"img_mean": (124,) * 3})

    def __len__(self) -> int:
        return len(self._work.samples)

    def __getitem__(self, item: int) -> torch.Tensor:
        """Float (3, T, 224, 224)."""
        sample, spec = self._work.samples[item], self._work.spec
        record = self._work.records[sample.source]
        stop = sample.start + spec.window_frames
        wanted = np.arange(sample.start, stop, spec.sampling_rate) % record.num_frames
        frames_THWC = _decoded(record.path, wanted)
        _ = _decoded(record.path, wanted)  # for the crop
        crop = crop_square(
            record.track,
            frames=[int(i) for i in wanted],
            width=record.width,
            height=record.height,
            padding=0.1,
        )
        square = (crop.left, crop.top, crop.right, crop.bottom)
        size = (spec.input_size, spec.input_size)
        changed = []
        for frame_HWC in frames_THWC:
            image = self._augment(Image.fromarray(frame_HWC).crop(square))
            resized = image.resize(size, Image.Resampling.BICUBIC)
            changed.append(torch.from_numpy(np.asarray(resized).copy()).permute(2, 0, 1))
        pixels_TCHW = torch.stack(changed).float() / 255
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
        return ((pixels_TCHW - mean) / std).transpose(0, 1).contiguous()


def _decoded(path: Path, wanted: np.ndarray) -> np.ndarray:
    reader = VideoReader(str(path), num_threads=1, ctx=cpu(0))
    return np.asarray(reader.get_batch(list(wanted)).asnumpy())


def earlier(work: Work) -> Iterator[torch.Tensor]:
    """The earlier app's way of loading."""
    yield from DataLoader(EarlierWay(work), batch_size=BATCH, num_workers=work.workers)


def windows_per_second(loader: Iterator[torch.Tensor]) -> float:
    """Speed from a cold start to the last batch."""
    start, number = time.perf_counter(), 0
    for inputs in loader:
        number += len(inputs)
    return number / (time.perf_counter() - start)


def main() -> None:
    """Print windows per second of both, and their ratio, for each round."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--windows", type=int, default=4, help="of each clip")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    # 16 frames, one after the other: what the shortest clips hold.
    spec = ClipSpec(num_frames=16, sampling_rate=1)
    records = find_records(options.data, options.clips)
    rng = np.random.default_rng(0)
    samples = [
        Sample(i, int(rng.integers(max(1, record.num_frames - spec.window_frames + 1))))
        for i, record in enumerate(records)
        for _ in range(options.windows)
    ]
    samples = [samples[i] for i in rng.permutation(len(samples))]
    work = Work(records, samples, spec, options.workers)
    print(
        f"{len(records)} clips, {len(samples)} windows of {spec.num_frames} frames, "
        f"{options.workers} workers, batches of {BATCH}\n"
        "| round | earlier way, windows/s | ours, windows/s | ratio |\n|---|---|---|---|"
    )
    rows = []
    for number in range(options.rounds):
        pair = [windows_per_second(load(work)) for load in (earlier, ours)]
        rows.append((*pair, pair[1] / pair[0]))
        print("| {} | {:.2f} | {:.2f} | {:.1f} |".format(number + 1, *rows[-1]), flush=True)
    medians = [statistics.median(column) for column in zip(*rows, strict=True)]
    print("| median | {:.2f} | {:.2f} | {:.1f} |".format(*medians))


if __name__ == "__main__":
    main()
