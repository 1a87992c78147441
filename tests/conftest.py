"""Fixtures for every test: where the real videos and golden values are."""

from __future__ import annotations

import importlib
import os
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

REPO = Path(__file__).resolve().parents[1]

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests neither find nor leave tracks in the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOUSE_AR_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI everything that tests need is there: a skip is a failure."""
    report = yield
    if report.skipped and os.environ.get("CI", "").lower() in {"1", "true"}:
        report.outcome = "failed"
    return report


def _shared(part: str) -> Path:
    """A folder of the shared data; skips where there is none."""
    root = Path(os.environ.get("MOUSE_AR_SHARED") or REPO.parent / "shared")
    folder = root / part
    if not folder.is_dir():
        reason = (
            f"{folder} not found: these tests need the shared data beside the repository "
            "or MOUSE_AR_SHARED pointing at it"
        )
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real rodent videos with labels and boxes."""
    return _shared("data")


@pytest.fixture(scope="session")
def shared_golden() -> Path:
    """Outputs of the original implementations on deterministic weights."""
    return _shared("golden")


def _import_sdk() -> ModuleType:
    # pylibmagic brings the library that the SDK's import needs.
    importlib.import_module("pylibmagic")
    importlib.import_module("supervisely.app.widgets")
    return importlib.import_module("supervisely")


def _sdk() -> ModuleType:
    """The Supervisely SDK.

    It imports again every module on the call stack, which fails for the frames of an xdist worker;
    a new thread has none of them.
    """
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(_import_sdk).result()


def pytest_pycollect_makemodule(module_path: Path) -> None:
    """Import the SDK in time for modules of tests that do so themselves."""
    if any(name in module_path.read_text(encoding="utf-8") for name in ("supervisely", ".sly")):
        _sdk()


@pytest.fixture(scope="session")
def sly() -> ModuleType:
    """The Supervisely SDK."""
    return _sdk()


@pytest.fixture(scope="session")
def repo() -> Path:
    """Root of the repository."""
    return REPO
