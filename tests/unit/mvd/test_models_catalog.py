from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from mouse_ar.mvd import PRESETS


@pytest.fixture(scope="module")
def catalog(repo: Path) -> dict:
    return yaml.safe_load((repo / "models" / "catalog.yaml").read_text(encoding="utf-8"))


def test_entries_are_complete(catalog: dict) -> None:
    names = [entry["name"] for entry in catalog["models"]]
    assert len(set(names)) == len(names)
    for entry in catalog["models"]:
        assert entry["preset"] in PRESETS
        assert entry["stage"] in {"pre-trained", "fine-tuned"}
        assert entry["sha256"] is None or re.fullmatch(r"[0-9a-f]{64}", entry["sha256"])
        if entry["url"] is None:
            assert entry["obtain"]
        else:
            assert entry["url"].startswith("https://")
    offered = {(entry["preset"], entry["stage"]) for entry in catalog["models"]}
    for preset in ("vit_small", "vit_base", "vit_large"):
        assert {(preset, "pre-trained"), (preset, "fine-tuned")} <= offered


def test_licence_is_plain_in_catalog_and_readme(catalog: dict, repo: Path) -> None:
    assert catalog["licence"] == "CC BY-NC 4.0"
    assert catalog["non_commercial"] is True
    readme = (repo / "models" / "README.md").read_text(encoding="utf-8")
    assert "CC BY-NC 4.0. Not for commercial use." in readme
    for entry in catalog["models"]:
        if entry["url"]:
            assert entry["url"] in readme, f"README lacks {entry['name']}"
