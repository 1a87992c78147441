"""The training loop: one process, one device; emits events and mirrors nothing."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.decoding import DecodingParams
from mouse_ar.data.pixels import normalise
from mouse_ar.data.training_data import TrainingData
from mouse_ar.mvd import MVD, PRESETS, load_pretrained, motion_init, save_checkpoint
from mouse_ar.training.clips import TrainingClips
from mouse_ar.training.config import TrainConfig
from mouse_ar.training.optim import build_optimizer, learning_rate
from mouse_ar.training.state import load_state, save_state
from mouse_ar.training.validation import Validation, validate_clips, validate_videos

__all__ = ["Emit", "TrainResult", "Trainer"]

# Below this a single GPU sees too few windows per step.
_SMALL_BATCH = 6

Emit = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class TrainResult:
    """What a run leaves behind.

    Args:
        checkpoint: of the best weights.
        best_epoch: epoch they are from.
        best_score: their validation score.
        stopped: whether the run was asked to stop before its last epoch; it can be continued.
    """

    checkpoint: Path
    best_epoch: int
    best_score: float
    stopped: bool = False


class Trainer:
    """Fine-tunes an MVD on a Training Data project.

    Every random choice follows from ``config.seed``; the state is saved after each epoch and a
    new Trainer on the same directory continues from there.

    Args:
        data: clips to train on and videos to validate on.
        config: settings.
        actions: classes, in model order.
        output: directory of the run; holds ``checkpoints/``.
        device: where to train.
        emit: receives one dict per event (``start``, ``step``, ``epoch``, ``validation``, …).
        should_stop: asked before every step; where it says so the weights are validated, so that
            there is a checkpoint, and the run ends. It is continued from its last full epoch.
    """

    def __init__(
        self,
        data: TrainingData,
        *,
        config: TrainConfig,
        actions: ActionSet,
        output: Path,
        device: torch.device,
        emit: Emit,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._config, self._actions, self._device, self._emit = config, actions, device, emit
        self._should_stop = should_stop
        self._folder = output / "checkpoints"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._data = data
        self._clips = TrainingClips(data, config=config, actions=actions)
        torch.manual_seed(config.seed)
        self._model = self._build_model()
        self._optimizer = build_optimizer(self._model, config)
        self._ema = (
            AveragedModel(self._model, multi_avg_fn=get_ema_multi_avg_fn(config.ema_decay))  # type: ignore[no-untyped-call]
            if config.ema_decay
            else None
        )
        self._steps_per_epoch = math.ceil(self._clips.samples_per_epoch / config.total_batch)
        self._epoch, self._best_epoch, self._best_score = 0, -1, -1.0
        self._started = time.monotonic()

    @property
    def _on_cuda(self) -> bool:
        return self._device.type == "cuda"

    @property
    def _state_path(self) -> Path:
        return self._folder / "last.pt"

    @property
    def best_path(self) -> Path:
        """Checkpoint of the best weights so far."""
        return self._folder / "best.safetensors"

    def run(self) -> TrainResult:
        """Train until the last epoch.

        Raises:
            ResumeError: the directory holds a run with other settings or data.
            FloatingPointError: the loss is not finite.
        """
        self._resume()
        self._emit(
            {"event": "start", "epoch": self._epoch, "epochs": self._config.epochs}
            | {"steps_per_epoch": self._steps_per_epoch, "clips": self._clips.counts}
        )
        for text in self._warnings():
            self._emit({"event": "warning", "text": text})
        first = self._epoch
        for epoch in range(first, self._config.epochs):
            if not self._train_epoch(epoch, first):
                return self._stopped(epoch)
            last = epoch + 1 == self._config.epochs
            if last or (epoch + 1) % self._config.val_interval == 0:
                self._validate(epoch)
            self._epoch = epoch + 1
            self._save()
        self._emit({"event": "end", "best_epoch": self._best_epoch, "score": self._best_score})
        return TrainResult(self.best_path, self._best_epoch, self._best_score)

    def _stopped(self, epoch: int) -> TrainResult:
        self._emit({"event": "stopping", "epoch": epoch})
        self._validate(epoch)
        self._emit({"event": "stopped", "best_epoch": self._best_epoch, "score": self._best_score})
        return TrainResult(self.best_path, self._best_epoch, self._best_score, stopped=True)

    def _warnings(self) -> list[str]:
        config, found = self._config, []
        if self._on_cuda and config.batch_size < _SMALL_BATCH and config.update_freq == 1:
            found.append(
                f"batch_size {config.batch_size} gives noisy gradients: accumulate them, for "
                f"example with update_freq={math.ceil(_SMALL_BATCH / config.batch_size)}."
            )
        if not config.pretrained and config.layer_decay < 1:
            found.append(
                f"layer_decay {config.layer_decay} is for pre-trained weights: from scratch the "
                "lower layers hardly learn. Set layer_decay=1.0, or give weights in pretrained."
            )
        return found

    def _build_model(self) -> MVD:
        config = self._config
        model = MVD(
            replace(
                PRESETS[config.model],
                image_size=config.input_size,
                num_frames=config.num_frames,
                num_classes=len(self._actions.classes),
                drop_path=config.drop_path,
            )
        )
        if config.motion_init and not config.pretrained:
            motion_init(model, seed=config.seed)
        if config.pretrained:
            report = load_pretrained(model, Path(config.pretrained))
            self._emit({"event": "weights", "report": report.summary()})
        return model.to(self._device)

    def _train_epoch(self, epoch: int, first: int) -> bool:
        """Whether it was trained to its end."""
        config = self._config
        self._model.train()
        loader = DataLoader(
            self._clips.epoch(epoch),
            batch_size=config.batch_size,
            num_workers=config.num_workers,
            pin_memory=self._on_cuda,
        )
        step = epoch * self._steps_per_epoch
        losses: list[float] = []
        waited, mark = 0.0, time.monotonic()
        for number, batch in enumerate(loader):
            if self._should_stop():
                return False
            waited += time.monotonic() - mark
            update = (number + 1) % config.update_freq == 0 or number + 1 == len(loader)
            losses.append(self._step(batch, step, update=update))
            step += update
            if update and (step % 10 == 0 or number + 1 == len(loader)):
                self._emit_step(epoch, first, step, losses[-10:])
            mark = time.monotonic()
        self._emit(
            {"event": "epoch", "epoch": epoch, "loss": sum(losses) / len(losses)}
            | {"data_wait_seconds": round(waited, 3)}
        )
        return True

    def _step(self, batch: dict[str, torch.Tensor], step: int, *, update: bool) -> float:
        rate = learning_rate(step, config=self._config, steps_per_epoch=self._steps_per_epoch)
        for group in self._optimizer.param_groups:
            group["lr"] = rate * group["lr_scale"]
        frames = batch["frames"].to(self._device, non_blocking=True)
        target_NK = batch["target"].to(self._device, non_blocking=True)
        with torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=self._on_cuda):
            logits_NK = self._model(normalise(frames))
        loss = cross_entropy(logits_NK.float(), target_NK)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise FloatingPointError(
                f"The loss is {value} at step {step}. Lower lr, or check the weights in "
                f"'pretrained'; the last good state is {self._state_path}."
            )
        (loss / self._config.update_freq).backward()  # type: ignore[no-untyped-call]
        if update:
            nn.utils.clip_grad_norm_(self._model.parameters(), self._config.clip_grad)
            self._optimizer.step()
            self._optimizer.zero_grad(set_to_none=True)
            if self._ema is not None:
                self._ema.update_parameters(self._model)
        return value

    def _emit_step(self, epoch: int, first: int, step: int, losses: list[float]) -> None:
        done = step - first * self._steps_per_epoch
        total = (self._config.epochs - first) * self._steps_per_epoch
        elapsed = time.monotonic() - self._started
        self._emit(
            {"event": "step", "epoch": epoch, "step": step, "loss": sum(losses) / len(losses)}
            | {
                "lr": self._optimizer.param_groups[0]["lr"]
                / self._optimizer.param_groups[0]["lr_scale"]
            }
            | {"windows_per_second": round(done * self._config.total_batch / elapsed, 1)}
            | {"eta_seconds": round(elapsed / done * (total - done), 1)}
        )

    def _evaluated(self) -> MVD:
        """The weights that count: the averaged ones once they have settled."""
        model = self._model if self._ema is None else self._ema.module
        assert isinstance(model, MVD)
        return model.eval()

    def _validate(self, epoch: int) -> None:
        model = self._evaluated()
        if self._data.val:
            result = validate_videos(
                model,
                records=self._data.val,
                spec=self._config.clip_spec(),
                training_fps=self._clips.fps,
                actions=self._actions,
                device=self._device,
            )
        else:
            result = validate_clips(
                model,
                dataset=self._clips.held_out,
                decoding=DecodingParams.defaults(
                    self._actions, spec=self._config.clip_spec(), fps=self._clips.fps
                ),
                device=self._device,
                batch_size=self._config.batch_size,
                judged_on=self._clips.judged_on,
            )
        self._emit(
            {"event": "validation", "epoch": epoch, "score": result.score}
            | {"metrics": result.metrics, "decoding": result.report}
        )
        # A later epoch wins a tie: it has seen more.
        if result.score >= self._best_score:
            self._best_score, self._best_epoch = result.score, epoch
            self._save_best(model, result)

    def _save_best(self, model: MVD, result: Validation) -> None:
        save_checkpoint(
            self.best_path,
            model,
            spec=self._config.clip_spec(),
            actions=self._actions,
            decoding=result.decoding.to_dict(),
            training_fps=self._clips.fps,
            metadata={
                "epoch": self._best_epoch,
                "val_score": self._best_score,
                "decoding_report": result.report,
                "train_config": self._config.to_dict(),
                "data_fingerprint": self._data.fingerprint,
            },
        )

    def _save(self) -> None:
        save_state(
            self._state_path,
            {
                "fingerprint": self._clips.fingerprint,
                "epoch": self._epoch,
                "best_epoch": self._best_epoch,
                "best_score": self._best_score,
                "model": self._model.state_dict(),
                "optimizer": self._optimizer.state_dict(),
                "ema": None if self._ema is None else self._ema.state_dict(),
                "rng": torch.get_rng_state(),
                # drop_path draws on the device
                "cuda_rng": torch.cuda.get_rng_state_all() if self._on_cuda else [],
            },
        )

    def _resume(self) -> None:
        state = load_state(self._state_path, fingerprint=self._clips.fingerprint)
        if state is None:
            return
        self._epoch = state["epoch"]
        self._best_epoch, self._best_score = state["best_epoch"], state["best_score"]
        self._model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        if self._ema is not None:
            self._ema.load_state_dict(state["ema"])
        torch.set_rng_state(state["rng"])
        if self._on_cuda and state.get("cuda_rng"):
            torch.cuda.set_rng_state_all(state["cuda_rng"])
        self._emit({"event": "resume", "epoch": self._epoch})
