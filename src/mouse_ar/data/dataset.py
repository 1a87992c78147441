"""Training clips as tensors: a window's frames, crop and target from one draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.cropping import CropBox
from mouse_ar.core.metrics import ignored_mask
from mouse_ar.core.types import ClipSpec, Window
from mouse_ar.core.windows import action_masks, central_half, class_targets, mirror_frames
from mouse_ar.core.windows import window_at as plain_window
from mouse_ar.data.decoded import DecodedClips
from mouse_ar.data.jitter import WindowJitter
from mouse_ar.data.sampling import Sample
from mouse_ar.data.stream import window_crop
from mouse_ar.data.training_data import VideoRecord

__all__ = ["ClipDataset", "ClipLibrary"]

UInt8Array = NDArray[np.uint8]
FloatArray = NDArray[np.float32]

# Tells the numbers drawn here from others of the same seed, epoch and item.
_STREAM = 1


class ClipLibrary:
    """Clips from which windows are cut, with their targets.

    Args:
        records: the clips.
        specs: the ClipSpec of each clip (its sampling rate follows the clip's frame rate).
        actions: classes, in model order.
        decoded: where pixels come from; may be shared with other libraries.
        jitter: None for plain windows.
        seed: with the epoch and the item's number, fixes every random change.
    """

    def __init__(
        self,
        records: Sequence[VideoRecord],
        *,
        specs: Sequence[ClipSpec],
        actions: ActionSet,
        decoded: DecodedClips,
        jitter: WindowJitter | None = None,
        seed: int = 0,
    ) -> None:
        self.records = records
        self._specs = specs
        self._masks = [action_masks(record.ethogram, actions=actions) for record in records]
        self._ignored = [
            ignored_mask(record.ignored, num_frames=record.num_frames) for record in records
        ]
        self._decoded = decoded
        self._jitter = jitter
        self._seed = seed

    def windows(
        self, samples: Sequence[Sample], *, epoch: int = 0, labels: Sequence[Sample] | None = None
    ) -> ClipDataset:
        """A dataset of windows.

        Args:
            samples: the windows whose pixels are loaded.
            epoch: number of the epoch.
            labels: the windows whose targets go with them; the same ones unless a control is run.
        """
        return ClipDataset(self, samples, epoch=epoch, labels=labels)

    def target(self, sample: Sample) -> FloatArray:
        """The target of a window as drawn: float32 (K,)."""
        return class_targets(self._plain(sample), self._masks[sample.source])

    def load(self, sample: Sample, *, epoch: int, number: int) -> tuple[UInt8Array, FloatArray]:
        """Pixels uint8 (T, H, W, 3) and target float32 (K,) of one window."""
        record, spec = self.records[sample.source], self._specs[sample.source]
        rng = np.random.default_rng([self._seed, epoch, number, _STREAM])
        window = self._plain(sample)
        if self._jitter is not None:
            window = self._jittered(sample, window, rng)
        frames_THWC = self._decoded.window(
            record, window=window, crop=self._crop(record, window, spec, rng), spec=spec
        )
        return frames_THWC, class_targets(window, self._masks[sample.source])

    def _plain(self, sample: Sample) -> Window:
        record, spec = self.records[sample.source], self._specs[sample.source]
        return plain_window(sample.start, num_frames=record.num_frames, spec=spec)

    def _jittered(self, sample: Sample, window: Window, rng: np.random.Generator) -> Window:
        """The window with another step, where it still speaks of the same classes.

        Otherwise an epoch would lose its balance, and an idle window reach into a bout.
        """
        assert self._jitter is not None
        record, spec = self.records[sample.source], self._specs[sample.source]
        other = self._jitter.window(window, num_frames=record.num_frames, spec=spec, rng=rng)
        half = central_half(other.interval)
        frames_F = mirror_frames(np.arange(half.start, half.stop), num_frames=record.num_frames)
        masks_TK = self._masks[sample.source]
        same = (class_targets(other, masks_TK) > 0) == (class_targets(window, masks_TK) > 0)
        if self._ignored[sample.source][frames_F].any() or not same.all():
            return window
        return other

    def _crop(
        self, record: VideoRecord, window: Window, spec: ClipSpec, rng: np.random.Generator
    ) -> CropBox:
        size = {"width": record.width, "height": record.height}
        crop = window_crop(window, track=record.track, spec=spec, **size)
        if self._jitter is None:
            return crop
        keep = window_crop(window, track=record.track, spec=spec, padding=0.0, **size)
        return self._jitter.square(crop, keep=keep, rng=rng, **size)


class ClipDataset(Dataset[dict[str, Any]]):
    """The windows of one epoch; made by :meth:`ClipLibrary.windows`.

    Each item is a dict of ``frames`` uint8 (T, H, W, 3), ``target`` float32 (K,): the overlap
    share of the central half of the window *really shown* with each class, and ``sample``: the
    item's number in the epoch (int).
    """

    def __init__(
        self,
        library: ClipLibrary,
        samples: Sequence[Sample],
        *,
        epoch: int = 0,
        labels: Sequence[Sample] | None = None,
    ) -> None:
        self._library = library
        self._samples = samples
        self._labels = labels
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, item: int) -> dict[str, Any]:
        sample = self._samples[item]
        frames_THWC, target_K = self._library.load(sample, epoch=self._epoch, number=item)
        if self._labels is not None:
            target_K = self._library.target(self._labels[item])
        return {
            "frames": torch.from_numpy(frames_THWC),
            "target": torch.from_numpy(target_K),
            "sample": item,
        }

    def name(self, item: int) -> str:
        """Key of the clip that an item is from, for messages."""
        return self._library.records[self._samples[item].source].key
