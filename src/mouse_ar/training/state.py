"""Where a training run stands on disk: enough to go on as if it had never stopped."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

__all__ = ["ResumeError", "load_state", "save_state"]


class ResumeError(RuntimeError):
    """A run directory that cannot be continued with these settings."""


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write atomically: a kill or a full disk while writing leaves the previous state intact.

    Raises:
        OSError: it cannot be written; says what to do.
    """
    temporary = path.with_suffix(".tmp")
    try:
        with temporary.open("wb") as file:
            torch.save(dict(state), file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as RuntimeError
        temporary.unlink(missing_ok=True)
        raise OSError(
            f"{path}: the state of the training cannot be written ({error}). Free space on that "
            "disk; the run continues from the state before."
        ) from error


def load_state(path: Path, *, fingerprint: str, processes: int = 1) -> dict[str, Any] | None:
    """Read the state of a run, or None when it has not started.

    Args:
        path: file written by :func:`save_state`.
        fingerprint: of the settings and data; a run continues only with the same.
        processes: of the run; a step is their batches taken together.

    Raises:
        ResumeError: the run was started with other settings, data or number of processes.
    """
    if not path.is_file():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    if state["fingerprint"] != fingerprint:
        raise ResumeError(
            f"{path.parent.parent} holds a run with other settings or other training data. "
            "Choose another output directory, or pass --restart to discard that run."
        )
    if len(state["rng"]) != processes:
        raise ResumeError(
            f"{path.parent.parent} holds a run of {len(state['rng'])} process(es), got "
            f"{processes}. Continue it on as many, or pass --restart to discard that run."
        )
    return state
