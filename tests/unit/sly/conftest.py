from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mouse_ar.sly.connection import Connection
from mouse_ar.sly.limits import Limits
from supervisely_double import Double
from supervisely_double.fixtures import api, double, write_clip

__all__ = ["api", "double"]

FAST = Limits(
    connect_seconds=2,
    silence_seconds=0.3,
    answer_seconds=2,
    attempts=8,
    first_pause_seconds=0.01,
    longest_pause_seconds=0.02,
)


@pytest.fixture
def connection(api: Any, double: Double) -> Iterator[Connection]:
    """The double as the library sees it, with little patience."""
    with Connection(api, limits=FAST) as connection:
        yield connection


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Four small videos with other content each."""
    folder = tmp_path_factory.mktemp("clips")
    return [write_clip(folder / f"{seed}.mp4", seed=seed) for seed in range(4)]
