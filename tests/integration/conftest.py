"""Servers that several test files share: they take seconds to start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from doubles.servers import BrightProcess, bright_process


@pytest.fixture(scope="session")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrightProcess]:
    """The detector double on the real serving framework; tests leave it as it is."""
    with bright_process(tmp_path_factory.mktemp("session")) as process:
        yield process
