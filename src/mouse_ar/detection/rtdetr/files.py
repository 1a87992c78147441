"""Reads files of RT-DETRv2 weights; nothing in them is executed."""

from __future__ import annotations

import json
import pickle
import re
import zipfile
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor

from mouse_ar.detection.rtdetr.errors import CheckpointError

__all__ = ["CONTENT_KEY", "KIND", "Content", "find_checkpoint", "read_file"]

SUFFIXES = (".pth", ".pt", ".safetensors")
# What a file of ours says about itself: one entry of the safetensors metadata, a JSON object.
CONTENT_KEY = "mouse_ar"
KIND = "rtdetrv2"
# Prefixes that training wrappers put before every key.
WRAPPERS = ("module.", "_orig_mod.")


@dataclass(frozen=True)
class Content:
    """A file of weights.

    Args:
        weights: tensors by name.
        beside: what else it holds, such as the Supervisely app's notes on classes.
        own: what a file of ours says about itself; None for others.
    """

    weights: Mapping[str, Tensor]
    beside: Mapping[str, Any] = field(default_factory=dict)
    own: Mapping[str, Any] | None = None


def find_checkpoint(path: Path) -> Path:
    """The checkpoint that a path means: the file itself, or the only one in a folder.

    Raises:
        CheckpointError: there is none, or more than one.
    """
    if path.is_file():
        return path
    if not path.is_dir():
        raise CheckpointError(
            f"{path}: no such file. Give the path of an RT-DETRv2 checkpoint "
            f"({', '.join(SUFFIXES)})."
        )
    folders = (path, path / "checkpoints")
    found = sorted(
        file
        for folder in folders
        if folder.is_dir()
        for file in folder.iterdir()
        if file.suffix in SUFFIXES and not file.name.startswith(".")
    )
    if len(found) != 1:
        names = [str(file.relative_to(path)) for file in found]
        raise CheckpointError(
            f"{path}: holds {len(found)} checkpoints {names}, expected one "
            f"({', '.join(SUFFIXES)}). Give the path of the file that is meant."
        )
    return found[0]


def read_file(path: Path) -> Content:
    """The weights of a ``torch.save`` or safetensors file, and what is said beside them.

    Raises:
        CheckpointError: the file is damaged, holds code or holds no weights.
    """
    if path.stat().st_size == 0:
        raise CheckpointError(f"{path}: is empty. Copy or download the checkpoint again.")
    with path.open("rb") as file:
        # safetensors: eight bytes of header length, then the header, a JSON object.
        is_safetensors = file.read(9)[8:] == b"{"
    try:
        return _read_safetensors(path) if is_safetensors else _read_pickle(path)
    except CheckpointError:
        raise
    except Exception as error:  # a damaged pickle can end in any exception
        raise CheckpointError(
            f"{path}: cannot be read ({type(error).__name__}: {error}). The file is truncated, "
            "damaged or no checkpoint; copy or download it again."
        ) from error


def _read_safetensors(path: Path) -> Content:
    with safe_open(path, framework="pt") as file:
        header = file.metadata() or {}
        weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    own = json.loads(header[CONTENT_KEY]) if CONTENT_KEY in header else None
    if own is not None and (not isinstance(own, dict) or own.get("kind") != KIND):
        raise CheckpointError(
            f"{path}: is no RT-DETRv2 but another model of mouse-ar. Give the path of a detector."
        )
    return Content(weights=_unwrapped(weights), own=own)


def _read_pickle(path: Path) -> Content:
    payload = _unpickle(path)
    if isinstance(payload, Mapping):
        # The averaged weights are those that are evaluated and served; "model" may be stripped.
        averaged = payload.get("ema")
        candidates = [
            averaged.get("module") if isinstance(averaged, Mapping) else None,
            payload.get("model"),
            payload,
        ]
        found = next((weights for weights in candidates if _is_weights(weights)), None)
        if found is not None:
            beside = {k: v for k, v in payload.items() if isinstance(v, Mapping)}
            return Content(weights=_unwrapped(found), beside={} if found is payload else beside)
    content = sorted(map(str, payload)) if isinstance(payload, Mapping) else type(payload).__name__
    raise CheckpointError(
        f"{path}: holds no weights. Got {content}, expected tensors by name under 'ema'/'module' "
        "or 'model'. Is this the checkpoint, not a log or an optimiser?"
    )


def _is_weights(candidate: Any) -> bool:
    return (
        isinstance(candidate, Mapping)
        and bool(candidate)
        and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in candidate.items())
    )


def _unwrapped(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights without the prefixes of training wrappers."""
    names = dict.fromkeys(weights)
    while names and all(name.startswith(WRAPPERS) for name in names):
        weights = {name.partition(".")[2]: tensor for name, tensor in weights.items()}
        names = dict.fromkeys(weights)
    for name, tensor in weights.items():
        counts = name.endswith("num_batches_tracked")
        if (
            tensor.layout != torch.strided
            or tensor.is_meta
            or not (tensor.is_floating_point() or counts)
        ):
            raise CheckpointError(
                f"{name!r} is a tensor of {tensor.dtype}, {tensor.layout} on {tensor.device}; "
                "expected floating-point weights. Use the checkpoint of the training, not a "
                "quantised or otherwise converted one."
            )
    return dict(weights)


def _unpickle(path: Path) -> Any:
    """Load a ``torch.save`` file with tensors and plain values, executing nothing."""
    is_zip = zipfile.is_zipfile(path)
    with _plain_numbers():
        if is_zip:
            unsafe = torch.serialization.get_unsafe_globals_in_checkpoint(path)
            if unsafe:
                raise _unsafe(path, what=", ".join(sorted(unsafe)))
        try:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
        except pickle.UnpicklingError as error:  # torch's text advises to load it unsafely
            named = re.search(r"GLOBAL (\S+)", str(error))
            if named is None:
                raise CheckpointError(
                    f"{path}: is truncated, damaged or no checkpoint, or could not be loaded "
                    "without running code in it, which is never done. Copy or download it again."
                ) from error
            raise _unsafe(path, what=named[1]) from error


def _unsafe(path: Path, *, what: str) -> CheckpointError:
    return CheckpointError(
        f"{path}: contains more than tensors and plain values ({what}); loading that could run "
        "code, so nothing was loaded. If you trust its source, save its weights alone where it "
        "was made: torch.save({'model': model.state_dict()}, path)."
    )


def _plain_numbers() -> AbstractContextManager[None]:
    """Allow numpy's scalars, which training notes as scores; they cannot run anything.

    numpy 1 and 2 name the scalar's constructor differently.
    """
    scalar = np.float64(0).__reduce__()[0]
    allowed: list[Any] = [
        (scalar, "numpy.core.multiarray.scalar"),
        (scalar, "numpy._core.multiarray.scalar"),
        np.dtype,
        *(type(np.dtype(code)) for code in "?bBhHiIlLqQefd"),
    ]
    return torch.serialization.safe_globals(allowed)
