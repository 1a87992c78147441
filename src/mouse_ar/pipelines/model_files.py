"""Which files in a folder are a model and a detector: told by their content, not their names."""

from __future__ import annotations

from pathlib import Path

from mouse_ar.mvd import CheckpointError, read_checkpoint_info

__all__ = ["ModelFilesError", "find_detector", "find_model"]

_SUFFIXES = {".safetensors", ".pth", ".pt"}


class ModelFilesError(ValueError):
    """A folder without the file that is needed, or with several."""


def find_model(folder: Path) -> Path:
    """The only model trained with mouse-ar in a folder, or in folders inside it.

    Raises:
        ModelFilesError: there is none, with what the other files are, or more than one.
    """
    found, others = [], []
    for path in _candidates(folder):
        try:
            read_checkpoint_info(path)
        except CheckpointError as error:
            others.append(str(error))
        else:
            found.append(path)
    if not found:
        need = (
            f"{folder} holds no trained model. Put the .safetensors file of a training there, "
            "such as best.safetensors."
        )
        raise ModelFilesError("\n".join([need, *others]))
    return _only(found, folder=folder, what="trained models", name="--checkpoint (Docker: MODEL)")


def find_detector(folder: Path) -> Path | None:
    """The only RT-DETRv2 checkpoint in a folder, or in folders inside it; None where none is.

    Raises:
        ModelFilesError: there is more than one.
    """
    # transformers take seconds to import.
    from mouse_ar.detection.rtdetr.architecture import read_architecture
    from mouse_ar.detection.rtdetr.errors import CheckpointError as NoDetectorError
    from mouse_ar.detection.rtdetr.files import read_file

    found = []
    for path in _candidates(folder):
        try:
            read_architecture(read_file(path).weights, source=str(path))
        except NoDetectorError:
            continue
        found.append(path)
    if not found:
        return None
    return _only(found, folder=folder, what="mouse detectors", name="--detector (Docker: DETECTOR)")


def _candidates(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ModelFilesError(f"{folder}: no such folder of models.")
    inside = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return [
        folder / path
        for path in sorted(inside)
        if path.suffix in _SUFFIXES and not any(part.startswith(".") for part in path.parts)
    ]


def _only(found: list[Path], *, folder: Path, what: str, name: str) -> Path:
    if len(found) > 1:
        names = ", ".join(str(path.relative_to(folder)) for path in found)
        raise ModelFilesError(
            f"{folder} holds several {what}: {names}. Leave one there, or name the one that is "
            f"meant with {name}."
        )
    return found[0]
