"""A double, the SDK connected to it, and a short video."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisely_double.fixtures import api, double, write_clip

__all__ = ["api", "double"]


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 frames of 64 x 48."""
    return write_clip(tmp_path_factory.mktemp("clip") / "mouse.mp4")
