"""Reading Training Data, our layout and the earlier apps'."""

from __future__ import annotations

from pathlib import Path

import pytest

import tiny
from mouse_ar.core.types import Interval
from mouse_ar.data.annotations import ProjectTag
from mouse_ar.data.local_project import LocalProject
from mouse_ar.data.training_data import open_training_data
from tiny import ACTIONS, GROOMING, TWITCH

LABELS = [(GROOMING, 5, 15)]


def project(root: Path, datasets: list[str]) -> LocalProject:
    made = LocalProject.create(root, actions=ACTIONS)
    for number, dataset in enumerate(datasets):
        name = f"v{number}.mp4"
        tiny.write_video(made.video(dataset, name).video_path, LABELS, num_frames=20, fps=12.5)
        tiny.annotate(made, name, LABELS, dataset=dataset, num_frames=20, ignored=[Interval(0, 2)])
    return made


@pytest.mark.parametrize("prefix", ["", "train/"])
def test_both_layouts_are_read(tmp_path: Path, prefix: str) -> None:
    names = [f"{prefix}{name}" for name in ("Self-Grooming", "Head-Body_TWITCH", "idle")]
    project(tmp_path, [*names, "val", "test", "something else"])

    data = open_training_data(tmp_path, actions=ACTIONS)

    assert [r.dataset for r in data.clips] == ["Head-Body_TWITCH", "Self-Grooming", "idle"]
    assert [r.dataset for r in data.val] == ["val"]
    assert [r.dataset for r in data.test] == ["test"]
    record = data.clips[0]
    assert (record.num_frames, record.fps) == (20, 12.5)
    assert record.ethogram.bouts == tiny.bouts(LABELS)
    assert record.ignored == (Interval(0, 2),)
    assert not record.track.present_T.any()


def test_nothing_to_train_on_is_told(tmp_path: Path) -> None:
    project(tmp_path, ["cohort"])
    with pytest.raises(
        ValueError, match=r"holds no training clips and .*: expected .*'idle'.*cohort"
    ):
        open_training_data(tmp_path, actions=ACTIONS)


def test_videos_to_evaluate_are_enough(tmp_path: Path) -> None:
    project(tmp_path, ["test", "cohort"])
    data = open_training_data(tmp_path, actions=ACTIONS)
    assert (len(data.clips), len(data.val), len(data.test)) == (0, 0, 1)


@pytest.mark.parametrize(
    ("dataset", "tag", "message"),
    [
        ("Scratching", GROOMING, "Scratching/a.mp4 was made with other actions: Scratching is"),
        (
            "idle",
            "Scratching",
            "idle/a.mp4 was made .*: Scratching is none of Self.*same --actions",
        ),
    ],
)
def test_clips_of_other_actions_are_refused(
    tmp_path: Path, dataset: str, tag: str, message: str
) -> None:
    made = project(tmp_path, ["idle", "Self-Grooming"])
    tags = [ProjectTag(tag, Interval(3, 6))]
    tiny.write_video(made.video(dataset, "a.mp4").video_path, num_frames=20)
    own = {"kind": "training-data", "fps": 10.0}
    tiny.annotate(made, "a.mp4", [], dataset=dataset, num_frames=20, tags=tags, provenance=own)
    with pytest.raises(ValueError, match=message):
        open_training_data(tmp_path, actions=ACTIONS)


def test_whole_videos_may_have_tags_of_their_lab(tmp_path: Path) -> None:
    made = project(tmp_path, ["idle", "test"])
    tags, own = [ProjectTag("rearing", Interval(3, 6))], {"kind": "training-data", "fps": 10.0}
    tiny.annotate(made, "v1.mp4", [], dataset="test", num_frames=20, tags=tags, provenance=own)
    assert len(open_training_data(tmp_path, actions=ACTIONS).test) == 1


def test_no_project_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is no Supervisely project"):
        open_training_data(tmp_path / "nothing", actions=ACTIONS)


def test_fingerprint_follows_the_labels(tmp_path: Path) -> None:
    made = project(tmp_path, ["idle", "Self-Grooming"])
    before = open_training_data(tmp_path, actions=ACTIONS).fingerprint
    assert open_training_data(tmp_path, actions=ACTIONS).fingerprint == before
    tiny.annotate(made, "v1.mp4", [(TWITCH, 5, 8)], dataset="Self-Grooming", num_frames=20)
    assert open_training_data(tmp_path, actions=ACTIONS).fingerprint != before


def test_uncertain_frames_count_for_the_fingerprint(tmp_path: Path) -> None:
    made = project(tmp_path, ["Self-Grooming"])
    before = open_training_data(tmp_path, actions=ACTIONS).fingerprint
    tiny.annotate(made, "v0.mp4", LABELS, dataset="Self-Grooming", num_frames=20)
    assert open_training_data(tmp_path, actions=ACTIONS).fingerprint != before


def test_clips_of_a_group_have_one_source(tmp_path: Path) -> None:
    made = LocalProject.create(tmp_path, actions=ACTIONS)
    for name, entry in (
        ("a.mp4", {"key": "d/a.mp4", "group": "m1"}),
        ("b.mp4", {"key": "d/b.mp4"}),
    ):
        tiny.write_video(made.video("idle", name).video_path, num_frames=20)
        tiny.annotate(
            made, name, [], dataset="idle", num_frames=20, provenance={"fps": 10.0, "entry": entry}
        )
    data = open_training_data(tmp_path, actions=ACTIONS)
    assert [record.source for record in data.clips] == ["m1", "d/b.mp4"]


@pytest.mark.parametrize("change", ["source_sha256", "settings"])
def test_fingerprint_follows_what_a_clip_was_made_from(tmp_path: Path, change: str) -> None:
    made = project(tmp_path, ["idle"])
    found = set()
    for value in ("one", "two"):
        own = {"fps": 10.0, "entry": {"key": "d/a.mp4", change: value}}
        tiny.annotate(made, "v0.mp4", [], dataset="idle", num_frames=20, provenance=own)
        found.add(open_training_data(tmp_path, actions=ACTIONS).fingerprint)
    assert len(found) == 2
