from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from made_results import DECODING, add_result, scores
from mouse_ar.core.platt import Calibration, Platt
from mouse_ar.core.types import Bout, Interval
from mouse_ar.data.annotations import REVIEWED_TAG, ProjectTag, VideoAnnotation
from mouse_ar.pipelines.bout_decoding import Decoding
from mouse_ar.pipelines.redecode import (
    decode_results,
    decode_scores,
    score_files,
)
from mouse_ar.pipelines.results import VideoResult, scores_path
from mouse_ar.pipelines.results_folder import open_results
from mouse_ar.pipelines.store import BusyError, Store
from mouse_ar.video.probe import VideoError
from tiny import ACTIONS, GROOMING, TWITCH

KEYS = ("mice/a.mp4", "mice/b.mp4", "mice/c.mp4")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three videos with a sure bout and one of 0.6 of grooming; the last has been reviewed."""
    groom = np.zeros(600)
    groom[100:200], groom[300:400] = 0.95, 0.6
    for key in KEYS:
        reviewed = key == KEYS[-1]
        bouts = [] if reviewed else None
        add_result(tmp_path, key, scores(self=groom), bouts=bouts, reviewed=reviewed)
    return tmp_path


def counts(folder: Path) -> dict[str, int]:
    return {key: len(r.ethogram.bouts) for key, r in open_results(folder).results.items()}


def test_a_lower_threshold_finds_the_unsure_bout_and_reviewed_videos_stay(folder: Path) -> None:
    assert counts(folder) == dict(zip(KEYS, (1, 1, 0), strict=True))
    kept = Decoding.of_results(folder)
    assert kept == Decoding(ACTIONS, DECODING)
    told: list[tuple[str, int, int]] = []
    again = decode_results(
        folder,
        decoding=kept.with_overrides({"grooming.on_threshold": 0.55}),
        progress=lambda *now: told.append(now),
    )
    assert counts(folder) == dict(zip(KEYS, (2, 2, 0), strict=True))
    assert (again.before[GROOMING], again.after[GROOMING]) == (2, 4)
    assert again.reviewed == [KEYS[2]]
    assert not again.failures
    assert told[-1] == ("decoding", 3, 3)
    rows = list(csv.DictReader((folder / "bouts.csv").open(encoding="utf-8")))
    assert [row["video"] for row in rows] == [KEYS[0], KEYS[0], KEYS[1], KEYS[1]]
    # the next call starts from what was used last
    now = Decoding.of_results(folder)
    assert now is not None
    assert now.params[GROOMING].on_threshold == 0.55  # type: ignore[union-attr]


def test_the_confidence_is_the_calibrated_probability(folder: Path) -> None:
    calibration = Calibration({GROOMING: Platt(1.0, -1.5)})
    decode_results(folder, decoding=Decoding(ACTIONS, DECODING, calibration))
    (bout,) = open_results(folder).results[KEYS[0]].ethogram.bouts
    lower = calibration.of(GROOMING)(np.array([0.95]))[0]
    assert lower < 0.85
    assert bout.confidence == pytest.approx(lower, abs=0.002)
    found = Decoding.of_results(folder)
    assert found is not None
    assert found.calibration == calibration


def test_twice_is_once(folder: Path) -> None:
    decoding = Decoding(ACTIONS, DECODING)
    decode_results(folder, decoding=decoding)
    files = {p: p.read_bytes() for p in folder.rglob("*.*") if p.is_file() and p.name != "lock"}
    decode_results(folder, decoding=decoding)
    assert files == {p: p.read_bytes() for p in files}


def test_scores_that_are_gone_or_of_another_video_are_told(folder: Path) -> None:
    scores_path(folder, KEYS[0]).write_bytes(b"no scores")
    for path in folder.rglob("b.mp4.json"):
        path.write_text(path.read_text().replace(f"sha of {KEYS[1]}", "another"))
    assert "another" in "".join(path.read_text() for path in folder.rglob("b.mp4.json"))
    again = decode_results(folder, decoding=Decoding(ACTIONS, DECODING))
    assert "holds no per-frame scores" in again.failures[KEYS[0]]
    assert "belongs to another video" in again.failures[KEYS[1]]


def test_only_the_videos_that_are_named_and_only_scores_of_the_same_model(folder: Path) -> None:
    lower = Decoding(ACTIONS, DECODING).with_overrides({"grooming.on_threshold": 0.55})
    again = decode_results(folder, decoding=lower, keys={KEYS[1]})
    assert counts(folder) == dict(zip(KEYS, (1, 2, 0), strict=True))
    assert again.decoded == [KEYS[1]]
    assert not again.reviewed
    assert [result.key for result in again.results] == list(KEYS)
    other = replace(Decoding(ACTIONS, DECODING), checkpoint_sha256="f00d")
    again = decode_results(folder, decoding=other, keys={KEYS[1]})
    assert "another model (SHA-256 None) has scored" in again.failures[KEYS[1]]
    assert counts(folder)[KEYS[1]] == 2


def test_what_could_not_be_published_or_was_reviewed_meanwhile_is_tabulated_as_it_is(
    folder: Path,
) -> None:
    lower = Decoding(ACTIONS, DECODING).with_overrides({"grooming.on_threshold": 0.55})
    project = open_results(folder).project
    bout = Bout(Interval(10, 20), TWITCH, 1.0)

    def publish(result: VideoResult) -> VideoAnnotation | None:
        video = project.video(*result.key.rsplit("/", 1))
        assert len(project.read(video).bouts) == 2, "it is written before it is published"
        if result.key == KEYS[0]:
            raise VideoError(result.key, "refused")
        reviewed = (ProjectTag(REVIEWED_TAG),)
        return replace(project.read(video), bouts=(bout,), video_tags=reviewed)

    again = decode_results(folder, decoding=lower, publish=publish)
    assert "refused" in again.failures[KEYS[0]]
    assert again.reviewed == [KEYS[1], KEYS[2]]
    assert (again.decoded, again.before, again.after) == ([], {}, {})
    assert [(len(r.ethogram.bouts), r.reviewed) for r in again.results] == [
        (1, False),
        (1, True),
        (0, True),
    ]
    rows = list(csv.DictReader((folder / "bouts.csv").open(encoding="utf-8")))
    assert [(row["video"], row["action"]) for row in rows] == [
        (KEYS[0], GROOMING),
        (KEYS[1], TWITCH),
    ]
    assert counts(folder) == dict(zip(KEYS, (1, 1, 0), strict=True))


def test_another_run_is_waited_for_by_the_user(folder: Path) -> None:
    with Store(folder).lock(), pytest.raises(BusyError, match="Another run is writing"):
        decode_results(folder, decoding=Decoding(ACTIONS, DECODING))
    with pytest.raises(FileNotFoundError, match="holds no results"):
        decode_results(folder / "nothing", decoding=Decoding(ACTIONS, DECODING))
    assert not (folder / "nothing").exists()


def test_files_of_scores_become_tables_elsewhere(folder: Path, tmp_path: Path) -> None:
    before = counts(folder)
    target = tmp_path / "tables"
    decoding = Decoding(ACTIONS, DECODING).with_overrides({"grooming.on_threshold": 0.55})
    again = decode_scores(score_files(folder), target, decoding=decoding, bin_minutes=0.5)
    assert again.after == {GROOMING: 6}
    assert len((target / "bouts.csv").read_text().splitlines()) == 7
    bins = list(csv.DictReader((target / "bins.csv").open(encoding="utf-8")))
    assert {float(row["end_seconds"]) for row in bins} == {30.0, 60.0}
    assert counts(folder) == before
    one = list(score_files(scores_path(folder, KEYS[0])))
    assert one == [scores_path(folder, KEYS[0])]
    with pytest.raises(FileNotFoundError, match="holds no scores"):
        list(score_files(tmp_path / "project"))


def test_folders_that_do_not_say_how(tmp_path: Path) -> None:
    assert Decoding.of_results(tmp_path) is None
    (tmp_path / "run.json").write_text('{"actions": {"a": 1}, "decoding": 3}')
    with pytest.raises(ValueError, match=r"run\.json"):
        Decoding.of_results(tmp_path)
    with pytest.raises(ValueError, match="sneezing"):
        Decoding(ACTIONS, DECODING).with_overrides({"sneezing.threshold": 0.1})


def test_scores_of_another_model_are_refused(folder: Path, tmp_path: Path) -> None:
    before = counts(folder)
    other = Decoding(ACTIONS, DECODING, checkpoint_sha256="f" * 64)
    for again in (
        decode_results(folder, decoding=other),
        decode_scores(score_files(folder), tmp_path / "tables", decoding=other),
    ):
        assert len(again.failures) >= 2
        assert all("another model" in cause for cause in again.failures.values())
    assert counts(folder) == before


def test_scores_of_an_earlier_model_are_refused_by_what_the_folder_says(tmp_path: Path) -> None:
    Decoding(ACTIONS, DECODING).write(tmp_path, checkpoint_sha256="f00d")
    kept = Decoding.of_results(tmp_path)
    assert kept is not None
    assert kept.checkpoint_sha256 == "f00d"
