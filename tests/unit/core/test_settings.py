"""Settings from text, as YAML and the command line give them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from mouse_ar.core.settings import build_settings


@dataclass(frozen=True)
class Some:
    rate: float = 1.0
    count: int = 2
    share: int | float | None = None
    flag: bool = True
    path: str | None = None


def test_values_of_the_right_type_are_taken() -> None:
    data = {"rate": "5e-4", "count": 3, "share": 0.5, "flag": False, "path": "a"}
    assert build_settings(Some, data, what="test") == Some(5e-4, 3, 0.5, False, "a")
    assert build_settings(Some, {"rate": 2, "share": None}, what="test") == Some(2, 2, None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rate", "fast"),
        ("rate", True),
        ("rate", None),
        ("count", 2.5),
        ("count", "three"),
        ("count", [1]),
        ("share", "half"),
        ("flag", 1),
        ("path", 7),
    ],
)
def test_wrong_types_are_told(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"Setting {name} expects .*, got "):
        build_settings(Some, {name: value}, what="test")


def test_unknown_names_are_told_with_the_allowed_ones() -> None:
    with pytest.raises(ValueError, match=r"Unknown test setting\(s\) \['speed'\]; allowed: count,"):
        build_settings(Some, {"speed": 1}, what="test")
