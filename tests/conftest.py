"""Fixtures for every test: where the real videos and golden values are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]


def _shared(part: str) -> Path:
    """A folder of the shared data: skipped where there is none, an error in CI."""
    root = Path(os.environ.get("MOUSE_AR_SHARED") or REPO.parent / "shared")
    folder = root / part
    if not folder.is_dir():
        reason = (
            f"{folder} not found: these tests need the shared data beside the repository "
            "or MOUSE_AR_SHARED pointing at it"
        )
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(reason)
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


@pytest.fixture(scope="session")
def repo() -> Path:
    """Root of the repository."""
    return REPO
