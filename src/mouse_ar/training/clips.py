"""Training Data as the loop consumes it: drawn windows per epoch, and held-out ones."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import numpy as np

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.manifest import fingerprint
from mouse_ar.core.types import ClipSpec
from mouse_ar.data.dataset import Augmentation, ClipDataset
from mouse_ar.data.sampling import SampledSource, WindowSampler
from mouse_ar.data.training_data import TrainingData, VideoRecord
from mouse_ar.training.config import TrainConfig
from mouse_ar.training.validation import split_clips

__all__ = ["TrainingClips"]

WINDOWS_PER_CLIP = 4
# How clips are loaded changes nothing in the result: a run may go on with less memory.
LOADING = frozenset({"num_workers", "cache_mb"})


class TrainingClips:
    """The clips of a run with their sampler.

    Args:
        data: the Training Data project.
        config: settings of the run.
        actions: classes, in model order.
    """

    def __init__(self, data: TrainingData, *, config: TrainConfig, actions: ActionSet) -> None:
        self._config, self._actions = config, actions
        train, held = list(data.clips), list[VideoRecord]()
        if not data.val:
            train, held = split_clips(data.clips, actions=actions.names, seed=config.seed)
        self.fps = float(median(record.fps for record in train))
        self.samples_per_epoch = config.samples_per_epoch or WINDOWS_PER_CLIP * len(train)
        self.counts = {
            dataset: sum(record.dataset == dataset for record in train)
            for dataset in actions.datasets
        }
        self._dataset = self._build(
            train, Augmentation(config.flip, config.jitter, config.color_jitter)
        )
        self._sampler = self._sampling(train, self.samples_per_epoch)
        # Without anything to hold out, the windows of the training clips are all there is.
        self.judged_on = "held-out clips" if held else "the training clips themselves"
        self.held_out = self._build(held or train, None)
        held_samples = self._sampling(held or train, WINDOWS_PER_CLIP * len(held or train))
        self.held_out.set_epoch(0, held_samples.epoch(0))
        decisive = {k: v for k, v in config.to_dict().items() if k not in LOADING}
        self.fingerprint = fingerprint([decisive, actions.to_dict(), data.fingerprint])

    def epoch(self, epoch: int) -> ClipDataset:
        """The dataset, set to the windows of an epoch."""
        samples = self._sampler.epoch(epoch)
        labels = samples
        if self._config.shuffle_labels:
            order = np.random.default_rng([self._config.seed, epoch]).permutation(len(samples))
            labels = [samples[i] for i in order]
        self._dataset.set_epoch(epoch, samples, labels=labels)
        return self._dataset

    def _spec(self, record: VideoRecord) -> ClipSpec:
        return self._config.clip_spec().for_fps(record.fps, reference_fps=self.fps)

    def _build(
        self, records: Sequence[VideoRecord], augmentation: Augmentation | None
    ) -> ClipDataset:
        return ClipDataset(
            records,
            specs=[self._spec(record) for record in records],
            actions=self._actions,
            augmentation=augmentation,
            seed=self._config.seed,
            cache_mb=self._config.cache_mb,
        )

    def _sampling(self, records: Sequence[VideoRecord], samples: int) -> WindowSampler:
        return WindowSampler(
            [
                SampledSource(
                    ethogram=record.ethogram,
                    spec=self._spec(record),
                    is_idle=record.dataset == self._actions.background,
                    ignored=record.ignored,
                )
                for record in records
            ],
            actions=self._actions.names,
            samples=samples,
            background_share=self._config.background_share,
            seed=self._config.seed,
        )
