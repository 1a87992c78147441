"""Loads RT-DETRv2 detectors, and saves them in a form of our own."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import save_file

from mouse_ar import __version__
from mouse_ar.detection.rtdetr.architecture import Architecture, read_architecture
from mouse_ar.detection.rtdetr.classes import beside, class_names
from mouse_ar.detection.rtdetr.detector import DetectorOptions, RTDetrV2Detector
from mouse_ar.detection.rtdetr.errors import CheckpointError
from mouse_ar.detection.rtdetr.files import CONTENT_KEY, KIND, Content, find_checkpoint, read_file
from mouse_ar.detection.rtdetr.model import build_model
from mouse_ar.detection.rtdetr.settings import Settings, parse_config, read_settings

__all__ = ["load_rtdetrv2", "save_rtdetrv2"]

FORMAT_VERSION = 1
CONFIG_FILES = ("model_config.yml", "model_config.yaml")


def load_rtdetrv2(
    path: Path | str,
    config: Path | str | None = None,
    *,
    options: DetectorOptions | None = None,
) -> RTDetrV2Detector:
    """Load a detector trained by the original code or in the Supervisely app, or saved here.

    The architecture is read from the weights; nothing in the file is executed.

    Args:
        path: a ``.pth``, ``.pt`` or ``.safetensors`` file, or a folder that holds one.
        config: the training's ``model_config.yml``, whose included files may be absent. By
            default the one beside the checkpoint or its folder, or in the checkpoint, is taken
            if there is one.
        options: class, confidence, device and precision.

    Raises:
        CheckpointError: the checkpoint or the configuration cannot be used; the message says why
            and what to do.
        ValueError: the options do not fit the detector.
    """
    file = find_checkpoint(Path(path))
    try:
        return _load(file, config=config, options=options or DetectorOptions())
    except (CheckpointError, OSError):
        raise
    except (ArithmeticError, LookupError, RuntimeError, TypeError) as error:
        # Shapes and values that no training leaves: not each of them is worth its own check.
        raise CheckpointError(
            f"{file}: is no usable RT-DETRv2 ({type(error).__name__}: {error}). The checkpoint is "
            "damaged or of another architecture; use another one."
        ) from error


def _load(file: Path, *, config: Path | str | None, options: DetectorOptions) -> RTDetrV2Detector:
    content = read_file(file)
    architecture = read_architecture(content.weights, source=str(file))
    if content.own is None:
        settings = _settings_of_original(file, content, architecture, config=config)
        names = class_names(
            file, beside_weights=content.beside, num_classes=architecture.num_classes
        )
    elif config is not None:
        raise CheckpointError(
            f"{file}: was saved by mouse-ar and carries its own settings; got the configuration "
            f"{config} too. Leave the configuration out."
        )
    else:
        settings, names = _parse_own(file, content.own, architecture)
    model, report = build_model(content.weights, architecture, settings, source=str(file))
    return RTDetrV2Detector(
        model,
        architecture=architecture,
        settings=settings,
        class_names=names,
        report=report,
        options=options,
    )


def save_rtdetrv2(path: Path | str, detector: RTDetrV2Detector) -> None:
    """Write a detector as one safetensors file with its class names and settings.

    The weights keep the original code's names, which do not change with transformers. A kill or
    a full disk leaves a previous file as it was.

    Args:
        path: target, ``.safetensors`` by custom; its folder is made.
        detector: what to save.

    Raises:
        OSError: the file cannot be written.
    """
    path = Path(path)
    content = {
        "kind": KIND,
        "format_version": FORMAT_VERSION,
        "classes": list(detector.class_names),
        "settings": asdict(detector.settings),
        "code_version": __version__,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    try:
        text = json.dumps(content, ensure_ascii=False)
        save_file(detector.original_weights(), partial, metadata={CONTENT_KEY: text})
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except SafetensorError as error:
        raise OSError(f"{path}: cannot write the detector ({error}).") from error
    finally:
        partial.unlink(missing_ok=True)


def _settings_of_original(
    file: Path, content: Content, architecture: Architecture, *, config: Path | str | None
) -> Settings:
    """Settings from the configuration given, beside the checkpoint or in it."""
    place = Path(config) if config is not None else beside(file, CONFIG_FILES)
    if place is not None:
        return read_settings(_read_config(place), architecture, source=str(place))
    noted: Any = content.beside.get("model_files")
    for key in ("config", "content"):
        noted = noted.get(key) if isinstance(noted, Mapping) else None
    source = f"{file} (the configuration in it)"
    parsed = parse_config(noted, source=source) if isinstance(noted, str) else {}
    return read_settings(parsed, architecture, source=source)


def _read_config(path: Path) -> dict[str, Any]:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise CheckpointError(
            f"{path}: cannot be read ({error}). Give the model_config.yml of the training, or none."
        ) from error
    return parse_config(text, source=str(path))


def _parse_own(
    path: Path, own: Mapping[str, Any], architecture: Architecture
) -> tuple[Settings, list[str]]:
    """Settings and class names that a file of ours carries."""
    version = own.get("format_version")
    if version != FORMAT_VERSION:
        raise CheckpointError(
            f"{path}: has format version {version}, this mouse-ar {__version__} reads version "
            f"{FORMAT_VERSION}. Update mouse-ar, or convert the original checkpoint again with "
            "mouse-ar convert-detector."
        )
    try:
        settings = Settings(**own["settings"])
        names = [str(name) for name in own["classes"]]
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path}: its description is damaged ({type(error).__name__}: {error}). Convert the "
            "original checkpoint again."
        ) from error
    found = (len(names), settings.used_layers)
    expected = (architecture.num_classes, architecture.decoder_layers)
    if found != expected:
        raise CheckpointError(
            f"{path}: its description tells of {found[0]} classes and {found[1]} decoder layers, "
            f"its weights of {expected[0]} and {expected[1]}. Convert the original checkpoint "
            "again."
        )
    return settings, names
