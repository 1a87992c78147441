"""The training loop of one process of a run; it emits events and mirrors nothing."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mouse_ar.core.actions import ActionSet
from mouse_ar.data.training_data import TrainingData
from mouse_ar.training.building import build_model, start_warnings
from mouse_ar.training.clips import TrainingClips
from mouse_ar.training.config import TrainConfig
from mouse_ar.training.distributed import Team
from mouse_ar.training.judging import Judge
from mouse_ar.training.loading import training_batches
from mouse_ar.training.memory import out_of_memory_advice
from mouse_ar.training.mining import mine
from mouse_ar.training.pace import Pace
from mouse_ar.training.state import load_state, save_state
from mouse_ar.training.stepper import Stepper

__all__ = ["Emit", "TrainResult", "Trainer"]

_STEPS_BETWEEN_EVENTS = 10

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

    Every random choice follows from ``config.seed`` and from where the run is, so a run that was
    interrupted anywhere ends with the same weights as one that was not.

    Args:
        data: clips to train on and videos to validate on.
        config: settings.
        actions: classes, in model order.
        output: directory of the run; holds ``checkpoints/``.
        device: where this process trains.
        emit: receives one dict per event (``start``, ``step``, ``epoch``, ``validation``, …) in
            the leading process.
        should_stop: asked before every step, in the leading process; the state is saved, weights
            are validated where none have been, so that there is a checkpoint, and the run ends.
        team: the processes of the run.
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
        team: Team | None = None,
    ) -> None:
        self._team = team = team or Team()
        self._config, self._actions, self._device = config, actions, device
        self._emit: Emit = emit if team.leads else _nothing
        self._should_stop = should_stop
        folder = output / "checkpoints"
        folder.mkdir(parents=True, exist_ok=True)
        self._state_path = folder / "last.pt"
        step_windows = config.total_batch * team.world_size
        self._clips = TrainingClips(data, config=config, actions=actions, step_windows=step_windows)
        self._steps_per_epoch = self._clips.samples_per_epoch // step_windows
        self._augment = self._clips.augmentation(device)
        torch.manual_seed(config.seed)
        self._stepper = Stepper(
            build_model(config, num_classes=len(actions.classes), emit=self._emit).to(device),
            config,
            team=team,
            device=device,
            prior_K=self._clips.class_prior,
            steps_per_epoch=self._steps_per_epoch,
        )
        # Each process drops other paths.
        torch.manual_seed(config.seed + team.rank)
        self._judge = Judge(
            data,
            clips=self._clips,
            config=config,
            actions=actions,
            device=device,
            team=team,
            path=folder / "best.safetensors",
            emit=self._emit,
        )
        self._epoch = self._step_in_epoch = 0
        self._saved = time.monotonic()

    @property
    def best_path(self) -> Path:
        """Checkpoint of the best weights so far."""
        return self._judge.path

    def run(self) -> TrainResult:
        """Train until the last epoch.

        Raises:
            ResumeError: the directory holds a run with other settings or data.
            FloatingPointError: loss or gradient is not finite; names the clips.
            RuntimeError: the GPU's memory is full; names settings to lower.
        """
        self._resume()
        config = self._config
        self._emit(
            {"event": "start", "epoch": self._epoch, "epochs": config.epochs}
            | {"steps_per_epoch": self._steps_per_epoch, "clips": self._clips.counts}
            | {"processes": self._team.world_size, "device": str(self._device)}
        )
        for text in start_warnings(config, device=self._device, processes=self._team.world_size):
            self._emit({"event": "warning", "text": text})
        self._pace = Pace(
            steps=(config.epochs - self._epoch) * self._steps_per_epoch - self._step_in_epoch,
            windows_per_step=config.total_batch * self._team.world_size,
            device=self._device,
        )
        while self._epoch < config.epochs and not self._given_up():
            if not self._train_epoch():
                return self._stopped()
            self._epoch, self._step_in_epoch = self._epoch + 1, 0
            self._after_epoch(self._epoch - 1)
            self._save()
        judge = self._judge
        self._emit({"event": "end", "best_epoch": judge.best_epoch, "score": judge.best_score})
        return TrainResult(judge.path, judge.best_epoch, judge.best_score)

    def _given_up(self) -> bool:
        """Whether so many validations brought nothing that the run is over."""
        if not self._config.early_stop or self._judge.stale < self._config.early_stop:
            return False
        stale = self._judge.stale
        self._emit({"event": "early_stop", "epoch": self._epoch - 1, "validations": stale})
        return True

    def _after_epoch(self, epoch: int) -> None:
        """Validate and mine where it is time."""
        config = self._config
        last = epoch + 1 == config.epochs
        if config.val_windows_interval and (epoch + 1) % config.val_windows_interval == 0:
            self._judge.windows(self._stepper.evaluated, epoch=epoch)
        if last or (epoch + 1) % config.val_interval == 0:
            self._judge.videos(self._stepper.evaluated, epoch=epoch)
            if not last:
                self._mine(epoch)

    def _mine(self, epoch: int) -> None:
        with self._stepper.precision.autocast():
            mined = mine(
                self._stepper.evaluated,
                self._clips,
                epoch=epoch,
                config=self._config,
                device=self._device,
                team=self._team,
            )
        if mined is not None:
            self._emit({"event": "mined", "epoch": epoch} | vars(mined))

    def _stopped(self) -> TrainResult:
        self._emit({"event": "stopping", "epoch": self._epoch})
        self._save()
        judge = self._judge
        if judge.best_epoch < 0:
            # The state does not know of it: the continued run judges as if it had not stopped.
            judge.videos(self._stepper.evaluated, epoch=self._epoch)
        self._emit({"event": "stopped", "best_epoch": judge.best_epoch, "score": judge.best_score})
        return TrainResult(judge.path, judge.best_epoch, judge.best_score, stopped=True)

    def _train_epoch(self) -> bool:
        """Train to the end of the epoch; False where the run is to stop before it."""
        config, team, epoch = self._config, self._team, self._epoch
        self._stepper.model.train()
        batches = training_batches(
            self._clips,
            epoch=epoch,
            config=config,
            rank=team.rank,
            world_size=team.world_size,
            skip=self._step_in_epoch * config.update_freq,
            pin_memory=self._device.type == "cuda",
        )
        losses: list[float] = []
        while self._step_in_epoch < self._steps_per_epoch:
            stop, save = team.highest(*self._wishes())
            if stop:
                return False
            if save:
                self._save()
            with self._pace.waiting():
                ready = [next(batches) for _ in range(config.update_freq)]
            try:
                loss, norm = self._step(ready)
            except torch.OutOfMemoryError as error:
                raise RuntimeError(out_of_memory_advice(config, error)) from error
            losses.append(loss)
            self._step_in_epoch += 1
            self._pace.stepped()
            self._emit_step(losses, norm)
        self._emit({"event": "epoch", "epoch": epoch, "loss": sum(losses) / max(1, len(losses))})
        return True

    def _wishes(self) -> tuple[float, float]:
        """What the leading process wants to be done before a step: stop, save."""
        if not self._team.leads:
            return 0.0, 0.0
        minutes = (time.monotonic() - self._saved) / 60
        due = bool(self._config.save_minutes) and minutes >= self._config.save_minutes
        return float(self._should_stop()), float(due)

    def _step(self, batches: list[dict[str, Any]]) -> tuple[float, float]:
        """One optimiser step; its mean loss over all processes' windows here, gradient norm."""
        losses = []
        for number, batch in enumerate(batches):
            inputs, target_NK = self._augment(batch, epoch=self._epoch)
            last = number + 1 == len(batches)
            losses.append(self._stepper.gradients(inputs, target_NK, last=last))
        norm = self._stepper.update(self._epoch * self._steps_per_epoch + self._step_in_epoch)
        # Gradients are shared, so all processes see that they are not finite.
        if not math.isfinite(norm) or self._team.highest(
            float(not all(map(math.isfinite, losses)))
        ) != [0.0]:
            self._not_finite(batches, losses, norm)
        return sum(losses) / len(losses), norm

    def _not_finite(self, batches: list[dict[str, Any]], losses: list[float], norm: float) -> None:
        step = self._epoch * self._steps_per_epoch + self._step_in_epoch
        found = [batch for batch, loss in zip(batches, losses) if not math.isfinite(loss)]
        names = {name for batch in found or batches for name in self._clips.names(batch["sample"])}
        told = [loss for loss in losses if not math.isfinite(loss)], sorted(names)
        everyone = self._team.gathered(told)
        guilty, clips = next((one for one in everyone if one[0]), told)
        what = f"loss is {guilty[0]}" if guilty else f"gradient norm is {norm}"
        raise FloatingPointError(
            f"The {what} at step {step}. Lower lr, look at the clips of that step "
            f"({', '.join(clips)}), or check the weights in 'pretrained'; the last good state is "
            f"{self._state_path}."
        )

    def _emit_step(self, losses: list[float], norm: float) -> None:
        done = self._step_in_epoch
        if done % _STEPS_BETWEEN_EVENTS and done != self._steps_per_epoch:
            return
        recent = losses[-_STEPS_BETWEEN_EVENTS:]
        self._emit(
            {"event": "step", "epoch": self._epoch}
            | {"step": self._epoch * self._steps_per_epoch + done}
            | {"loss": sum(recent) / len(recent), "lr": self._stepper.rate}
            | {"grad_norm": round(norm, 4)}
            | self._pace.figures()
        )

    def _save(self) -> None:
        rng = {
            "cpu": torch.get_rng_state(),
            # drop_path draws on the device
            "cuda": torch.cuda.get_rng_state(self._device) if self._device.type == "cuda" else None,
        }
        every_rng = self._team.gathered(rng)
        if self._team.leads:
            save_state(
                self._state_path,
                {
                    "fingerprint": self._clips.fingerprint,
                    "epoch": self._epoch,
                    "step_in_epoch": self._step_in_epoch,
                    "rng": every_rng,
                    "judge": self._judge.state(),
                    "clips": self._clips.state(),
                    **self._stepper.state(),
                },
            )
        self._saved = time.monotonic()

    def _resume(self) -> None:
        state = load_state(
            self._state_path,
            fingerprint=self._clips.fingerprint,
            processes=self._team.world_size,
        )
        if state is None:
            return
        self._epoch, self._step_in_epoch = state["epoch"], state["step_in_epoch"]
        self._judge.load_state(state["judge"])
        self._clips.load_state(state["clips"])
        self._stepper.load_state(state)
        rng: Mapping[str, Any] = state["rng"][self._team.rank]
        torch.set_rng_state(rng["cpu"])
        if rng["cuda"] is not None and self._device.type == "cuda":
            torch.cuda.set_rng_state(rng["cuda"], self._device)
        self._emit(
            {"event": "resume", "epoch": self._epoch}
            | {"step": self._epoch * self._steps_per_epoch + self._step_in_epoch}
        )


def _nothing(event: dict[str, Any]) -> None:
    pass
