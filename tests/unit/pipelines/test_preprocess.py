"""Training Data from an Input Project: contents, and what later runs leave alone."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tiny
from mouse_ar.core.actions import ActionSet
from mouse_ar.core.manifest import Manifest, ManifestError, slug
from mouse_ar.core.splitting import Split
from mouse_ar.core.types import Interval
from mouse_ar.data.annotations import ProjectTag, VideoAnnotation
from mouse_ar.data.local_project import LocalProject
from mouse_ar.pipelines.config import PreprocessConfig
from mouse_ar.pipelines.preprocess import PreprocessReport, preprocess
from mouse_ar.pipelines.store import BusyError, Store
from mouse_ar.report.runs import preprocess_text
from mouse_ar.video.probe import probe
from mouse_ar.video.reader import open_video
from mouse_ar.video.writer import VideoWriter
from tiny import ACTIONS, DATASET, GROOMING, TWITCH


def run(source: Path, target: Path, **options: Any) -> PreprocessReport:
    settings = {
        "actions": ACTIONS,
        "config": PreprocessConfig(detect_every=4),
        "detector": tiny.BoxDetector(),
    }
    return preprocess(source, target, **{**settings, **options})


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An input and what a first run made of it; tests copy both."""
    root = tmp_path_factory.mktemp("preprocess")
    tiny.write_project(root / "input")
    before = tiny.snapshot(root / "input")
    times = tiny.modified(root / "input")
    run(root / "input", root / "data")
    assert tiny.snapshot(root / "input") == before
    assert tiny.modified(root / "input") == times
    return root


@pytest.fixture
def made(original: Path, tmp_path: Path) -> Path:
    shutil.copytree(original, tmp_path / "run", copy_function=shutil.copy2)
    return tmp_path / "run"


def manifest_of(data: Path) -> Manifest:
    return Manifest.from_json((data / ".mouse_ar/manifest.json").read_text())


def timeless(data: Path) -> dict[str, Any]:
    text = json.loads((data / ".mouse_ar/manifest.json").read_text())
    for video in text["videos"]:
        video["finished_at"] = None
    return dict(text)


def items_of(data: Path, key: str) -> set[str]:
    return {f"{i.dataset}/{i.name}" for i in manifest_of(data).entries[key].items}


def names(data: Path) -> set[str]:
    return {video.key for video in LocalProject.open(data).videos()}


def test_layout_and_clips(original: Path) -> None:
    data = LocalProject.open(original / "data")
    source = LocalProject.open(original / "input")
    manifest = manifest_of(original / "data")

    assert Counter(e.split for e in manifest.entries.values()) == {
        Split.TRAIN: 5,
        Split.VAL: 1,
        Split.TEST: 1,
    }
    assert data.datasets() == sorted([*ACTIONS.datasets, "test", "val"])
    assert {f"{i.dataset}/{i.name}" for e in manifest.entries.values() for i in e.items} == names(
        original / "data"
    )
    for entry in manifest.entries.values():
        assert entry.done
        assert entry.finished_at is not None
        labels = source.read(source.video(*entry.key.rsplit("/", 1)))
        for item in entry.items:
            annotation = data.read(data.video(item.dataset, item.name))
            cut = labels.ethogram(tiny.FPS).crop(item.interval)
            assert annotation.bouts == cut.bouts
            assert annotation.num_frames == item.interval.length
            assert annotation.track is not None
            assert annotation.track.present_T.all()
            assert annotation.provenance["entry"]["key"] == entry.key
            assert annotation.provenance["entry"]["source_sha256"] == entry.source_sha256
            assert annotation.provenance["entry"]["settings"] == entry.settings
            assert annotation.provenance["item"]["start_frame"] == item.start_frame
            if entry.split is Split.TRAIN:
                assert 2.0 <= item.interval.length / tiny.FPS <= 3.0
            else:
                assert item.dataset == entry.split.value
                assert item.interval == Interval(0, tiny.NUM_FRAMES)


def test_every_bout_of_a_training_video_is_in_a_clip_of_its_class(original: Path) -> None:
    manifest = manifest_of(original / "data")
    for name, labels in tiny.SEVEN.items():
        entry = manifest.entries[f"{DATASET}/{name}"]
        if entry.split is not Split.TRAIN:
            continue
        for action, start, stop in labels:
            covered = set()
            for item in entry.items:
                if item.dataset == ACTIONS.dataset_of(action):
                    covered |= set(range(item.interval.start, item.interval.stop))
            assert set(range(start, stop)) <= covered


def test_clips_show_the_frames_they_claim(original: Path) -> None:
    """The colour of a frame tells its action; tags and pixels must agree."""
    data = LocalProject.open(original / "data")
    checked = 0
    for video in data.videos():
        annotation = data.read(video)
        meta = probe(video.video_path)
        assert meta.num_frames == annotation.num_frames
        with open_video(video.video_path) as reader:
            frames_THWC = reader.get_batch(range(meta.num_frames))
        color_T3 = np.median(frames_THWC, axis=(1, 2))
        ethogram = annotation.ethogram(meta.fps)
        for action in ACTIONS.names:
            near = np.abs(color_T3 - tiny.COLORS[action]).max(axis=1) < 25
            np.testing.assert_array_equal(near, ethogram.mask(action))
            checked += int(near.sum())
    assert checked > 100


def test_idle_clips_are_free_and_balance_grooming(original: Path) -> None:
    manifest = manifest_of(original / "data")
    idle = grooming = 0
    for entry in manifest.entries.values():
        labels = tiny.bouts(tiny.SEVEN[entry.key.rsplit("/", 1)[1]])
        if entry.split is not Split.TRAIN:
            continue
        grooming += sum(b.interval.length for b in labels if b.action == GROOMING)
        for item in entry.items:
            if item.dataset == "idle":
                idle += item.interval.length
                assert not any(b.interval.overlap(item.interval) for b in labels)
    # So little is free in these videos that the budget need not be met.
    assert 0.5 * grooming < idle < grooming + 3.0 * tiny.FPS


def test_idle_comes_from_the_whole_timeline_and_from_unlabelled_videos(tmp_path: Path) -> None:
    project = LocalProject.create(tmp_path / "input", actions=ACTIONS)
    tiny.write_video(project.video(DATASET, "long.mp4").video_path, [(GROOMING, 0, 80)])
    for name in ("free.mp4", "free2.mp4"):
        tiny.write_video(project.video(DATASET, name).video_path, num_frames=200)
        tiny.annotate(project, name, [], num_frames=200)
    tiny.annotate(project, "long.mp4", [(GROOMING, 0, 80)])

    config = PreprocessConfig(test_videos=0, detect_every=10)
    report = run(tmp_path / "input", tmp_path / "data", config=config)

    manifest = manifest_of(tmp_path / "data")
    idle = [i for e in manifest.entries.values() for i in e.items if i.dataset == "idle"]
    assert 80 <= report.frames["idle"] < 80 + 30
    assert {e.key for e in manifest.entries.values() if e.idle_frames} == {
        f"{DATASET}/free.mp4",
        f"{DATASET}/free2.mp4",
    }
    assert max(i.start_frame for i in idle) > 60


def test_full_length_videos_are_the_originals(original: Path) -> None:
    data, source = LocalProject.open(original / "data"), LocalProject.open(original / "input")
    for entry in manifest_of(original / "data").entries.values():
        if entry.split is Split.TRAIN:
            continue
        made = data.video(entry.items[0].dataset, entry.items[0].name).video_path
        path = source.video(*entry.key.rsplit("/", 1)).video_path
        assert made.samefile(path) or made.read_bytes() == path.read_bytes()


def test_all_tags_of_full_length_videos_come_along(made: Path) -> None:
    source = LocalProject.open(made / "input", actions=ACTIONS)
    key = next(e.key for e in manifest_of(made / "data").entries.values() if e.split is Split.TEST)
    _, name = key.rsplit("/", 1)
    tiny.annotate(
        source,
        name,
        tiny.SEVEN[name],
        ignored=[Interval(1, 4)],
        tags=[ProjectTag("rearing", Interval(5, 9))],
        video_tags=[ProjectTag("strain", value="C57BL/6")],
    )

    report = run(made / "input", made / "data")

    assert report.processed == [key]
    assert report.scan.unknown_tags == {"rearing": 1}
    assert "Unknown tag 'rearing' in 1 videos" in preprocess_text(report)
    data = LocalProject.open(made / "data")
    item = manifest_of(made / "data").entries[key].items[0]
    annotation = data.read(data.video(item.dataset, item.name))
    assert annotation.bouts == tiny.bouts(sorted(tiny.SEVEN[name], key=lambda b: b[1]))
    assert annotation.ignored == (Interval(1, 4),)
    assert annotation.tags == (ProjectTag("rearing", Interval(5, 9)),)
    assert annotation.video_tags == (ProjectTag("strain", value="C57BL/6"),)


def test_second_run_does_nothing_and_says_so(made: Path) -> None:
    before = tiny.modified(made)
    detector = tiny.BoxDetector()

    report = run(made / "input", made / "data", detector=detector)

    assert report.processed == []
    assert report.unchanged == 7
    assert detector.frames == 0
    assert preprocess_text(report).startswith("Nothing new: all 7 videos are up to date.")
    after = tiny.modified(made)
    hashes = "data/.mouse_ar/hashes.json"  # the copied input has other time stamps
    before.pop(hashes)
    after.pop(hashes)
    assert after == before


def test_new_video_touches_no_other(made: Path) -> None:
    before, splits = tiny.modified(made / "data"), _splits(made / "data")
    source = LocalProject.open(made / "input", actions=ACTIONS)
    tiny.add_video(source, "h.mp4", [(GROOMING, 20, 50)])

    report = run(made / "input", made / "data")

    key = f"{DATASET}/h.mp4"
    assert report.processed == [key]
    assert report.unchanged == 7
    after = tiny.modified(made / "data")
    changed = {name for name in after if after[name] != before.get(name)}
    assert {name for name in changed if name in before} <= {
        ".mouse_ar/manifest.json",
        ".mouse_ar/hashes.json",
    }
    new = names(made / "data")
    assert items_of(made / "data", key) <= new
    assert {k: s for k, s in _splits(made / "data").items() if k != key} == splits


def _splits(data: Path) -> dict[str, Split]:
    return {e.key: e.split for e in manifest_of(data).entries.values()}


def _train_key(data: Path) -> str:
    return next(
        e.key
        for e in manifest_of(data).entries.values()
        if e.split is Split.TRAIN and e.action_frames
    )


def test_changed_labels_remake_that_video_only(made: Path) -> None:
    key = _train_key(made / "data")
    stale, before = items_of(made / "data", key), tiny.modified(made / "data")
    source = LocalProject.open(made / "input", actions=ACTIONS)
    tiny.annotate(source, key.rsplit("/", 1)[1], [(GROOMING, 5, 70)])

    report = run(made / "input", made / "data")

    assert report.processed == [key]
    fresh, there = items_of(made / "data", key), names(made / "data")
    assert fresh <= there
    assert not (stale - fresh) & there
    prefix = key.rsplit("/", 1)[1].split(".")[0] + "_"
    after = tiny.modified(made / "data")
    for name, time in before.items():
        if Path(name).name.startswith(prefix) or name.startswith(".mouse_ar/"):
            continue
        assert after[name] == time, name
    assert not [n for n in after if n not in before and not Path(n).name.startswith(prefix)]


def test_changed_source_file_is_noticed(made: Path) -> None:
    key = f"{DATASET}/a.mp4"
    path = LocalProject.open(made / "input").video(DATASET, "a.mp4").video_path
    before = tiny.snapshot(made / "data", exclude=[".mouse_ar"])
    path.unlink()
    tiny.write_video(path, [(GROOMING, 12, 41)], seed=99)

    assert run(made / "input", made / "data").processed == [key]

    after = tiny.snapshot(made / "data", exclude=[".mouse_ar"])
    ours = {n for n in before if Path(n).name.startswith(slug(key))}
    assert ours
    # Same labels, so the same names and annotations: but every picture is another.
    assert set(after) == set(before)
    assert [n for n in ours if "/video/" in n and before[n] == after[n]] == []
    assert {n: before[n] for n in before if n not in ours} == {
        n: after[n] for n in after if n not in ours
    }


def test_settings_of_clips_leave_full_length_videos_alone(made: Path) -> None:
    splits = {k: e.split for k, e in manifest_of(made / "data").entries.items()}

    report = run(made / "input", made / "data", config=PreprocessConfig(detect_every=4, crf=30))

    assert report.processed == sorted(k for k, s in splits.items() if s is Split.TRAIN)
    assert report.unchanged == 7 - len(report.processed)


def test_report_says_what_the_data_cannot_do(tmp_path: Path) -> None:
    tiny.write_project(tmp_path / "input", {"a.mp4": [], "b.mp4": []})
    text = preprocess_text(run(tmp_path / "input", tmp_path / "data"))
    assert "No video is set aside for validation" in text
    assert "Warning: no video has a labelled action" in text


def test_report_of_good_data_has_no_remarks(made: Path) -> None:
    text = preprocess_text(run(made / "input", made / "data"))
    assert "set aside" not in text
    assert "Warning" not in text


def test_another_color_remakes_nothing(made: Path) -> None:
    recoloured = ACTIONS.to_dict()
    recoloured["actions"][0]["color"] = [1, 2, 3]
    actions = ActionSet.from_dict(recoloured)
    assert run(made / "input", made / "data", actions=actions).processed == []


def test_changed_clip_length_remakes_all_clips_without_leftovers(made: Path) -> None:
    config = PreprocessConfig(detect_every=4, max_seconds=2.5, min_seconds=2.5)

    report = run(made / "input", made / "data", config=config)

    assert len(report.processed) == 5  # val and test are full length
    manifest = manifest_of(made / "data")
    planned = {f"{i.dataset}/{i.name}" for e in manifest.entries.values() for i in e.items}
    assert names(made / "data") == planned
    assert not LocalProject.open(made / "data").incomplete()


def test_incremental_runs_end_like_one_run(made: Path) -> None:
    """Labels changed twice and back leave what there was."""
    key = _train_key(made / "data")
    before = tiny.snapshot(made / "data", exclude=[".mouse_ar"])
    source, name = LocalProject.open(made / "input", actions=ACTIONS), key.rsplit("/", 1)[1]
    tiny.annotate(source, name, [(TWITCH, 40, 44)])
    run(made / "input", made / "data")
    assert tiny.snapshot(made / "data", exclude=[".mouse_ar"]) != before
    tiny.annotate(source, name, tiny.SEVEN[name])

    run(made / "input", made / "data")

    planned = manifest_of(made / "data").entries[key]
    assert {f"{i.dataset}/{i.name}" for i in planned.items} <= names(made / "data")
    after = tiny.snapshot(made / "data", exclude=[".mouse_ar"])
    clips = {n: h for n, h in before.items() if "/idle/" not in f"/{n}"}
    assert {n: after.get(n) for n in clips if n.endswith(".mp4")} == {
        n: h for n, h in clips.items() if n.endswith(".mp4")
    }


def test_deleted_source_is_reported_and_removed_on_request(made: Path) -> None:
    key = _train_key(made / "data")
    items = items_of(made / "data", key)
    LocalProject.open(made / "input").remove(*key.rsplit("/", 1))
    before = tiny.modified(made / "data")

    report = run(made / "input", made / "data")
    assert (report.gone, report.removed) == ([key], [])
    assert f"{key} is gone from the input" in preprocess_text(report)
    assert tiny.modified(made / "data").keys() == before.keys()

    report = run(made / "input", made / "data", remove_deleted=True)
    assert (report.gone, report.removed) == ([], [key])
    assert not items & names(made / "data")
    assert key not in manifest_of(made / "data").entries


def test_killed_while_removing_a_source_that_comes_back(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = _train_key(made / "data")
    items, before = (
        items_of(made / "data", key),
        tiny.snapshot(made / "data", exclude=[".mouse_ar"]),
    )
    shutil.copytree(made / "input", made / "backup")
    LocalProject.open(made / "input").remove(*key.rsplit("/", 1))
    remove, done = LocalProject.remove, list[str]()

    def killed(self: LocalProject, dataset: str, name: str) -> None:
        remove(self, dataset, name)
        done.append(f"{dataset}/{name}")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(LocalProject, "remove", killed)
        with pytest.raises(KeyboardInterrupt):
            run(made / "input", made / "data", remove_deleted=True)
    assert set(done) < items
    shutil.rmtree(made / "input")
    (made / "backup").rename(made / "input")

    assert run(made / "input", made / "data").processed == [key]
    assert tiny.snapshot(made / "data", exclude=[".mouse_ar"]) == before


def test_killed_between_removing_and_planning(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = _train_key(made / "data")
    LocalProject.open(made / "input").remove(*key.rsplit("/", 1))

    def killed(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("mouse_ar.pipelines.preprocess.choose_splits", killed)
        with pytest.raises(KeyboardInterrupt):
            run(made / "input", made / "data", remove_deleted=True)

    assert key not in manifest_of(made / "data").entries
    assert all(entry.done for entry in manifest_of(made / "data").entries.values())


def test_lost_manifest_is_rebuilt_from_the_clips(made: Path) -> None:
    before, text = tiny.modified(made / "data"), timeless(made / "data")
    (made / "data/.mouse_ar/manifest.json").unlink()

    report = run(made / "input", made / "data")

    assert timeless(made / "data") == text
    assert set(report.processed) <= {k for k, e in _entries(made / "data").items() if not e.items}
    after = tiny.modified(made / "data")
    ours = (".mouse_ar/manifest.json", ".mouse_ar/hashes.json")
    assert {n: t for n, t in after.items() if n not in ours} == {
        n: t for n, t in before.items() if n not in ours
    }


def _entries(data: Path) -> dict[str, Any]:
    return dict(manifest_of(data).entries)


def test_lost_manifest_and_clip_are_both_made_again(made: Path) -> None:
    before, text = tiny.snapshot(made / "data", exclude=[".mouse_ar"]), timeless(made / "data")
    item = next(i for i in sorted(names(made / "data")) if i.startswith("Self-Grooming/"))
    LocalProject.open(made / "data").remove(*item.split("/"))
    (made / "data/.mouse_ar/manifest.json").unlink()

    run(made / "input", made / "data")

    assert tiny.snapshot(made / "data", exclude=[".mouse_ar"]) == before
    assert timeless(made / "data") == text


@pytest.mark.parametrize("content", ["{ not json", "[]", '{"version": 99, "videos": []}', "\xff"])
def test_damaged_manifest_stops_before_anything_is_lost(made: Path, content: str) -> None:
    path = made / "data/.mouse_ar/manifest.json"
    path.write_bytes(content.encode("latin-1"))
    before = tiny.modified(made / "data")

    with pytest.raises(ManifestError, match=r"manifest\.json: .*"):
        run(made / "input", made / "data")

    assert tiny.modified(made / "data") == before


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("input", "would lie inside the input"),
        ("input/data", "would lie inside the input"),
        ("link", "would lie inside the input"),
        (".", "lies inside the results"),
    ],
)
def test_input_and_results_must_lie_apart(made: Path, target: str, said: str) -> None:
    (made / "link").symlink_to(made / "input")
    before = tiny.modified(made)

    with pytest.raises(ValueError, match=said):
        run(made / "input", made / target)

    assert tiny.modified(made) == before
    assert not (made / target / ".mouse_ar").exists()


def test_second_run_at_the_same_time_is_refused(made: Path) -> None:
    before = tiny.modified(made / "data")
    with (
        Store(made / "data").lock(),
        pytest.raises(BusyError, match=r"Another run is writing to .*data"),
    ):
        run(made / "input", made / "data", config=PreprocessConfig(seed=5))
    assert tiny.modified(made / "data") == before


def test_broken_video_is_listed_and_the_others_complete(tmp_path: Path) -> None:
    project = tiny.write_project(tmp_path / "input", {k: tiny.SEVEN[k] for k in ("a.mp4", "b.mp4")})
    for name, content in (("broken.mp4", b"no video at all"), ("empty.mp4", b"")):
        tiny.annotate(project, name, [(GROOMING, 5, 20)])
        project.video(DATASET, name).video_path.write_bytes(content)
    tiny.annotate(project, "missing.mp4", [(GROOMING, 5, 20)])
    (tmp_path / "input" / "cohort/datasets/day1/ann/b2.mp4.json").write_text("{")
    shutil.copy(
        project.video(DATASET, "b.mp4").video_path, project.video(DATASET, "b2.mp4").video_path
    )

    report = run(tmp_path / "input", tmp_path / "data")

    assert report.processed == [f"{DATASET}/a.mp4", f"{DATASET}/b.mp4"]
    assert set(report.failures) == {
        f"{DATASET}/{name}" for name in ("broken.mp4", "empty.mp4", "missing.mp4", "b2.mp4")
    }
    assert "broken.mp4" in report.failures[f"{DATASET}/broken.mp4"]
    assert "not valid JSON" in report.failures[f"{DATASET}/b2.mp4"]
    assert "no video file" in report.failures[f"{DATASET}/missing.mp4"]
    text = preprocess_text(report)
    assert "2 videos processed" in text
    assert text.count("FAILED: ") == 4
    # A repaired one is taken up, the others stay as they are.
    project.remove(DATASET, "broken.mp4")
    tiny.add_video(project, "broken.mp4", [(GROOMING, 5, 20)])
    assert run(tmp_path / "input", tmp_path / "data").processed == [f"{DATASET}/broken.mp4"]


def test_unusable_videos_take_no_place_in_the_splits(tmp_path: Path) -> None:
    labels = {k: tiny.SEVEN[k] for k in ("a.mp4", "b.mp4")}
    project = tiny.write_project(tmp_path / "input", labels)
    for number in range(6):
        tiny.annotate(project, f"broken{number}.mp4", [(GROOMING, 5, 20)])
        project.video(DATASET, f"broken{number}.mp4").video_path.write_bytes(b"no video")

    report = run(tmp_path / "input", tmp_path / "data", config=PreprocessConfig(test_videos=1))

    assert report.splits == {"train": 1, "test": 1}


def test_a_video_that_breaks_later_keeps_its_clips(made: Path) -> None:
    key = _train_key(made / "data")
    items, text = items_of(made / "data", key), timeless(made / "data")
    path = LocalProject.open(made / "input").video(*key.rsplit("/", 1)).video_path
    path.unlink()
    path.write_bytes(b"damaged")

    report = run(made / "input", made / "data", remove_deleted=True)

    assert list(report.failures) == [key]
    assert items <= names(made / "data")
    assert timeless(made / "data") == text


def test_only_reviewed_predictions_are_used(tmp_path: Path) -> None:
    project = LocalProject.create(tmp_path / "input", actions=ACTIONS, confidence=True)
    for name, tags in (("new.mp4", ()), ("checked.mp4", (ProjectTag("reviewed"),))):
        tiny.write_video(project.video(DATASET, name).video_path, [(GROOMING, 10, 40)])
        tiny.annotate(
            project,
            name,
            [(GROOMING, 10, 40)],
            video_tags=tags,
            provenance={"kind": "prediction"},
        )

    report = run(tmp_path / "input", tmp_path / "data")

    assert report.processed == [f"{DATASET}/checked.mp4"]
    assert report.scan.skipped == [f"{DATASET}/new.mp4"]
    assert "1 predicted videos without the tag 'reviewed' were left out" in preprocess_text(report)


def test_groups_are_never_split(tmp_path: Path) -> None:
    labels = {f"{animal}{n}.mp4": [(GROOMING, 10, 40)] for animal in "xyz" for n in range(2)}
    project = tiny.write_project(tmp_path / "input", labels)
    groups = {f"{DATASET}/{name}": name[0] for name in labels}
    config = PreprocessConfig(detect_every=10, test_videos=2)

    run(tmp_path / "input", tmp_path / "data", groups=groups, config=config)
    first = _splits(tmp_path / "data")
    # A video of the test animal arrives after the others of that animal are gone.
    test = next(groups[k] for k, s in first.items() if s is Split.TEST)
    for name in labels:
        if name.startswith(test):
            project.remove(DATASET, name)
    tiny.add_video(project, f"{test}9.mp4", [(GROOMING, 10, 40)])
    groups[f"{DATASET}/{test}9.mp4"] = test
    run(tmp_path / "input", tmp_path / "data", groups=groups, config=config)

    for splits in (first, _splits(tmp_path / "data")):
        by_group: dict[str, set[Split]] = {}
        for key, split in splits.items():
            by_group.setdefault(groups[key], set()).add(split)
        assert all(len(found) == 1 for found in by_group.values()), by_group
    assert {k: _splits(tmp_path / "data")[k] for k in first} == first


def test_wanted_splits_are_kept_to_and_a_change_moves_the_video(made: Path) -> None:
    key = _train_key(made / "data")
    stale = items_of(made / "data", key)

    report = run(made / "input", made / "data", splits={key: Split.TEST})

    assert report.processed == [key]
    assert _splits(made / "data")[key] is Split.TEST
    assert not stale & names(made / "data")
    assert run(made / "input", made / "data").processed == []


def test_start_that_was_killed_at_once_is_taken_up(made: Path) -> None:
    """Half-written first files are no reason to refuse the folder, and they are cleared away."""
    target = made / "fresh"
    (target / ".mouse_ar").mkdir(parents=True)
    leftovers = [".meta.json.tmp", ".mouse_ar/.manifest.json.tmp"]
    for name in leftovers:
        (target / name).write_bytes(b"half")

    run(made / "input", target)

    assert not [name for name in leftovers if (target / name).exists()]
    assert tiny.snapshot(target, exclude=[".mouse_ar"]) == tiny.snapshot(
        made / "data", exclude=[".mouse_ar"]
    )


def test_a_project_with_tags_that_do_not_fit_is_refused_and_left_alone(
    made: Path, tmp_path: Path
) -> None:
    target = tmp_path / "predictions"
    LocalProject.create(target, actions=ACTIONS, confidence=True)
    before = sorted(target.rglob("*"))
    with pytest.raises(ValueError, match=GROOMING):
        run(made / "input", target)
    assert sorted(target.rglob("*")) == before


def test_a_foreign_folder_is_refused_and_left_alone(made: Path) -> None:
    target = made / "thesis"
    (target / "chapter").mkdir(parents=True)
    for name in ("text.md", ".draft.tmp", "chapter/.draft.tmp"):
        (target / name).write_text("mine")
    before = tiny.modified(target)

    with pytest.raises(FileExistsError, match="is no Supervisely project"):
        run(made / "input", target)

    assert tiny.modified(target) == before
    assert not (target / ".mouse_ar").exists()


def test_only_our_own_half_written_files_are_cleared_away(made: Path) -> None:
    ours = [".meta.json.tmp", "test/ann/.x.mp4.json.tmp", "idle/video/.x.mp4.tmp"]
    foreign = [".draft.tmp", "test/.draft.tmp", "notes/.draft.tmp", "notes/.movie.mp4.partial"]
    (made / "data/notes").mkdir()
    for name in (*ours, *foreign):
        (made / "data" / name).write_text("half")

    run(made / "input", made / "data")

    assert not [name for name in ours if (made / "data" / name).exists()]
    assert all((made / "data" / name).exists() for name in foreign)


def test_short_side_scales_boxes_with_the_picture(tmp_path: Path) -> None:
    project = LocalProject.create(tmp_path / "input", actions=ACTIONS)
    path = project.video(DATASET, "wide.mp4").video_path
    with VideoWriter(path, width=256, height=128, fps=10, preset="ultrafast") as out:
        for _ in range(40):
            out.write(np.zeros((128, 256, 3), dtype=np.uint8))
    project.write(
        DATASET,
        "wide.mp4",
        VideoAnnotation(40, 128, 256, bouts=tiny.bouts([(GROOMING, 10, 30)])),
    )

    run(tmp_path / "input", tmp_path / "data", config=PreprocessConfig(short_side=64))

    data = LocalProject.open(tmp_path / "data")
    annotation = data.read(data.videos()[0])
    assert (annotation.width, annotation.height) == (128, 64)
    assert annotation.track is not None
    np.testing.assert_allclose(annotation.track.boxes_T4[5], [6, 4, 26, 28])


def test_a_project_without_videos_is_an_error(tmp_path: Path) -> None:
    LocalProject.create(tmp_path / "input", actions=ACTIONS)
    with pytest.raises(ValueError, match=r"holds no videos.*import-annotations"):
        run(tmp_path / "input", tmp_path / "data")


def test_labels_past_the_counted_end_are_reported(tmp_path: Path) -> None:
    project = tiny.write_project(tmp_path / "input", {"a.mp4": ()})
    labels = [
        (GROOMING, 60, tiny.NUM_FRAMES + 5),
        (TWITCH, tiny.NUM_FRAMES + 8, tiny.NUM_FRAMES + 10),
    ]
    tiny.annotate(project, "a.mp4", labels, num_frames=tiny.NUM_FRAMES + 20)
    report = run(tmp_path / "input", tmp_path / "data")
    assert any("2 labels reach past the last" in text for text in report.scan.problems)


def test_a_group_given_later_is_kept_without_the_table(made: Path) -> None:
    key = _train_key(made / "data")
    run(made / "input", made / "data", groups={key: "litter"})
    assert manifest_of(made / "data").entries[key].group == "litter"
    assert run(made / "input", made / "data").processed == []
    tiny.annotate(LocalProject.open(made / "input"), Path(key).name, [(GROOMING, 3, 30)])
    assert run(made / "input", made / "data").processed == [key]
    assert manifest_of(made / "data").entries[key].group == "litter"


def test_clips_go_when_a_review_is_taken_back(tmp_path: Path) -> None:
    project = LocalProject.create(tmp_path / "input", actions=ACTIONS)
    for name in ("a.mp4", "b.mp4"):
        tiny.write_video(project.video(DATASET, name).video_path)
    options: dict[str, Any] = {"provenance": {"kind": "prediction"}}
    reviewed = (ProjectTag("reviewed"),)
    labels = [(GROOMING, 10, 40)]
    for name in ("a.mp4", "b.mp4"):
        tiny.annotate(project, name, labels, video_tags=reviewed, **options)
    run(tmp_path / "input", tmp_path / "data")
    tiny.annotate(project, "b.mp4", labels, **options)
    assert run(tmp_path / "input", tmp_path / "data").gone == [f"{DATASET}/b.mp4"]
    report = run(tmp_path / "input", tmp_path / "data", remove_deleted=True)
    assert report.removed == [f"{DATASET}/b.mp4"]
    assert not [name for name in names(tmp_path / "data") if "/b_" in name]
