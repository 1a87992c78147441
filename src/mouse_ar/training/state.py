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
    """Write atomically: a kill while writing leaves the previous state intact."""
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        torch.save(dict(state), file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def load_state(path: Path, *, fingerprint: str) -> dict[str, Any] | None:
    """Read the state of a run, or None when it has not started.

    Args:
        path: file written by :func:`save_state`.
        fingerprint: of the settings and data; a run continues only with the same.

    Raises:
        ResumeError: the run was started with other settings or data.
    """
    if not path.is_file():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    if state["fingerprint"] != fingerprint:
        raise ResumeError(
            f"{path.parent.parent} holds a run with other settings or other training data. "
            "Choose another output directory, or pass --restart to discard that run."
        )
    return state
