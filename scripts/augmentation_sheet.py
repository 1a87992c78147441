"""A contact sheet of the random changes of training windows: rows are changes, columns frames.

    python scripts/augmentation_sheet.py OUT.jpg [--data TRAINING_DATA]

Every row is made by the code that training uses, at the amounts of `configs/train.yaml` (cutmix and
dihedral flips, which are off there, at their usual ones), and shows the strongest of a dozen draws.
The clips are from a Training Data project, else from two synthetic videos. The small pictures under
each frame tell whether a change could pass for motion: they are the difference to the frame before.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import default_collate

from mouse_ar.core.types import ClipSpec
from mouse_ar.data.augment import BatchAugmentation, PixelChanges
from mouse_ar.data.config_files import load_actions
from mouse_ar.data.dataset import ClipLibrary
from mouse_ar.data.decoded import DecodedClips
from mouse_ar.data.jitter import WindowJitter
from mouse_ar.data.pixels import MEAN, STD
from mouse_ar.data.sampling import Sample
from mouse_ar.data.training_data import VideoRecord, open_training_data
from mouse_ar.synthetic.config import SyntheticConfig
from mouse_ar.synthetic.dataset import write_video
from mouse_ar.synthetic.generate import make_video
from mouse_ar.training.config import TrainConfig

ACTIONS = load_actions()
DEFAULTS = TrainConfig()
COLUMNS, FRAME_PX, DIFFERENCE_PX, LABEL_PX, GAP_PX = 8, 104, 36, 176, 4
DRAWS = 12
Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Row:
    """One change, what it is called, and how the windows of its clips are spaced."""

    label: str
    setting: str
    changes: PixelChanges = field(default_factory=PixelChanges)
    jitter: WindowJitter = field(default_factory=WindowJitter)
    step: int = 1


def rows() -> list[Row]:
    """What the sheet shows."""
    return [
        Row("as in inference", ""),
        Row("crop", f"jitter {DEFAULTS.jitter}", jitter=WindowJitter(crop=DEFAULTS.jitter)),
        Row("plain, step 4", "sampling_rate 4", step=4),
        Row(
            "step and crop",
            f"temporal_jitter {DEFAULTS.temporal_jitter}",
            jitter=WindowJitter(crop=DEFAULTS.jitter, step=DEFAULTS.temporal_jitter),
            step=4,
        ),
        Row("mirrored", "flip horizontal", PixelChanges(flip="horizontal")),
        Row("turned", "flip dihedral", PixelChanges(flip="dihedral")),
        Row(
            "brightness, contrast",
            f"color_jitter {DEFAULTS.color_jitter}",
            PixelChanges(color=DEFAULTS.color_jitter),
        ),
        Row(
            "gamma",
            f"gamma_jitter {DEFAULTS.gamma_jitter}",
            PixelChanges(gamma=DEFAULTS.gamma_jitter),
        ),
        Row(
            "saturation",
            f"saturation_jitter {DEFAULTS.saturation_jitter}",
            PixelChanges(saturation=DEFAULTS.saturation_jitter),
        ),
        Row("erased", "reprob", PixelChanges(erase=1.0)),
        Row("blended", f"mixup {DEFAULTS.mixup}", PixelChanges(mix=1.0, mixup=DEFAULTS.mixup)),
        Row("rectangle swapped", "cutmix 1.0", PixelChanges(mix=1.0, cutmix=1.0)),
    ]


def synthetic_records(folder: Path) -> list[VideoRecord]:
    """Two short synthetic videos of different cages, around their first bouts."""
    config = SyntheticConfig(num_videos=11, seconds_per_video=20.0)
    records = []
    for index in (10, 3):  # a black mouse in colour, and a white one in infrared
        video = make_video(config, index)
        path = folder / f"{video.name}.mp4"
        write_video(video, path)
        records.append(
            VideoRecord(
                key=path.name,
                dataset=ACTIONS.datasets[0],
                path=path,
                source=video.name,
                width=video.width,
                height=video.height,
                ethogram=video.ethogram,
                track=video.track,
            )
        )
    return records


def render(records: list[VideoRecord], *, row: Row) -> tuple[Picture, str]:
    """Frames of the first record's window, uint8 (T, H, W, 3), and its target in words."""
    spec = ClipSpec(num_frames=COLUMNS, sampling_rate=row.step, input_size=FRAME_PX)
    decoded = DecodedClips(10**9, spare=row.jitter.crop)
    samples = [Sample(i, _start(record, spec)) for i, record in enumerate(records)]

    def drawn(seed: int, changes: PixelChanges, jitter: WindowJitter) -> tuple[Picture, Picture]:
        library = ClipLibrary(
            records,
            specs=[spec] * len(records),
            actions=ACTIONS,
            decoded=decoded,
            jitter=jitter,
            seed=seed,
        )
        batch = default_collate([library.windows(samples)[i] for i in range(len(samples))])
        inputs, target = BatchAugmentation(changes, seed=seed)(batch, epoch=0)
        mean, std = (torch.tensor(values).view(3, 1, 1, 1) for values in (MEAN, STD))
        pixels_CTHW = (inputs[0] * std + mean).clamp(0, 1) * 255
        frames_THWC = pixels_CTHW.permute(1, 2, 3, 0).round().to(torch.uint8)
        return frames_THWC.numpy(), target[0].numpy()

    plain_THWC, _ = drawn(0, PixelChanges(), WindowJitter())
    frames_THWC, target_K = max(
        (drawn(seed, row.changes, row.jitter) for seed in range(DRAWS)),
        key=lambda made: float(cv2.absdiff(made[0], plain_THWC).mean()),
    )
    shares = zip(ACTIONS.classes, target_K, strict=True)
    return frames_THWC, ", ".join(f"{share:.2f} {name}" for name, share in shares if share > 0.005)


def _start(record: VideoRecord, spec: ClipSpec) -> int:
    """A window that lies half on a bout, so that its target is of two classes."""
    bouts = record.ethogram.bouts
    edge = bouts[0].interval.start if bouts else record.num_frames // 2
    spare = max(0, record.num_frames - spec.window_frames)
    return min(max(0, edge - spec.window_frames // 2), spare)


def draw(records: list[VideoRecord]) -> Picture:
    """The sheet, uint8 (H, W, 3) RGB."""
    height = FRAME_PX + DIFFERENCE_PX + 2 * GAP_PX
    width = LABEL_PX + COLUMNS * (FRAME_PX + GAP_PX)
    lines = []
    for row in rows():
        frames_THWC, target = render(records, row=row)
        line = np.full((height, width, 3), 255, dtype=np.uint8)
        for place, text in enumerate((row.label, row.setting, *target.split(", "))):
            ink = (0, 0, 0) if place == 0 else (90, 90, 90)
            size = 0.5 if place == 0 else 0.38
            at = (6, 20 + 18 * place)
            cv2.putText(line, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, ink, 1, cv2.LINE_AA)
        for column, frame_HWC in enumerate(frames_THWC):
            left = LABEL_PX + column * (FRAME_PX + GAP_PX)
            line[:FRAME_PX, left : left + FRAME_PX] = frame_HWC
            if column:
                difference = cv2.absdiff(frame_HWC, frames_THWC[column - 1])
                small = cv2.resize(
                    np.minimum(difference, 85) * 3, (DIFFERENCE_PX,) * 2, None, 0, 0, cv2.INTER_AREA
                )
                below = FRAME_PX + GAP_PX
                line[below : below + DIFFERENCE_PX, left : left + DIFFERENCE_PX] = small
        lines.append(line)
    return np.concatenate(lines)


def main() -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, help="Training Data project; else synthetic video")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.data:
            clips = open_training_data(options.data, actions=ACTIONS).clips
            busy = [clip for clip in clips if clip.ethogram.bouts]
            records = [busy[0], busy[len(busy) // 2]]
        else:
            records = synthetic_records(Path(folder))
        sheet = draw(records)
    quality = [cv2.IMWRITE_JPEG_QUALITY, 70]
    cv2.imwrite(str(options.out), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR), quality)


if __name__ == "__main__":
    main()
