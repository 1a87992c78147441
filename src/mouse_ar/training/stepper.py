"""One optimiser step: model, loss, precision, gradient accumulation, averaged weights."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from mouse_ar.mvd import MVD
from mouse_ar.training.config import TrainConfig
from mouse_ar.training.distributed import Team
from mouse_ar.training.losses import TrainingLoss
from mouse_ar.training.optim import build_optimizer, learning_rate
from mouse_ar.training.precision import choose_precision

__all__ = ["Stepper"]

# Loss scaling halves the scale after a step that overflows. So low it has stopped helping.
_LEAST_SCALE = 1.0


class Stepper:
    """Changes the weights, one optimiser step at a time.

    Args:
        model: on ``device``.
        config: settings of the run.
        team: its processes; gradients are averaged over them.
        device: where the model is.
        prior_K: share of each class in the drawn windows.
        steps_per_epoch: optimiser steps.
    """

    def __init__(
        self,
        model: MVD,
        config: TrainConfig,
        *,
        team: Team,
        device: torch.device,
        prior_K: Tensor,
        steps_per_epoch: int,
    ) -> None:
        self.model = model
        self._config, self._team, self._steps_per_epoch = config, team, steps_per_epoch
        model.set_grad_checkpointing(config.grad_checkpointing)
        if config.compile:
            model.compile()
        self._wrapped: nn.Module = model
        if team.world_size > 1:
            ids = [device.index] if device.type == "cuda" else None
            self._wrapped = DistributedDataParallel(model, device_ids=ids, broadcast_buffers=False)
        self.optimizer = build_optimizer(model, config, world_size=team.world_size)
        self._loss = TrainingLoss(config, prior_K=prior_K).to(device)
        self.precision = choose_precision(config.amp, device)
        self._scaler = self.precision.scaler()
        self._ema = (
            AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(config.ema_decay))  # type: ignore[no-untyped-call]
            if config.ema_decay
            else None
        )

    @property
    def evaluated(self) -> MVD:
        """The weights that count, in eval mode: the averaged ones where they are kept."""
        model = self.model if self._ema is None else self._ema.module
        return cast(MVD, model).eval()

    def gradients(self, inputs: Tensor, target_NK: Tensor, *, last: bool) -> float:
        """Add the gradients of a micro-batch.

        Args:
            inputs: float32 (N, 3, T, H, W).
            target_NK: soft targets.
            last: whether the step follows; until then gradients stay in this process.

        Returns:
            The loss.
        """
        with self._unshared(last), self.precision.autocast():
            loss = self._loss(self._wrapped(inputs), target_NK)
        with self._unshared(last):
            self._scaler.scale(loss / self._config.update_freq).backward()
        return float(loss.detach())

    def _unshared(self, last: bool) -> AbstractContextManager[None]:
        if last or not isinstance(self._wrapped, DistributedDataParallel):
            return nullcontext()
        return self._wrapped.no_sync()

    def update(self, step: int) -> float:
        """Change the weights by the gradients of all processes.

        Args:
            step: number of the optimiser step in the run.

        Returns:
            Norm of the gradient before it was clipped. It is not finite where the weights were
            left as they were; with loss scaling that is part of the search for the scale and
            told as 0.
        """
        rate = learning_rate(
            step,
            config=self._config,
            steps_per_epoch=self._steps_per_epoch,
            world_size=self._team.world_size,
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["lr_scale"]
        self._scaler.unscale_(self.optimizer)
        norm = float(nn.utils.clip_grad_norm_(self.model.parameters(), self._config.clip_grad))
        finite = bool(torch.isfinite(torch.tensor(norm)))
        if finite or self._scaler.is_enabled():
            self._scaler.step(self.optimizer)
            self._scaler.update()
        if not finite and self._scaler.is_enabled() and self._scaler.get_scale() >= _LEAST_SCALE:
            norm = 0.0
        self.optimizer.zero_grad(set_to_none=True)
        if self._ema is not None and finite:
            self._ema.update_parameters(self.model)
        return norm

    @property
    def rate(self) -> float:
        """Learning rate of the last step, of the head."""
        group = self.optimizer.param_groups[0]
        return float(group["lr"] / group["lr_scale"])

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on, but random numbers."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
            "ema": None if self._ema is None else self._ema.state_dict(),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Inverse of :meth:`state`."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])
        if self._ema is not None:
            self._ema.load_state_dict(state["ema"])
