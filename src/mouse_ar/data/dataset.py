"""Training clips as tensors: a window's frames, crop and target from one draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.cropping import CropBox
from mouse_ar.core.types import ClipSpec, Window
from mouse_ar.core.windows import action_masks, class_targets, window_at
from mouse_ar.data.sampling import Sample
from mouse_ar.data.stream import crop_window, window_crop
from mouse_ar.data.training_data import VideoRecord
from mouse_ar.video.reader import open_video

__all__ = ["Augmentation", "ClipDataset"]

UInt8Array = NDArray[np.uint8]


@dataclass(frozen=True)
class Augmentation:
    """Random changes, identical for all frames of a window.

    Args:
        flip: ``none``, ``horizontal`` (mirror left-right in half of the windows) or ``dihedral``
            (also up-down and quarter turns: all eight poses are equally likely).
        jitter: shift and scale of the crop, share of its side.
        color: brightness and contrast change, share.
    """

    flip: str = "horizontal"
    jitter: float = 0.05
    color: float = 0.2

    def crop(self, crop: CropBox, rng: np.random.Generator) -> CropBox:
        """Jitter a crop square; it stays centred near the mouse."""
        if self.jitter == 0:
            return crop
        dx, dy, scale = rng.uniform(-self.jitter, self.jitter, size=3)
        side = max(1, round(crop.side * (1 + scale)))
        shift = (crop.side - side) / 2
        return CropBox(
            left=round(crop.left + shift + dx * crop.side),
            top=round(crop.top + shift + dy * crop.side),
            side=side,
        )

    def pixels(self, frames_THWC: UInt8Array, rng: np.random.Generator) -> UInt8Array:
        """Flip and recolour the frames of one window."""
        if self.flip != "none" and rng.random() < 0.5:
            frames_THWC = frames_THWC[:, :, ::-1]
        if self.flip == "dihedral":
            frames_THWC = np.rot90(frames_THWC, k=int(rng.integers(4)), axes=(1, 2))
        if self.color > 0:
            gain, shift = 1 + rng.uniform(-self.color, self.color, size=2)
            ramp = (np.arange(256) - 128) * gain + 128 * shift
            table = np.clip(np.rint(ramp), 0, 255).astype(np.uint8)
            shape = frames_THWC.shape
            flat = np.ascontiguousarray(frames_THWC).reshape(shape[0], -1)
            frames_THWC = np.asarray(cv2.LUT(flat, table), dtype=np.uint8).reshape(shape)
        return np.ascontiguousarray(frames_THWC)


class ClipDataset(Dataset[dict[str, Any]]):
    """Windows of training clips.

    Each item is a dict of ``frames`` uint8 (T, H, W, 3) and ``target`` float32 (K,), where the
    target is the overlap share of the window's central half with each class.

    Args:
        records: the clips.
        specs: the ClipSpec of each clip (its sampling rate follows the clip's frame rate).
        actions: classes, in model order.
        augmentation: None for plain windows.
        seed: with the epoch and the item's number, fixes every random change.
        cache_mb: decoded clips kept in memory per process.
    """

    def __init__(
        self,
        records: Sequence[VideoRecord],
        *,
        specs: Sequence[ClipSpec],
        actions: ActionSet,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        cache_mb: int = 2048,
    ) -> None:
        self._records = records
        self._specs = specs
        self._masks = [action_masks(record.ethogram, actions=actions) for record in records]
        self._augmentation = augmentation
        self._seed = seed
        self._epoch = 0
        self._samples: Sequence[Sample] = ()
        self._labels: Sequence[Sample] = ()
        self._cache = _DecodedClips(cache_mb * 1_000_000)

    def set_epoch(
        self, epoch: int, samples: Sequence[Sample], *, labels: Sequence[Sample] | None = None
    ) -> None:
        """Choose the windows of an epoch; call before a loader is started.

        Args:
            epoch: number of the epoch.
            samples: the windows whose pixels are loaded.
            labels: the windows whose targets go with them; the same ones unless a control is run.
        """
        self._epoch = epoch
        self._samples = samples
        self._labels = samples if labels is None else labels

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, item: int) -> dict[str, Any]:
        window, record, spec = self._window(self._samples[item])
        frames_THWC = self._load(record, window, spec, item)
        label = self._labels[item]
        target_K = class_targets(self._window(label)[0], self._masks[label.source])
        return {"frames": torch.from_numpy(frames_THWC), "target": torch.from_numpy(target_K)}

    def _window(self, sample: Sample) -> tuple[Window, VideoRecord, ClipSpec]:
        record, spec = self._records[sample.source], self._specs[sample.source]
        return window_at(sample.start, num_frames=record.num_frames, spec=spec), record, spec

    def _load(self, record: VideoRecord, window: Window, spec: ClipSpec, item: int) -> UInt8Array:
        rng = np.random.default_rng([self._seed, self._epoch, item])
        crop = window_crop(
            window, track=record.track, spec=spec, width=record.width, height=record.height
        )
        if self._augmentation is not None:
            crop = self._augmentation.crop(crop, rng)
        frames = self._cache.frames(record, window.indices)
        frames_THWC = crop_window(frames, window=window, crop=crop, size=spec.input_size)
        if self._augmentation is not None:
            frames_THWC = self._augmentation.pixels(frames_THWC, rng)
        return frames_THWC


class _DecodedClips:
    """Decoded clips within a byte budget; what no longer fits is read frame by frame.

    Every clip is as likely to be drawn as any other, so dropping one for the next gains nothing.
    """

    def __init__(self, budget_bytes: int) -> None:
        self._budget = budget_bytes
        self._used = 0
        self._clips: dict[Path, UInt8Array] = {}

    def frames(self, record: VideoRecord, indices: Sequence[int]) -> list[UInt8Array]:
        """Frames of a clip, from memory where it fits."""
        clip = self._clips.get(record.path)
        if clip is None:
            size = record.num_frames * record.height * record.width * 3
            with open_video(record.path) as reader:
                if self._used + size > self._budget:
                    return list(reader.get_batch(list(indices)))
                clip = reader.get_batch(range(record.num_frames))
            self._clips[record.path] = clip
            self._used += size
        return [clip[i] for i in indices]
