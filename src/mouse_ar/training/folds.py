"""Cross-validation by source video: how much a result depends on which videos were labelled.

A fold is an ordinary run on an ordinary Training Data project (hard links to the clips of the
other folds' sources), so whatever trains one model trains a fold. What is held out are *clips*:
Training Data has whole videos for val and test only. Val videos do in every fold what they do in
any run, choose the checkpoint and fit the decoding; without any, a fold holds out clips of further
sources for it, as any run does. So nothing that a fold is judged by has had a say in it. Test
videos are not touched: they are for the final model.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import torch
from filelock import FileLock, Timeout

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.manifest import fingerprint
from mouse_ar.data.files import read_json, write_json, write_text
from mouse_ar.data.subset import write_subset
from mouse_ar.data.training_data import TrainingData, open_training_data
from mouse_ar.pipelines.evaluate import EvaluatedVideos, evaluate_videos
from mouse_ar.pipelines.predictor import load_predictor
from mouse_ar.pipelines.results import save_scores, scores_path
from mouse_ar.pipelines.store import BusyError
from mouse_ar.training.clips import LOADING
from mouse_ar.training.config import TrainConfig
from mouse_ar.training.fold_results import fold_metrics, folds_document
from mouse_ar.training.fold_split import assign_folds
from mouse_ar.training.out_of_fold import fit_out_of_fold, out_of_fold_scores
from mouse_ar.training.preflight import CHECKED, check_training_data
from mouse_ar.training.state import ResumeError

__all__ = ["CrossValidation", "TrainFold", "Trained", "cross_validate"]

_PLAN, _RESULT, _DOCUMENT = "plan.json", "result.json", "folds.json"
_DECODING = "out_of_fold.yaml"

Progress = Callable[[str, int, int], None]
Watch = Callable[[], AbstractContextManager[Progress | None]]


class Trained(Protocol):
    """What a finished run tells of itself, as :class:`~mouse_ar.training.loop.TrainResult`."""

    @property
    def checkpoint(self) -> Path:
        """Of the best weights."""

    @property
    def best_epoch(self) -> int:
        """Epoch they are from."""

    @property
    def best_score(self) -> float:
        """Their validation score."""

    @property
    def stopped(self) -> bool:
        """Whether the run was stopped before its end."""


TrainFold = Callable[[Path, Path], Trained]
"""Trains on the project at the first path into the folder at the second, or goes on there."""


@dataclass(frozen=True)
class CrossValidation:
    """What came of it.

    Args:
        document: content of ``folds.json``; while folds are missing, of those that are finished.
        stopped: whether a fold was stopped; the same call goes on with it.
    """

    document: dict[str, Any]
    stopped: bool


def cross_validate(
    data: Path,
    output: Path,
    *,
    folds: int,
    config: TrainConfig,
    actions: ActionSet,
    device: torch.device,
    train: TrainFold,
    restart: bool = False,
    tell: Callable[[str], None] = lambda text: None,
    watch: Watch = lambda: nullcontext(None),
) -> CrossValidation:
    """Train and judge every fold, or go on with what is there.

    Writes ``fold_1`` … (each a run with its ``result.json``), ``scores/*.npz`` (every clip's
    per-frame scores by the model that has not seen its source) and ``folds.json``; after the last
    fold ``out_of_fold.yaml``, the decoding fitted to those scores. A finished fold is not trained
    again; an interrupted one continues.

    Args:
        data: Training Data project.
        output: folder of it all.
        folds: how many; see :func:`~mouse_ar.training.fold_split.assign_folds`.
        config: settings of every fold.
        actions: classes.
        device: where the held-out clips are scored.
        train: trains one fold.
        restart: discard an earlier cross-validation in ``output``.
        tell: receives a line whenever a fold begins or is known already.
        watch: opened while clips are checked or scored; gives what is called with (what, done,
            total). ``train`` shows progress of its own between.

    Raises:
        FileNotFoundError: no project at ``data``.
        ValueError: the data cannot be trained on, or not be divided so.
        ResumeError: ``output`` holds a cross-validation with other settings or data.
        BusyError: another one is writing to ``output``.
    """
    loaded = open_training_data(data, actions=actions)
    held = assign_folds(loaded.clips, actions=actions, folds=folds, seed=config.seed)
    output.mkdir(parents=True, exist_ok=True)
    with _claimed(output):
        if restart:
            _discard(output)
        _keep_plan(output, held, loaded, config=config, actions=actions)
        with watch() as progress:
            _check(output, held, loaded, config=config, actions=actions, progress=progress)
        document = partial(folds_document, folds=folds, actions=actions, with_val=bool(loaded.val))
        run = _Run(data, output, loaded, actions=actions, device=device, train=train)
        results: list[dict[str, Any]] = []
        for number, sources in enumerate(held, start=1):
            result = run.finished(number)
            tell(f"fold {number} of {folds}: {'finished before' if result else 'training'}")
            result = result or run.fold(number, sources, watch=watch)
            if result is None:
                break
            results.append(result)
            write_json(output / _DOCUMENT, document(results), indent=1)
        if len(results) < folds:
            return CrossValidation(document(results), stopped=True)
        tell("fitting the decoding to the held-out clips of all folds")
        fitted = fit_out_of_fold(
            loaded, out_of_fold_scores(output), spec=config.clip_spec(), actions=actions
        )
        write_text(output / _DECODING, fitted.overrides())
        whole = document(results, out_of_fold=fitted.to_dict())
        write_json(output / _DOCUMENT, whole, indent=1)
        return CrossValidation(whole, stopped=False)


@contextmanager
def _claimed(output: Path) -> Iterator[None]:
    """Keep every other training out of a folder."""
    lock = FileLock(output / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise BusyError(
            f"Another training is writing to {output}. Wait for it, or choose another folder; "
            "nothing was changed."
        ) from error
    try:
        yield
    finally:
        lock.release()


class _Run:
    """The folds of one cross-validation on disk."""

    def __init__(
        self,
        data: Path,
        output: Path,
        loaded: TrainingData,
        *,
        actions: ActionSet,
        device: torch.device,
        train: TrainFold,
    ) -> None:
        self._data, self._output, self._loaded = data, output, loaded
        self._actions, self._device, self._train = actions, device, train

    def finished(self, number: int) -> dict[str, Any] | None:
        """The result of a fold, once there is one."""
        path = self._folder(number) / _RESULT
        return read_json(path) if path.is_file() else None

    def fold(self, number: int, sources: Sequence[str], *, watch: Watch) -> dict[str, Any] | None:
        """Train and judge one fold; None where its training was stopped."""
        folder = self._folder(number)
        clips = [record for record in self._loaded.clips if record.source in sources]
        kept = {record.key for record in (*self._loaded.clips, *self._loaded.val)}
        kept -= {record.key for record in clips}
        write_subset(self._data, folder / "data", keys=kept, actions=self._actions)
        shutil.copyfile(self._output / CHECKED, folder / CHECKED)
        trained = self._train(folder / "data", folder)
        if trained.stopped:
            return None
        predictor = load_predictor(trained.checkpoint, device=self._device)
        with watch() as progress:
            judged = evaluate_videos(clips, predictor=predictor, details=False, progress=progress)
        self._save_scores(judged, number, checkpoint=predictor.sha256)
        result = {
            "fold": number,
            "sources": list(sources),
            "clips": len(clips),
            "clips_trained_on": len(self._loaded.clips) - len(clips),
            "best_epoch": trained.best_epoch,
            "checkpoint_sha256": predictor.sha256,
            "metrics": fold_metrics(judged.evaluation, val_score=trained.best_score),
            "pooled": judged.evaluation.to_dict()["pooled"],
            "failures": judged.failures,
        }
        write_json(folder / _RESULT, result, indent=1)
        shutil.rmtree(folder / "data")
        return result

    def _folder(self, number: int) -> Path:
        return self._output / f"fold_{number}"

    def _save_scores(self, judged: EvaluatedVideos, number: int, *, checkpoint: str) -> None:
        for key, scores in judged.scores.items():
            save_scores(
                scores_path(self._output, key),
                scores,
                timestamps_seconds=judged.timestamps_seconds[key],
                header={"video": key, "fold": number, "checkpoint_sha256": checkpoint},
            )


def _keep_plan(
    output: Path,
    held: Sequence[Sequence[str]],
    data: TrainingData,
    *,
    config: TrainConfig,
    actions: ActionSet,
) -> None:
    """Write down what is done here, or see that an earlier run did the same."""
    decisive = {k: v for k, v in config.to_dict().items() if k not in LOADING}
    folds = [list(sources) for sources in held]
    mark = fingerprint([decisive, actions.to_dict(), data.fingerprint, folds])
    path = output / _PLAN
    if path.is_file() and read_json(path).get("fingerprint") != mark:
        raise ResumeError(
            f"{output} holds a cross-validation with other settings or other training data. "
            "Choose another output directory, or pass --restart to discard it."
        )
    write_json(path, {"fingerprint": mark, "config": decisive, "folds": folds}, indent=1)


def _check(
    output: Path,
    held: Sequence[Sequence[str]],
    data: TrainingData,
    *,
    config: TrainConfig,
    actions: ActionSet,
    progress: Progress | None,
) -> None:
    """Refuse before the first fold what would end a later one."""
    for sources in ((), *held):
        check_training_data(
            replace(data, clips=tuple(c for c in data.clips if c.source not in sources)),
            config=config,
            actions=actions,
            checked=output / CHECKED,
            progress=partial(progress, "checking the clips") if progress else None,
        ).check(actions=actions)


def _discard(output: Path) -> None:
    for folder in (*output.glob("fold_*"), output / "scores"):
        shutil.rmtree(folder, ignore_errors=True)
    for name in (_PLAN, _DOCUMENT, _DECODING):
        (output / name).unlink(missing_ok=True)
