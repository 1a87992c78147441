"""The SDK's widgets in a process of tests: a fresh set of them for every test."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest


def _import_sdk() -> None:
    importlib.import_module("pylibmagic")
    importlib.import_module("supervisely.app.widgets")


def pytest_pycollect_makemodule() -> None:
    """Import the SDK before the modules of the tests do, on a thread: see the fixture `sly`."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(_import_sdk).result()


@pytest.fixture(autouse=True)
def _fresh_widgets() -> Iterator[None]:
    """No widgets of other tests: the SDK keeps all of a process by their ids."""
    from supervisely.app.singleton import Singleton

    before = dict(Singleton._instances)
    Singleton._instances.clear()
    yield
    Singleton._instances.clear()
    Singleton._instances.update(before)
