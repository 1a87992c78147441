"""Reading public MVD checkpoints into a model, every key accounted for.

They come as pre-trained ``{"model": {"encoder.<key>": …, "decoder…": …}}``, fine-tuned
``{"model": {"<key>": …}}``, DeepSpeed ``{"module": {"<key>": …}}``, and with ``backbone.``
prefixes. Nothing in the file is executed.
"""

from __future__ import annotations

import argparse
import pickle
import re
import zipfile
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from mouse_ar.mvd.config import MVDConfig
from mouse_ar.mvd.errors import CheckpointError
from mouse_ar.mvd.model import MVD

__all__ = ["LoadReport", "check_pretrained", "load_pretrained"]

CONTAINERS = ("model", "module", "state_dict")
# Prefixes that training wrappers put before every key.
WRAPPERS = ("module.", "_orig_mod.", "backbone.")
ENCODER = "encoder."
HEAD = ("head.weight", "head.bias")
# What a pre-trained encoder lacks; everything else must be in the file.
OPTIONAL = (*HEAD, "fc_norm.weight", "fc_norm.bias")


@dataclass(frozen=True)
class LoadReport:
    """What became of every key of a file and of the model.

    Every key of the file is in exactly one of ``used``, ``reset`` and ``unused``; every key of
    the model is in exactly one of the values of ``used``, the values of ``reset``, and
    ``missing``.

    Args:
        path: the file.
        used: file key -> model key that now holds its values.
        reset: file key -> model key that keeps its fresh values, because the file's head has
            another number of classes.
        missing: model keys that the file does not have; they keep their fresh values.
        unused: file key -> why it was left out.
    """

    path: Path
    used: Mapping[str, str]
    reset: Mapping[str, str]
    missing: tuple[str, ...]
    unused: Mapping[str, str]

    def summary(self) -> str:
        """One line for people."""
        parts = [f"{self.path.name}: {len(self.used)} tensors loaded"]
        if self.reset:
            parts.append(f"{', '.join(self.reset.values())} start fresh (other classes)")
        if self.missing:
            parts.append(f"{', '.join(self.missing)} start fresh (not in the file)")
        if self.unused:
            reasons = sorted(set(self.unused.values()))
            parts.append(f"{len(self.unused)} left out ({'; '.join(reasons)})")
        return "; ".join(parts)


def load_pretrained(model: MVD, path: Path) -> LoadReport:
    """Load the weights of a public MVD checkpoint into ``model``.

    The position embedding is computed, so any window length and input size will do; patch and
    tubelet size, width and depth must be those of the file. A head of another number of classes
    is left fresh. On any error the model is left as it was.

    Args:
        model: receives the weights.
        path: ``.pth``/``.pt`` file of the MVD code, or a safetensors file.

    Raises:
        CheckpointError: the file is missing, corrupt or unsafe, or does not fit the model.
    """
    source = _read(Path(path))
    report = _matched(model, source, path=Path(path))
    state = {name: source[key] for key, name in report.used.items()}
    model.load_state_dict(state, strict=False)
    return report


def check_pretrained(path: Path, config: MVDConfig) -> LoadReport:
    """What :func:`load_pretrained` would do for a model of ``config``, without building one.

    Raises:
        CheckpointError: the file is missing, corrupt or unsafe, or does not fit such a model.
    """
    with torch.device("meta"):
        model = MVD(config)
    return _matched(model, _read(Path(path)), path=Path(path))


def _matched(model: MVD, source: Mapping[str, Tensor], *, path: Path) -> LoadReport:
    """Which key of a file goes where in the model.

    Raises:
        CheckpointError: they do not fit.
    """
    targets = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    pretraining = any(_unwrapped(key).startswith(ENCODER) for key in source)
    used: dict[str, str] = {}
    reset: dict[str, str] = {}
    unused: dict[str, str] = {}
    misfits: list[str] = []
    for key, tensor in source.items():
        name = _unwrapped(key)
        if pretraining and not name.startswith(ENCODER):
            unused[key] = "serves pre-training only"
            continue
        name = name.removeprefix(ENCODER)
        if name not in targets:
            unused[key] = _why_unused(name)
        elif name in used.values() or name in reset.values():
            raise CheckpointError(
                f"{path}: holds {name!r} twice (also as {key!r}), so which weights are meant is "
                "unclear. Keep one of them."
            )
        elif tuple(tensor.shape) == targets[name]:
            used[key] = name
        elif name in HEAD and tuple(tensor.shape)[1:] == targets[name][1:]:
            reset[key] = name
        else:
            misfits.append(f"{name} is {tuple(tensor.shape)}, the model's {targets[name]}")
    found = {*used.values(), *reset.values()}
    missing = tuple(key for key in targets if key not in found)
    _require_fit(path, model=model, source=source, misfits=misfits, missing=missing, unused=unused)
    _require_finite(path, source=source, keys=used)
    return LoadReport(path=path, used=used, reset=reset, missing=missing, unused=unused)


def _unwrapped(key: str) -> str:
    """The key without the prefixes of training wrappers."""
    while key.startswith(WRAPPERS):
        key = key.partition(".")[2]
    return key


def _why_unused(name: str) -> str:
    if name in {"norm.weight", "norm.bias"}:
        return "final norm of pre-training; mean pooling has fc_norm instead"
    if name == "pos_embed":
        return "position embedding; it is computed"
    return "no such part in this model"


def _require_fit(
    path: Path,
    *,
    model: MVD,
    source: Mapping[str, Tensor],
    misfits: list[str],
    missing: tuple[str, ...],
    unused: Mapping[str, str],
) -> None:
    """Refuse weights of another architecture; loading a part of them would only look like it.

    Raises:
        CheckpointError: saying what the file holds and what the model expects.
    """
    lacking = [key for key in missing if key not in OPTIONAL]
    foreign = [key for key in unused if _unwrapped(key).removeprefix(ENCODER).startswith("blocks.")]
    if not (misfits or lacking or foreign):
        return
    details = misfits or [f"{key} is missing" for key in lacking]
    details = details or [f"{key} has no place in the model" for key in foreign]
    shown = "; ".join(details[:3]) + (f"; and {len(details) - 3} more" if len(details) > 3 else "")
    config = model.config
    raise CheckpointError(
        f"{path}: does not fit the model. The file holds {_describe(source)}; the model has "
        f"embed_dim {config.embed_dim}, depth {config.depth}, tubelet_size {config.tubelet_size}, "
        f"patch_size {config.patch_size}. Choose the preset and sizes of the file. ({shown}.)"
    )


def _describe(source: Mapping[str, Tensor]) -> str:
    """The architecture of a file, as far as its keys tell."""
    parts = []
    blocks = set()
    for key, tensor in source.items():
        name = _unwrapped(key).removeprefix(ENCODER)
        if name == "patch_embed.proj.weight" and tensor.ndim == 5:
            width, _, frames, pixels, _ = tensor.shape
            parts.append(f"embed_dim {width}, tubelet_size {frames}, patch_size {pixels}")
        if name.startswith("blocks."):
            blocks.add(name.split(".")[1])
    if blocks:
        parts.append(f"depth {len(blocks)}")
    return ", ".join(parts) or f"no MVD encoder (first keys: {list(source)[:3]})"


def _require_finite(path: Path, *, source: Mapping[str, Tensor], keys: Mapping[str, str]) -> None:
    for key in keys:
        if not bool(torch.isfinite(source[key]).all()):
            raise CheckpointError(
                f"{path}: {key} contains NaN or infinite values. The file is damaged or comes "
                "from a training run that diverged; use another checkpoint."
            )


def _read(path: Path) -> dict[str, Tensor]:
    """The state dict in a file of any of the known shapes."""
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file. Give the path of an MVD checkpoint.")
    with path.open("rb") as file:
        # safetensors: eight bytes of header length, then the header, a JSON object.
        is_safetensors = file.read(9)[8:] == b"{"
    try:
        payload = load_file(path) if is_safetensors else _unpickle(path)
    except CheckpointError:
        raise
    except Exception as error:  # a damaged pickle can end in any exception
        raise CheckpointError(
            f"{path}: cannot be read ({type(error).__name__}: {error}). The file is truncated, "
            "damaged or no PyTorch checkpoint; download or copy it again."
        ) from error
    return _state_dict(payload, path=path)


def _unpickle(path: Path) -> Any:
    """Load a ``torch.save`` file with tensors and plain values, executing nothing.

    Raises:
        CheckpointError: the file contains anything else.
    """
    is_zip = zipfile.is_zipfile(path)
    with _harmless_globals():
        if is_zip:
            unsafe = torch.serialization.get_unsafe_globals_in_checkpoint(path)
            if unsafe:
                raise _unsafe(path, what=", ".join(sorted(unsafe)))
        try:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
        except pickle.UnpicklingError as error:  # torch's text advises to load it unsafely
            named = re.search(r"GLOBAL (\S+)", str(error))
            raise _unsafe(path, what=named[1] if named else "or is damaged") from error


def _unsafe(path: Path, *, what: str) -> CheckpointError:
    return CheckpointError(
        f"{path}: contains more than tensors and plain values ({what}); loading that could run "
        "code, so nothing was loaded. If you trust its source, save its weights alone where it "
        "was made: torch.save({'model': model.state_dict()}, path)."
    )


def _harmless_globals() -> AbstractContextManager[None]:
    """Allow the two plain value types that MVD's training script saves beside the weights.

    ``argparse.Namespace`` holds its arguments; numpy scalars are its best accuracy. Neither
    can run anything. numpy 1 and 2 name the scalar's constructor differently.
    """
    scalar = np.float64(0).__reduce__()[0]
    dtypes = [type(np.dtype(code)) for code in "?bBhHiIlLqQefd"]
    allowed: list[Any] = [
        argparse.Namespace,
        (scalar, "numpy.core.multiarray.scalar"),
        (scalar, "numpy._core.multiarray.scalar"),
        np.dtype,
        *dtypes,
    ]
    return torch.serialization.safe_globals(allowed)


def _state_dict(payload: Any, *, path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint, taken out of its container."""
    found = None
    if isinstance(payload, Mapping):
        containers = [payload[name] for name in CONTAINERS if name in payload]
        found = next((c for c in [*containers, payload] if _is_state_dict(c)), None)
    if found is None:
        content = sorted(map(str, payload)) if isinstance(payload, Mapping) else type(payload)
        raise CheckpointError(
            f"{path}: holds no weights. Got {content}, expected tensors by name, directly or "
            f"under one of {list(CONTAINERS)}. Is this the checkpoint, not a log or optimiser?"
        )
    return dict(found)


def _is_state_dict(candidate: Any) -> bool:
    return (
        isinstance(candidate, Mapping)
        and bool(candidate)
        and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in candidate.items())
    )
