"""Our own checkpoints: one safetensors file that says everything about its model.

The weights keep the names of the public MVD checkpoints. The file's metadata holds one entry,
``mouse_ar``: a JSON object with the format version, the model's configuration, its ClipSpec,
ActionSet, decoding parameters, the frame rate it was trained at, the version of this library and
free metadata. (One entry, because safetensors writes several in random order.) Reading it can
execute nothing.
"""

from __future__ import annotations

import json
import math
import os
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mouse_ar import __version__
from mouse_ar.core.actions import ActionSet
from mouse_ar.core.types import ClipSpec
from mouse_ar.mvd.config import MVDConfig
from mouse_ar.mvd.errors import CheckpointError
from mouse_ar.mvd.model import MVD

__all__ = [
    "FORMAT_VERSION",
    "Checkpoint",
    "CheckpointInfo",
    "load_checkpoint",
    "read_checkpoint_info",
    "save_checkpoint",
]

FORMAT_VERSION = 1
CONTENT_KEY = "mouse_ar"


@dataclass(frozen=True, kw_only=True)
class CheckpointInfo:
    """Everything a checkpoint says about its model.

    Args:
        path: the file.
        config: architecture.
        spec: how windows are cut; its sizes equal those of ``config``.
        actions: the classes in the order of the model's outputs.
        decoding: parameters that turn scores into bouts, as plain values.
        training_fps: frames per second of the video the model was trained on.
        metadata: free plain values, such as epoch, score and training settings.
        code_version: version of this library that wrote the file.
        format_version: version of the file format.
    """

    path: Path
    config: MVDConfig
    spec: ClipSpec
    actions: ActionSet
    decoding: Mapping[str, Any]
    training_fps: float
    metadata: Mapping[str, Any]
    code_version: str
    format_version: int

    @property
    def data_fingerprint(self) -> str | None:
        """What data the model was trained on, where training recorded it in the metadata."""
        return self.metadata.get("data_fingerprint")


@dataclass(frozen=True, kw_only=True)
class Checkpoint(CheckpointInfo):
    """A checkpoint with its model, in eval mode."""

    model: MVD = field(repr=False)


def save_checkpoint(
    path: Path,
    model: MVD,
    *,
    spec: ClipSpec,
    actions: ActionSet,
    decoding: Mapping[str, Any],
    training_fps: float,
    metadata: Mapping[str, Any],
) -> None:
    """Write a checkpoint; a kill or a full disk leaves the previous file as it was.

    Args:
        path: target, ``.safetensors`` by custom; its folder is made.
        model: the network itself, not a DDP or compile wrapper.
        spec: must have the model's ``num_frames`` and ``image_size``.
        actions: must have as many classes as the model's head.
        decoding: plain values (JSON).
        training_fps: frames per second of the training video.
        metadata: plain values (JSON); ``data_fingerprint`` names the training data.

    Raises:
        CheckpointError: the parts contradict each other or are no plain values.
        OSError: the file cannot be written.
    """
    path = Path(path)
    _require_consistent(
        path, config=model.config, spec=spec, actions=actions, training_fps=training_fps
    )
    content = {
        "format_version": FORMAT_VERSION,
        "config": model.config.to_dict(),
        "clip_spec": asdict(spec),
        "actions": actions.to_dict(),
        "decoding": dict(decoding),
        "training_fps": training_fps,
        "code_version": __version__,
        "metadata": dict(metadata),
    }
    try:
        text = json.dumps(content, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path}: decoding and metadata must be plain JSON values ({error})."
        ) from error
    tensors = {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    try:
        save_file(tensors, partial, metadata={CONTENT_KEY: text})
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except SafetensorError as error:
        raise OSError(f"{path}: cannot write the checkpoint ({error}).") from error
    finally:
        partial.unlink(missing_ok=True)


def read_checkpoint_info(path: Path) -> CheckpointInfo:
    """What a checkpoint says about its model, without reading the weights.

    Raises:
        CheckpointError: the file is missing, corrupt, foreign or of a newer version.
    """
    path = Path(path)
    return CheckpointInfo(**_parse(path, header=_read_header(path)))


def load_checkpoint(path: Path, device: torch.device | str = "cpu") -> Checkpoint:
    """Read a checkpoint and build its model in eval mode.

    Args:
        path: a file of :func:`save_checkpoint`.
        device: where the model goes.

    Raises:
        CheckpointError: the file is missing, corrupt, foreign or of a newer version, or its
            weights are not those of the architecture it names.
    """
    path = Path(path)
    fields = _parse(path, header=_read_header(path))
    with torch.device("meta"):  # no time and no random numbers for weights that are replaced
        model = MVD(fields["config"])
    tensors = _read_tensors(path)
    expected = {key: _kind(value) for key, value in model.state_dict().items()}
    found = {key: _kind(value) for key, value in tensors.items()}
    if found != expected:
        wrong = sorted(key for key in expected | found if expected.get(key) != found.get(key))
        raise CheckpointError(
            f"{path}: its weights are not those of the architecture it names; {len(wrong)} keys "
            f"differ, first {wrong[0]!r}: got {found.get(wrong[0])}, expected "
            f"{expected.get(wrong[0])}. The file was altered; use the original."
        )
    model.load_state_dict(tensors, assign=True)
    return Checkpoint(**fields, model=model.to(device).eval())


def _kind(tensor: Tensor) -> tuple[str, tuple[int, ...]]:
    return str(tensor.dtype), tuple(tensor.shape)


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise _unreadable(path, error=error) from error


def _read_header(path: Path) -> Mapping[str, str]:
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file. Give the path of a trained model.")
    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise _unreadable(path, error=error) from error


def _unreadable(path: Path, *, error: Exception) -> CheckpointError:
    with path.open("rb") as file:
        is_zip = file.read(2) == b"PK"
    if is_zip:
        return CheckpointError(
            f"{path}: is a PyTorch file, not a model trained here. Public MVD weights are where "
            "training starts from (its 'pretrained' setting); train a model from them first."
        )
    return CheckpointError(
        f"{path}: cannot be read as safetensors ({error}). The file is truncated or damaged; "
        "copy or download it again."
    )


def _parse(path: Path, *, header: Mapping[str, str]) -> dict[str, Any]:
    """The fields of CheckpointInfo from a file's metadata."""
    if CONTENT_KEY not in header:
        raise CheckpointError(
            f"{path}: is a safetensors file of another program (no {CONTENT_KEY!r} in its "
            "metadata). Expected a model trained with mouse-ar."
        )
    try:
        content = json.loads(header[CONTENT_KEY])
        version = content["format_version"]
        if version != FORMAT_VERSION:
            raise CheckpointError(
                f"{path}: has format version {version}, this mouse-ar {__version__} reads version "
                f"{FORMAT_VERSION}. Update mouse-ar or use a model trained with this version."
            )
        fields: dict[str, Any] = {
            "config": MVDConfig.from_dict(content["config"]),
            "spec": ClipSpec(**content["clip_spec"]),
            "actions": ActionSet.from_dict(content["actions"]),
            "decoding": dict(content["decoding"]),
            "training_fps": float(content["training_fps"]),
            "metadata": dict(content["metadata"]),
            "code_version": str(content["code_version"]),
        }
    except CheckpointError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(
            f"{path}: its description is damaged ({type(error).__name__}: {error}). "
            "Use an intact copy of the model."
        ) from error
    _require_consistent(
        path,
        config=fields["config"],
        spec=fields["spec"],
        actions=fields["actions"],
        training_fps=fields["training_fps"],
    )
    return {"path": path, "format_version": FORMAT_VERSION, **fields}


def _require_consistent(
    path: Path, *, config: MVDConfig, spec: ClipSpec, actions: ActionSet, training_fps: float
) -> None:
    """Refuse a description that contradicts itself."""
    pairs = [
        ("num_frames", config.num_frames, spec.num_frames),
        ("image_size", config.image_size, spec.input_size),
        ("num_classes", config.num_classes, len(actions.classes)),
    ]
    for name, model_value, value in pairs:
        if model_value != value:
            raise CheckpointError(
                f"{path}: the model has {name} {model_value}, its ClipSpec and ActionSet "
                f"{value}. They must agree."
            )
    if not (training_fps > 0 and math.isfinite(training_fps)):
        raise CheckpointError(f"{path}: training_fps must be > 0, got {training_fps}.")
