"""The SDK's widgets in a process of tests: a fresh set of them for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _fresh_widgets() -> Iterator[None]:
    """No widgets of other tests: the SDK keeps all of a process by their ids."""
    from supervisely.app.singleton import Singleton

    before = dict(Singleton._instances)
    Singleton._instances.clear()
    yield
    Singleton._instances.clear()
    Singleton._instances.update(before)
