"""Training Data made once for all training tests."""

from __future__ import annotations

from pathlib import Path

import pytest

import tiny
from mouse_ar.pipelines.config import PreprocessConfig
from mouse_ar.pipelines.preprocess import preprocess


def _training_data(root: Path, labels: tiny.Labels) -> Path:
    tiny.write_project(root / "input", labels)
    preprocess(
        root / "input",
        root / "data",
        actions=tiny.ACTIONS,
        config=PreprocessConfig(detect_every=20),
        detector=tiny.BoxDetector(),
    )
    return root / "data"


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven videos: five to train on, one each for val and test."""
    return _training_data(tmp_path_factory.mktemp("seven"), tiny.SEVEN)


@pytest.fixture(scope="session")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four videos: no val."""
    labels = {name: tiny.SEVEN[name] for name in ("a.mp4", "b.mp4", "c.mp4", "g.mp4")}
    return _training_data(tmp_path_factory.mktemp("four"), labels)
