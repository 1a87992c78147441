"""``kill -9`` at any moment: the next run ends where an undisturbed one does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tiny
from colour_model import predictor
from mouse_ar.pipelines.config import PreprocessConfig
from mouse_ar.pipelines.infer import infer
from mouse_ar.pipelines.preprocess import preprocess

pytestmark = pytest.mark.slow

SEED = int(os.environ.get("MOUSE_AR_KILL_SEED", "0"))
EVERY_2 = ("--set", "detect_every=2")
# Caches hold paths and times, and the lock is empty.
NOT_COMPARED = [".mouse_ar/hashes.json", ".mouse_ar/lock", ".mouse_ar/manifest.json"]


def run_trials(root: Path, what: str, *options: str, trials: int, kills: int) -> dict[str, Any]:
    """See kill_trials.py; the imports of the children cost nothing this way."""
    command = [sys.executable, str(Path(__file__).with_name("kill_trials.py"))]
    arguments = [what, str(root / "input"), str(root), str(SEED), str(trials), str(kills), *options]
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


def project_state(folder: Path) -> dict[str, Any]:
    manifest = json.loads((folder / ".mouse_ar/manifest.json").read_text())
    for video in manifest["videos"]:
        assert video.pop("finished_at")
    return {"files": tiny.snapshot(folder, exclude=NOT_COMPARED), "manifest": manifest}


def results_state(folder: Path) -> dict[str, Any]:
    return {"files": tiny.snapshot(folder, exclude=NOT_COMPARED)}


def check(
    root: Path, result: dict[str, Any], *, kills: int, state: Callable[[Path], dict[str, Any]]
) -> None:
    expected = state(root / "undisturbed")
    assert len(expected["files"]) > 20
    assert state(root / "again") == expected
    assert not [name for name in expected["files"] if name.endswith((".tmp", ".part"))]
    for trial in result["trials"]:
        assert trial["code"] == 0, (trial, SEED)
        assert state(root / trial["folder"]) == expected, (trial, SEED)
    # The latest kills may miss on a machine whose speed varies; nearly all must have hit.
    hits = sum(trial["kills"] for trial in result["trials"])
    assert hits >= 0.8 * len(result["trials"]) * kills, result


@pytest.mark.timeout(1300)
@pytest.mark.parametrize(("trials", "kills"), [(20, 1), (8, 2)])
def test_killed_runs_end_like_an_undisturbed_one(tmp_path: Path, trials: int, kills: int) -> None:
    labels = {name: tiny.SEVEN[name] for name in ("a.mp4", "b.mp4", "c.mp4", "d.mp4")}
    source = tiny.write_project(tmp_path / "input", labels)
    tiny.annotate(source, "a.mp4", labels["a.mp4"], ignored=[tiny.Interval(41, 44)])
    result = run_trials(tmp_path, "preprocess", *EVERY_2, trials=trials, kills=kills)
    check(tmp_path, result, kills=kills, state=project_state)


@pytest.mark.timeout(1300)
@pytest.mark.parametrize("setting", ["crf=16", "crf=20"])
def test_killed_updates_end_like_an_undisturbed_one(tmp_path: Path, setting: str) -> None:
    """Other labels, a new video and one that is gone, with val and test; or another setting too."""
    source = tiny.write_project(tmp_path / "input")
    config = PreprocessConfig(detect_every=2)
    preprocess(
        source.path,
        tmp_path / "base",
        actions=tiny.ACTIONS,
        config=config,
        detector=tiny.BoxDetector(),
    )
    splits = {e["key"]: e["split"] for e in project_state(tmp_path / "base")["manifest"]["videos"]}
    assert set(splits.values()) == {"train", "val", "test"}
    changed, gone, *_ = sorted(key for key, split in splits.items() if split == "train")
    kept = next(key for key, split in splits.items() if split == "val")
    for key in (changed, kept):
        tiny.annotate(source, key.rsplit("/", 1)[1], [(tiny.GROOMING, 5, 40)])
    source.remove(*gone.rsplit("/", 1))
    tiny.add_video(source, "new.mp4", [(tiny.GROOMING, 20, 50), (tiny.TWITCH, 60, 63)])

    result = run_trials(
        tmp_path,
        "preprocess",
        *EVERY_2,
        "--remove-deleted",
        "--set",
        setting,
        trials=12,
        kills=1,
    )  # fmt: skip

    check(tmp_path, result, kills=1, state=project_state)
    entries = {e["key"] for e in project_state(tmp_path / "undisturbed")["manifest"]["videos"]}
    assert gone not in entries
    assert f"{tiny.DATASET}/new.mp4" in entries


@pytest.mark.timeout(1300)
@pytest.mark.parametrize("earlier", [False, True])
def test_killed_inference_ends_like_an_undisturbed_one(tmp_path: Path, earlier: bool) -> None:
    """A first run, or one that continues the results of an earlier one and has a changed video."""
    for name in ("a", "b", "c", "d", "e"):
        tiny.write_video(tmp_path / f"input/{name}.mp4", tiny.SEVEN["a.mp4"], seed=ord(name))
    if earlier:
        infer(
            tmp_path / "input",
            tmp_path / "base",
            predictor=predictor(),
            detector=tiny.BoxDetector(),
            detect_every=4,
        )
        (tmp_path / "input/e.mp4").unlink()
        for name in ("c", "f", "g"):
            (tmp_path / f"input/{name}.mp4").unlink(missing_ok=True)
            tiny.write_video(tmp_path / f"input/{name}.mp4", [(tiny.GROOMING, 20, 60)])

    result = run_trials(
        tmp_path, "infer", "--checkpoint", "none", "--device", "cpu", trials=12, kills=1
    )

    check(tmp_path, result, kills=1, state=results_state)
    tables = (tmp_path / "undisturbed/bouts.csv").read_text()
    assert all(f"videos/{name}.mp4" in tables for name in ("a", "b", "c", "d", "e"))
