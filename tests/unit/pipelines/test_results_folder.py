"""Reading results again."""

from __future__ import annotations

from pathlib import Path

import pytest

import tiny
from made_results import make_results
from mouse_ar.core.actions import ActionSet
from mouse_ar.core.decoding_params import DecodingParams
from mouse_ar.core.types import Bout, Interval
from mouse_ar.data.files import read_json, write_json
from mouse_ar.pipelines.bout_decoding import Decoding
from mouse_ar.pipelines.results import scores_path
from mouse_ar.pipelines.results_folder import open_results
from tiny import ACTIONS, GROOMING

BOUT = Bout(Interval(10, 30), GROOMING, 0.8)


def test_bouts_times_actions_and_decoding_come_back(tmp_path: Path) -> None:
    results = open_results(make_results(tmp_path, {"a/b.mp4": [BOUT]}, num_frames=60))
    assert results.actions.to_dict() == ACTIONS.to_dict()
    assert results.results["a/b.mp4"].ethogram.bouts == (BOUT,)
    assert results.results["a/b.mp4"].edges_seconds[-1] == pytest.approx(6)
    assert results.scores("a/b.mp4").num_frames == 60
    assert results.decoding is not None
    assert set(results.decoding.params.by_action) == set(ACTIONS.names)


def test_the_actions_that_the_folder_names_are_taken(tmp_path: Path) -> None:
    make_results(tmp_path, {"a/b.mp4": [BOUT]}, num_frames=60)
    own = ActionSet.from_dict(
        {"background": "idle", "actions": [{"name": "Rearing", "kind": "state"}]}
    )
    Decoding(own, DecodingParams.defaults(own)).write(tmp_path)
    assert open_results(tmp_path).actions.names == ("Rearing",)
    assert open_results(tmp_path, actions=ACTIONS).actions.names == ACTIONS.names


def test_a_folder_that_says_nothing_has_the_built_in_actions(tmp_path: Path) -> None:
    make_results(tmp_path, {"a/b.mp4": [BOUT]}, num_frames=60)
    (tmp_path / "run.json").unlink()
    assert open_results(tmp_path).actions.names == ACTIONS.names
    assert open_results(tmp_path).decoding is None


def test_without_scores_the_video_itself_is_read(tmp_path: Path) -> None:
    make_results(tmp_path, {"a/b.mp4": [BOUT], "a/c.mp4": []}, num_frames=tiny.NUM_FRAMES)
    for key in ("a/b.mp4", "a/c.mp4"):
        scores_path(tmp_path, key).unlink()
    tiny.write_video(tmp_path / "project/a/video/b.mp4")

    results = open_results(tmp_path)

    assert results.results["a/b.mp4"].edges_seconds[-1] == pytest.approx(8, abs=1e-3)
    assert "Run `mouse-ar infer` again" in results.failures["a/c.mp4"]
    assert "holds no per-frame scores" in results.failures["a/c.mp4"]


def test_scores_of_another_video_are_not_taken_for_this_one(tmp_path: Path) -> None:
    make_results(tmp_path, {"a/b.mp4": [BOUT], "a/c.mp4": []}, num_frames=60)
    scores_path(tmp_path, "a/c.mp4").replace(scores_path(tmp_path, "a/b.mp4"))
    assert "belongs to another video of that name" in open_results(tmp_path).failures["a/b.mp4"]


@pytest.mark.parametrize(
    ("said", "match"),
    [
        ({"actions": {"background": "idle", "actions": [{"name": "x"}]}}, "needs 'name' and"),
        ({"decoding": {GROOMING: {"kind": "state", "on_threshold": 3}}}, "on_threshold must be"),
        ({"decoding": "old"}, r"run\.json"),
    ],
)
def test_what_a_damaged_folder_says_is_told(tmp_path: Path, said: dict, match: str) -> None:
    make_results(tmp_path, {"a/b.mp4": [BOUT]}, num_frames=60)
    write_json(tmp_path / "run.json", read_json(tmp_path / "run.json") | said)
    with pytest.raises(ValueError, match=match):
        open_results(tmp_path)


def test_what_is_no_folder_of_results_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="expected the folder that `mouse-ar infer` wrote"):
        open_results(tmp_path)
    write_json(tmp_path / "project/meta.json", {"tags": []})
    with pytest.raises(ValueError, match="holds no annotated videos"):
        open_results(tmp_path)
