"""Training Data as the loop consumes it: drawn windows per epoch, and held-out ones."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np
import torch

from mouse_ar.core.actions import ActionKind, ActionSet
from mouse_ar.core.manifest import fingerprint
from mouse_ar.core.types import ClipSpec
from mouse_ar.data.augment import BatchAugmentation, PixelChanges
from mouse_ar.data.dataset import ClipDataset, ClipLibrary
from mouse_ar.data.decoded import DecodedClips
from mouse_ar.data.jitter import WindowJitter
from mouse_ar.data.sampling import Sample, SampledSource, WindowSampler
from mouse_ar.data.training_data import TrainingData, VideoRecord
from mouse_ar.training.config import TrainConfig
from mouse_ar.training.validation import split_clips

__all__ = ["TrainingClips"]

WINDOWS_PER_CLIP = 4
# How clips are loaded and how often the state is saved changes nothing in the result: a run may
# go on with less memory.
LOADING = frozenset({"num_workers", "cache_mb", "save_minutes"})
# Idle clips with so many times the frames of the actions are more than the balance of classes
# needs (`idle_ratio` 1 of preprocessing, give or take): hard windows are worth looking for.
_POOL = 1.25


class TrainingClips:
    """The clips of a run with their sampler.

    Args:
        data: the Training Data project.
        config: settings of the run.
        actions: classes, in model order.
        step_windows: windows per optimiser step of all processes; epochs are whole steps.
    """

    def __init__(
        self,
        data: TrainingData,
        *,
        config: TrainConfig,
        actions: ActionSet,
        step_windows: int = 1,
    ) -> None:
        self._config, self._actions = config, actions
        train, held = list(data.clips), list[VideoRecord]()
        if not data.val:
            train, held = split_clips(data.clips, actions=actions.names, seed=config.seed)
        self.fps = float(median(record.fps for record in train))
        wanted = config.samples_per_epoch or WINDOWS_PER_CLIP * len(train)
        self.samples_per_epoch = math.ceil(wanted / step_windows) * step_windows
        self.counts = {
            dataset: sum(record.dataset == dataset for record in train)
            for dataset in actions.datasets
        }
        self._decoded = DecodedClips(
            config.cache_mb * 1_000_000,
            spare=config.jitter,
            # One clip at a time: let the decoder use a second core.
            threads=1 if config.num_workers else 2,
        )
        self._library = self._build(
            train, WindowJitter(crop=config.jitter, step=config.temporal_jitter)
        )
        self._plain = self._build(train, None)
        self._sampler = self._sampling(train, self.samples_per_epoch)
        self._hard: list[Sample] = []
        self._drawn: ClipDataset | None = None
        self.class_prior = self._class_prior()
        # Without anything to hold out, the windows of the training clips are all there is.
        self.judged_on = "held-out clips" if held else "the training clips themselves"
        held_samples = self._sampling(held or train, WINDOWS_PER_CLIP * len(held or train))
        self.held_out = self._build(held or train, None).windows(held_samples.epoch(0))
        decisive = {k: v for k, v in config.to_dict().items() if k not in LOADING}
        self.fingerprint = fingerprint([decisive, actions.to_dict(), data.fingerprint])

    def epoch(self, epoch: int) -> ClipDataset:
        """The windows of an epoch."""
        samples = self._sampler.epoch(
            epoch, hard=self._hard, hard_share=self._config.hard_negatives
        )
        labels = None
        if self._config.shuffle_labels:
            order = np.random.default_rng([self._config.seed, epoch]).permutation(len(samples))
            labels = [samples[i] for i in order]
        self._drawn = self._library.windows(samples, epoch=epoch, labels=labels)
        return self._drawn

    def names(self, items: Iterable[int] | torch.Tensor) -> list[str]:
        """Clips (``dataset/name``) that items of the last drawn epoch are from, for messages.

        Args:
            items: numbers of the windows, ``sample`` of a batch.
        """
        if self._drawn is None:
            return []
        return [self._drawn.name(int(item)) for item in items]

    def augmentation(self, device: torch.device) -> BatchAugmentation:
        """What turns a batch as loaded into inputs and targets of a training step."""
        config = self._config
        changes = PixelChanges(
            flip=config.flip,
            color=config.color_jitter,
            gamma=config.gamma_jitter,
            saturation=config.saturation_jitter,
            erase=config.reprob,
            mix=config.mixup_prob,
            mixup=config.mixup,
            cutmix=config.cutmix,
        )
        return BatchAugmentation(changes, seed=config.seed, device=device)

    @property
    def has_idle_pool(self) -> bool:
        """Whether there are more idle clips than the balance of classes needs."""
        idle, per_source = 0, dict[str, list[int]]()
        states = {a.name for a in self._actions.actions if a.kind is ActionKind.STATE}
        for record in self._library.records:
            if record.dataset == self._actions.background:
                idle += record.num_frames
                continue
            # As preprocessing does: against frames of state events, without any against clips.
            needed = per_source.setdefault(record.source, [0, 0])
            bouts = record.ethogram.bouts
            needed[0] += sum(b.interval.length for b in bouts if b.action in states)
            needed[1] += record.num_frames
        return idle > _POOL * sum(state or clips for state, clips in per_source.values())

    @property
    def idle_windows(self) -> int:
        """Idle windows per epoch."""
        return self._sampler.idle_windows

    def idle_candidates(self, number: int, *, epoch: int) -> tuple[list[Sample], ClipDataset]:
        """Different idle windows, and a dataset that loads them without random changes."""
        samples = self._sampler.idle(number, epoch=epoch)
        return samples, self._plain.windows(samples)

    def set_hard(self, samples: Sequence[Sample]) -> None:
        """The idle windows of which the next epochs draw a part."""
        self._hard = list(samples)

    def state(self) -> dict[str, Any]:
        """What a resumed run needs to draw the same windows; plain values."""
        return {"hard": [[sample.source, sample.start] for sample in self._hard]}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Inverse of :meth:`state`."""
        self._hard = [Sample(source=source, start=start) for source, start in state["hard"]]

    def _class_prior(self) -> torch.Tensor:
        """Share of each class in the drawn windows' targets: float32 (K,), sums to 1."""
        targets = [self._plain.target(sample) for sample in self._sampler.epoch(0)]
        return torch.from_numpy(np.mean(targets, axis=0, dtype=np.float64)).float()

    def _spec(self, record: VideoRecord) -> ClipSpec:
        return self._config.clip_spec().for_fps(record.fps, reference_fps=self.fps)

    def _build(self, records: Sequence[VideoRecord], jitter: WindowJitter | None) -> ClipLibrary:
        return ClipLibrary(
            records,
            specs=[self._spec(record) for record in records],
            actions=self._actions,
            decoded=self._decoded,
            jitter=jitter,
            seed=self._config.seed,
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
            points=[a.name for a in self._actions.actions if a.kind is ActionKind.POINT],
            samples=samples,
            background_share=self._config.background_share,
            seed=self._config.seed,
        )
