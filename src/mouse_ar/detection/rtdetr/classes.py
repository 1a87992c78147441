"""Names of a detector's classes, from what Supervisely keeps beside its weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mouse_ar.detection.rtdetr.errors import CheckpointError

__all__ = ["beside", "class_names"]

META_FILE = "model_meta.json"


def class_names(path: Path, *, beside_weights: Mapping[str, Any], num_classes: int) -> list[str]:
    """Names in the order of the model's outputs.

    The Supervisely app writes the classes into the checkpoint (``model_meta``) and into
    ``model_meta.json`` beside the folder ``checkpoints``. Where neither names exactly as many
    classes as the model has, they are called ``class_0``, ``class_1``, …

    Args:
        path: the checkpoint.
        beside_weights: what it holds beside its weights.
        num_classes: of the model.

    Raises:
        CheckpointError: ``model_meta.json`` is no JSON.
    """
    found = [_titles(beside_weights.get("model_meta"))]
    file = beside(path, (META_FILE,))
    if file is not None:
        try:
            found.append(_titles(json.loads(file.read_text(encoding="utf-8"))))
        except (ValueError, OSError) as error:
            raise CheckpointError(
                f"{file}: cannot be read as JSON ({error}). Copy it again from the training's "
                "folder, or remove it; the classes then have numbers for names."
            ) from error
    fitting = (names for names in found if len(names) == num_classes)
    return next(fitting, [f"class_{i}" for i in range(num_classes)])


def beside(path: Path, names: tuple[str, ...]) -> Path | None:
    """The first of some files beside a checkpoint, or beside the folder that it is in."""
    candidates = (folder / name for folder in (path.parent, path.parent.parent) for name in names)
    return next((file for file in candidates if file.is_file()), None)


def _titles(meta: Any) -> list[str]:
    """Titles of the classes in a Supervisely project meta; empty where it is something else."""
    classes = meta.get("classes") if isinstance(meta, Mapping) else None
    if not isinstance(classes, list):
        return []
    titles = [item.get("title") if isinstance(item, Mapping) else None for item in classes]
    unique = {title for title in titles if isinstance(title, str) and title}
    return list(map(str, titles)) if len(unique) == len(titles) else []
