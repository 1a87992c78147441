"""Validation within a run: by all its processes, with one verdict and one best checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.decoding import DecodingParams
from mouse_ar.data.training_data import TrainingData
from mouse_ar.mvd import MVD, save_checkpoint
from mouse_ar.training.clips import TrainingClips
from mouse_ar.training.config import TrainConfig
from mouse_ar.training.distributed import Team
from mouse_ar.training.validation import (
    Validation,
    judge_videos,
    merge_shares,
    score_videos,
    share_videos,
    validate_clips,
)
from mouse_ar.training.window_validation import judge_windows, score_windows, windows_to_watch

__all__ = ["Judge"]


class Judge:
    """Validates the weights and keeps the best.

    Args:
        data: with the val videos.
        clips: of the run.
        config: settings of the run.
        actions: classes, in model order.
        device: of this process.
        team: the processes of the run, which share the work.
        path: of the best checkpoint.
        emit: receives the events.
    """

    def __init__(
        self,
        data: TrainingData,
        *,
        clips: TrainingClips,
        config: TrainConfig,
        actions: ActionSet,
        device: torch.device,
        team: Team,
        path: Path,
        emit: Callable[[dict[str, Any]], None],
    ) -> None:
        self.path = path
        self.best_epoch, self.best_score, self.stale = -1, -1.0, 0
        self._data, self._clips, self._config, self._actions = data, clips, config, actions
        self._device, self._team, self._emit = device, team, emit
        self._windows = (
            windows_to_watch(
                data,
                config=config,
                actions=actions,
                training_fps=clips.fps,
                samples_per_epoch=clips.samples_per_epoch,
            )
            if config.val_windows_interval
            else None
        )

    def state(self) -> dict[str, Any]:
        """What a resumed run needs."""
        return {"epoch": self.best_epoch, "score": self.best_score, "stale": self.stale}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Inverse of :meth:`state`."""
        self.best_epoch, self.best_score = state["epoch"], state["score"]
        self.stale = state["stale"]

    def windows(self, model: MVD, *, epoch: int) -> None:
        """The cheap validation, on windows that are not trained on."""
        if self._windows is None:
            return
        scores = score_windows(
            model,
            self._windows,
            device=self._device,
            batch_size=self._config.batch_size,
            num_workers=self._config.num_workers,
            rank=self._team.rank,
            world_size=self._team.world_size,
        )
        metrics = judge_windows(self._team.gathered(scores), actions=self._actions)
        self._emit({"event": "validation_windows", "epoch": epoch, "metrics": metrics})

    def videos(self, model: MVD, *, epoch: int) -> None:
        """The validation that decides: the inference path on full-length val videos.

        Without val videos, the windows of held-out clips.
        """
        result = self._validate(model)
        if result is not None:
            self._emit(
                {"event": "validation", "epoch": epoch, "score": result.score}
                | {"metrics": result.metrics, "decoding": result.report}
            )
        score = self._team.from_leader(None if result is None else result.score)
        # A later epoch wins a tie: it has seen more.
        if score < self.best_score:
            self.stale += 1
            return
        self.stale = 0 if score > self.best_score else self.stale + 1
        self.best_score, self.best_epoch = score, epoch
        if result is not None:
            self._keep(model, result)

    def _validate(self, model: MVD) -> Validation | None:
        """The verdict, in the leading process."""
        config, team, records = self._config, self._team, self._data.val
        spec, fps = config.clip_spec(), self._clips.fps
        if records:
            shares = share_videos(records, parts=team.world_size)
            scores = score_videos(
                model,
                [records[index] for index in shares[team.rank]],
                spec=spec,
                training_fps=fps,
                actions=self._actions,
                device=self._device,
            )
            parts = team.gathered(scores)
            if not team.leads:
                return None
            return judge_videos(
                merge_shares(shares, parts),
                records,
                spec=spec,
                training_fps=fps,
                actions=self._actions,
            )
        if not team.leads:
            return None
        return validate_clips(
            model,
            dataset=self._clips.held_out,
            decoding=DecodingParams.defaults(self._actions, spec=spec, fps=fps),
            device=self._device,
            batch_size=config.batch_size,
            judged_on=self._clips.judged_on,
        )

    def _keep(self, model: MVD, result: Validation) -> None:
        save_checkpoint(
            self.path,
            model,
            spec=self._config.clip_spec(),
            actions=self._actions,
            decoding=result.decoding.to_dict(),
            training_fps=self._clips.fps,
            metadata={
                "epoch": self.best_epoch,
                "val_score": self.best_score,
                "decoding_report": result.report,
                "calibration": result.calibration.to_dict(),
                "train_config": self._config.to_dict(),
                "data_fingerprint": self._data.fingerprint,
            },
        )
