from __future__ import annotations

from pathlib import Path

import pytest
import torch

from colour_checkpoint import write_colour_checkpoint
from mouse_ar.pipelines.model_files import ModelFilesError, find_detector, find_model
from tiny_rtdetr import write_checkpoint


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """As a lab might leave it: an experiment's folder, a detector, and what else lies about."""
    folder = tmp_path / "models"
    write_colour_checkpoint(folder / "experiment" / "checkpoints" / "epoch_9.safetensors")
    write_checkpoint(folder / "detector")
    torch.save({"encoder.weight": torch.zeros(2, 2)}, folder / "mouse_model.pth")
    (folder / "notes.txt").write_text("the good one")
    (folder / ".best.safetensors").write_bytes(b"half a download")
    return folder


def test_content_tells_which_is_which(models: Path) -> None:
    assert find_model(models) == models / "experiment" / "checkpoints" / "epoch_9.safetensors"
    detector = find_detector(models)
    assert detector is not None
    assert detector.parent == models / "detector"


def test_without_a_model_the_others_are_named(models: Path) -> None:
    (models / "experiment" / "checkpoints" / "epoch_9.safetensors").unlink()
    with pytest.raises(ModelFilesError, match=r"no trained model(.|\n)*mouse_model\.pth: is a Py"):
        find_model(models)


def test_several_are_listed(models: Path) -> None:
    write_colour_checkpoint(models / "best.safetensors")
    with pytest.raises(ModelFilesError, match=r"best\.safetensors, experiment/.*--checkpoint"):
        find_model(models)
    write_checkpoint(models / "detector_2")
    with pytest.raises(ModelFilesError, match=r"mouse detectors: detector/.*, detector_2/"):
        find_detector(models)


def test_no_detector_and_no_folder(tmp_path: Path) -> None:
    write_colour_checkpoint(tmp_path / "best.safetensors")
    assert find_detector(tmp_path) is None
    with pytest.raises(ModelFilesError, match="no such folder"):
        find_model(tmp_path / "nothing")
