"""Training Data made once for all training tests."""

from __future__ import annotations

from pathlib import Path

import pytest

import tiny


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven videos: five to train on, one each for val and test."""
    return tiny.write_training_data(tmp_path_factory.mktemp("seven"))


@pytest.fixture(scope="session")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four videos: no val."""
    labels = {name: tiny.SEVEN[name] for name in ("a.mp4", "b.mp4", "c.mp4", "g.mp4")}
    return tiny.write_training_data(tmp_path_factory.mktemp("four"), labels)
