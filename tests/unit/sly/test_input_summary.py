from __future__ import annotations

from pathlib import Path

import pytest

import tiny
from mouse_ar.core.splitting import Split
from mouse_ar.core.types import Interval
from mouse_ar.data.annotations import PROVENANCE_KEY, ProjectTag
from mouse_ar.pipelines.config import PreprocessConfig
from mouse_ar.pipelines.plan import item_settings
from mouse_ar.sly.connection import Connection
from mouse_ar.sly.input_summary import InputSummary, read_input, server_meta
from mouse_ar.sly.preprocess_project import manifest_path, preprocess_project
from mouse_ar.sly.project import RemoteProject
from mouse_ar.sly.training_preview import State, made_before, preview_training, video_states
from supervisely_double.double import Double
from tiny import ACTIONS, DATASET, GROOMING, TWITCH

CONFIG = PreprocessConfig()


def summary_of(connection: Connection, project: int, folder: Path) -> InputSummary:
    source = RemoteProject.open(connection, project, actions=ACTIONS)
    return read_input(source, folder, progress=lambda what, done, total: None)


@pytest.fixture
def project(double: Double, tmp_path: Path) -> int:
    tiny.write_project(tmp_path / "input")
    return double.add_project("mice", folder=tmp_path / "input")


def test_labels_are_counted_without_fetching_videos(
    double: Double, connection: Connection, project: int, tmp_path: Path
) -> None:
    number = double.videos(project)[f"{DATASET}/g.mp4"]
    double.call(
        "videos.tags.add",
        {"videoId": number, "tagId": _add_tag(double, project, "rear")} | {"frameRange": [3, 5]},
    )
    summary = summary_of(connection, project, tmp_path / "mirror")
    assert {c.action: (c.bouts, c.videos, round(c.seconds, 2)) for c in summary.counts} == {
        GROOMING: (6, 6, 16.5),
        TWITCH: (6, 6, 1.7),
    }
    assert summary.unknown_tags == {"rear": 1}
    assert summary.datasets == {"cohort": 0, DATASET: 7}
    assert summary.frames([f"{DATASET}/a.mp4"]) == {"idle": 47, GROOMING: 30, TWITCH: 3}
    assert not double.called("videos.download")
    assert summary.within(["elsewhere"]).videos == {}
    assert len(summary.within(["cohort"]).videos) == 7


def _add_tag(double: Double, project: int, name: str) -> int:
    meta = double.call("projects.meta", {"id": project})
    tags = [*meta["tags"], {"name": name, "value_type": "none", "color": "#000000"}]
    changed = double.call("projects.meta.update", {"id": project, "meta": {**meta, "tags": tags}})
    changed = (
        changed if changed and "tags" in changed else double.call("projects.meta", {"id": project})
    )
    return next(int(tag["id"]) for tag in changed["tags"] if tag["name"] == name)


def test_of_predictions_only_reviewed_videos_count(
    double: Double, connection: Connection, tmp_path: Path
) -> None:
    local = tiny.write_project(tmp_path / "input", {n: tiny.SEVEN[n] for n in ("a.mp4", "b.mp4")})
    for name, tags in (("a.mp4", [ProjectTag("reviewed")]), ("b.mp4", [])):
        tiny.annotate(
            local, name, tiny.SEVEN[name], video_tags=tags, provenance={"kind": "prediction"}
        )
    project = double.add_project("predictions", folder=tmp_path / "input")
    summary = summary_of(connection, project, tmp_path / "mirror")
    assert list(summary.videos) == [f"{DATASET}/a.mp4"]
    assert summary.skipped == (f"{DATASET}/b.mp4",)


def test_the_preview_is_what_the_run_does(
    double: Double, connection: Connection, project: int, tmp_path: Path
) -> None:
    summary = summary_of(connection, project, tmp_path / "mirror")
    source = RemoteProject.open(connection, project, actions=ACTIONS)
    target = RemoteProject.get_or_create(
        connection, "made", workspace_id=Double.workspace, actions=ACTIONS
    )
    detector = tiny.BoxDetector()
    settings = item_settings(CONFIG, detector=detector.fingerprint, actions=ACTIONS)
    nothing = made_before(target, team_id=Double.team)
    planned = preview_training(summary, manifest=nothing, config=CONFIG, settings=settings)
    assert set(planned.states.values()) == {State.NEW}
    assert len(planned.todo) == 7

    report = preprocess_project(
        source,
        target,
        team_id=Double.team,
        work=tmp_path / "work",
        actions=ACTIONS,
        config=CONFIG,
        detector=detector,
    )
    assert dict(planned.clips) == dict(report.clips)
    assert sum(planned.after.values()) == sum(report.frames[n] for n in ACTIONS.datasets)
    made = made_before(target, team_id=Double.team)
    assert {k: e.split for k, e in made.entries.items()} == planned.splits
    done = preview_training(summary, manifest=made, config=CONFIG, settings=settings)
    assert done.todo == []
    assert (done.splits, done.after, done.clips) == (planned.splits, planned.after, planned.clips)

    double.call(
        "file-storage.bulk.remove", {"teamId": Double.team, "paths": [manifest_path(target)]}
    )
    rebuilt = made_before(target, team_id=Double.team)
    assert {k: e.items for k, e in rebuilt.entries.items()} == {
        k: e.items for k, e in made.entries.items()
    }

    other = item_settings(
        PreprocessConfig(max_seconds=4), detector=detector.fingerprint, actions=ACTIONS
    )
    states = video_states(summary, made, settings=other)
    train = {key for key, split in planned.splits.items() if split is Split.TRAIN}
    assert {key for key, state in states.items() if state is State.SETTINGS} == train

    double.add_tag(double.videos(project)[f"{DATASET}/g.mp4"], TWITCH, (1, 2))
    changed = summary_of(connection, project, tmp_path / "mirror")
    preview = preview_training(changed, manifest=made, config=CONFIG, settings=settings)
    assert preview.todo == [f"{DATASET}/g.mp4"]
    assert preview.states[f"{DATASET}/g.mp4"] is State.CHANGED


def test_more_test_videos_than_videos_are_refused(
    double: Double, connection: Connection, project: int, tmp_path: Path
) -> None:
    summary = summary_of(connection, project, tmp_path / "mirror")
    nothing = made_before(
        RemoteProject.open(connection, project, actions=ACTIONS), team_id=Double.team
    )
    with pytest.raises(ValueError, match="test_videos=7 is impossible with 7 videos"):
        preview_training(summary, manifest=nothing, config=PreprocessConfig(test_videos=7))


def test_time_comes_from_timecodes_then_from_the_duration(
    double: Double, connection: Connection, project: int, tmp_path: Path
) -> None:
    video = summary_of(connection, project, tmp_path / "mirror").remote[f"{DATASET}/a.mp4"]
    meta = server_meta(video)
    assert (meta.num_frames, round(meta.fps, 3)) == (tiny.NUM_FRAMES, tiny.FPS)
    assert Interval(0, meta.num_frames).length == len(meta.timestamps_seconds)
    facts = {"framesCount": 50, "duration": 2.0}
    assert server_meta(type(video).from_json({**video.info, "fileMeta": facts})).fps == 25.0
    bare = server_meta(type(video).from_json({**video.info, "fileMeta": {}}), num_frames=30)
    assert (bare.num_frames, bare.fps) == (30, 25.0)
    assert PROVENANCE_KEY not in video.custom_data
