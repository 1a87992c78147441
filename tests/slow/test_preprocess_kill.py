"""``kill -9`` at any moment: the next run ends where an undisturbed one does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import tiny

pytestmark = pytest.mark.slow

SEED = int(os.environ.get("MOUSE_AR_KILL_SEED", "0"))
# Caches hold paths and times, and the lock is empty.
NOT_COMPARED = [".mouse_ar/hashes.json", ".mouse_ar/lock", ".mouse_ar/manifest.json"]


def run_trials(root: Path, *, trials: int, kills: int) -> dict[str, Any]:
    """See preprocess_trials.py; the imports of the children cost nothing this way."""
    labels = {name: tiny.SEVEN[name] for name in ("a.mp4", "b.mp4", "c.mp4", "d.mp4")}
    source = tiny.write_project(root / "input", labels)
    tiny.annotate(source, "a.mp4", labels["a.mp4"], ignored=[tiny.Interval(41, 44)])
    command = [sys.executable, str(Path(__file__).with_name("preprocess_trials.py"))]
    arguments = [str(root / "input"), str(root), str(SEED), str(trials), str(kills)]
    done = subprocess.run(
        command + arguments,
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def state(folder: Path) -> dict[str, Any]:
    manifest = json.loads((folder / ".mouse_ar/manifest.json").read_text())
    for video in manifest["videos"]:
        assert video.pop("finished_at")
    return {"files": tiny.snapshot(folder, exclude=NOT_COMPARED), "manifest": manifest}


@pytest.mark.timeout(1300)
@pytest.mark.parametrize(("trials", "kills"), [(20, 1), (8, 2)])
def test_killed_runs_end_like_an_undisturbed_one(tmp_path: Path, trials: int, kills: int) -> None:
    result = run_trials(tmp_path, trials=trials, kills=kills)

    expected = state(tmp_path / "undisturbed")
    assert len(expected["files"]) > 20
    assert state(tmp_path / "again") == expected
    assert not [name for name in expected["files"] if name.endswith((".tmp", ".part"))]
    for trial in result["trials"]:
        assert trial["code"] == 0, (trial, SEED)
        assert state(tmp_path / trial["folder"]) == expected, (trial, SEED)
    # The latest kills may miss on a machine whose speed varies; nearly all must have hit.
    hits = sum(trial["kills"] for trial in result["trials"])
    assert hits >= 0.8 * trials * kills, result
