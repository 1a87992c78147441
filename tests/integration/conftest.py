"""Servers that several test files share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from doubles.servers import BrightProcess, bright_process
from mouse_ar.sly.connection import Connection, Limits
from supervisely_double import Double, running

QUICK = Limits(attempts=4, first_pause_seconds=0.01, longest_pause_seconds=0.05)


@pytest.fixture(scope="session")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrightProcess]:
    """The detector double on the real serving framework; tests leave it as it is."""
    with bright_process(tmp_path_factory.mktemp("session")) as process:
        yield process


@pytest.fixture
def double(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Double]:
    """An instance; a lease of its projects is got at once."""
    monkeypatch.setenv("SUPERVISELY_SKIP_HTTPS_USER_HELPER_CHECK", "true")
    monkeypatch.setattr("mouse_ar.sly.lease._SETTLE_SECONDS", 0.01)
    with running(Double(tmp_path / "double")) as started:
        yield started


@pytest.fixture
def connection(double: Double, sly: ModuleType) -> Iterator[Connection]:
    """The double as the library sees it, with little patience."""
    with Connection(sly.Api(double.url, double.token), limits=QUICK) as opened:
        yield opened
