"""Annotating videos: every frame scored, tables right, resumable, failures told."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tiny
from colour_model import ColourModel, predictor
from mouse_ar.core.types import Interval
from mouse_ar.data.annotations import ProjectTag
from mouse_ar.data.local_project import LocalProject
from mouse_ar.pipelines.infer import InferReport, infer
from mouse_ar.pipelines.inputs import find_videos
from mouse_ar.pipelines.results import load_scores
from mouse_ar.pipelines.store import BusyError, Store
from mouse_ar.report.runs import infer_text
from mouse_ar.video.probe import probe
from tiny import ACTIONS, DATASET, GROOMING, TWITCH

LABELS = [(GROOMING, 10, 40), (TWITCH, 60, 63)]


def run(source: Path, output: Path, **options: Any) -> InferReport:
    settings = {"predictor": predictor(), "detector": tiny.BoxDetector(), "detect_every": 4}
    return infer(source, output, **{**settings, **options})


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("infer")
    tiny.write_video(root / "videos/cage 1/a.mp4", LABELS)
    tiny.write_video(root / "videos/b.mp4", [(GROOMING, 30, 50)])
    run(root / "videos", root / "out")
    return root


@pytest.fixture
def done(first: Path, tmp_path: Path) -> Path:
    shutil.copytree(first, tmp_path / "run", copy_function=shutil.copy2)
    return tmp_path / "run"


def test_project_has_tags_with_confidence_and_boxes(first: Path) -> None:
    project = LocalProject.open(first / "out/project")
    assert [v.key for v in project.videos()] == ["cage 1/a.mp4", "videos/b.mp4"]
    annotation = project.read(project.video("cage 1", "a.mp4"))
    assert [b.action for b in annotation.bouts] == [GROOMING, TWITCH]
    for bout, (_, start, stop) in zip(annotation.bouts, LABELS, strict=True):
        assert abs(bout.interval.start - start) <= 2
        assert abs(bout.interval.stop - stop) <= 2
        assert 0 < bout.confidence < 1
    assert annotation.track is not None
    assert annotation.track.present_T.all()
    assert annotation.provenance["kind"] == "prediction"
    tags = {tag["name"]: tag["value_type"] for tag in project.meta["tags"]}
    assert tags[GROOMING] == tags[TWITCH] == "any_number"


def test_every_frame_has_a_score(first: Path) -> None:
    paths = sorted((first / "out/scores").glob("*.npz"))
    assert len(paths) == 2
    for path in paths:
        scores, times, header = load_scores(path)
        assert scores.scores_TK.shape == (tiny.NUM_FRAMES, 3)
        np.testing.assert_allclose(scores.scores_TK.sum(axis=1), 1, atol=2e-3)
        np.testing.assert_allclose(times, np.arange(tiny.NUM_FRAMES) / tiny.FPS, atol=1e-4)
        assert header["checkpoint_sha256"] == "0" * 64


def test_tables_hold_inclusive_frames_and_seconds(first: Path) -> None:
    project = LocalProject.open(first / "out/project")
    bouts = rows(first / "out/bouts.csv")
    assert [row["video"] for row in bouts] == ["cage 1/a.mp4"] * 2 + ["videos/b.mp4"]
    grooming = project.read(project.video("cage 1", "a.mp4")).bouts[0].interval
    row = bouts[0]
    assert (int(row["start_frame"]), int(row["end_frame"])) == grooming.inclusive
    assert float(row["start_seconds"]) == pytest.approx(grooming.start / 10, abs=2e-3)
    assert float(row["end_seconds"]) == pytest.approx(grooming.stop / 10, abs=2e-3)
    assert float(row["duration_seconds"]) == pytest.approx(grooming.length / 10, abs=2e-3)
    assert 0 < float(row["confidence"]) < 1
    summary = {(r["video"], r["action"]): r for r in rows(first / "out/summary.csv")}
    assert len(summary) == 4
    assert summary["videos/b.mp4", TWITCH]["count"] == "0"
    assert summary["videos/b.mp4", TWITCH]["latency_seconds"] == ""
    assert summary["cage 1/a.mp4", GROOMING]["latency_seconds"] == row["start_seconds"]
    budget = float(summary["cage 1/a.mp4", GROOMING]["time_budget"])
    assert budget == pytest.approx(grooming.length / tiny.NUM_FRAMES, abs=2e-3)


def test_bins_are_written_when_asked_for_and_agree_with_the_other_tables(done: Path) -> None:
    run(done / "videos", done / "out", bin_minutes=3 / 60)
    bins = rows(done / "out/bins.csv")
    for row in rows(done / "out/summary.csv"):
        own = [b for b in bins if (b["video"], b["action"]) == (row["video"], row["action"])]
        assert [(b["start_frame"], b["end_frame"]) for b in own] == [
            ("0", "29"),
            ("30", "59"),
            ("60", "79"),
        ]
        assert own[-1]["end_seconds"] == "8.000"
        assert sum(int(b["count"]) for b in own) == int(row["count"])
        total = sum(float(b["seconds"]) for b in own)
        assert total == pytest.approx(float(row["total_seconds"]), abs=2e-3)

    run(done / "videos", done / "out")

    assert not (done / "out/bins.csv").exists()


def test_seconds_follow_the_time_stamps_of_a_variable_rate(tmp_path: Path) -> None:
    steps = np.where(np.arange(tiny.NUM_FRAMES) < 40, 0.1, 0.15)
    times = np.concatenate([[0], np.cumsum(steps)[:-1]])
    path = tiny.write_video(tmp_path / "vfr.mp4", [(GROOMING, 30, 60)], times=list(times))
    assert probe(path).is_vfr

    run(path, tmp_path / "out")

    row = rows(tmp_path / "out/bouts.csv")[0]
    start, end = int(row["start_frame"]), int(row["end_frame"])
    assert start < 40 < end
    assert float(row["start_seconds"]) == pytest.approx(times[start], abs=2e-3)
    assert float(row["end_seconds"]) == pytest.approx(times[end + 1], abs=2e-3)


def test_second_run_scores_nothing_again(done: Path) -> None:
    before = tiny.snapshot(done / "out", exclude=[".mouse_ar"])
    model, detector = ColourModel(), tiny.BoxDetector()

    report = run(done / "videos", done / "out", predictor=predictor(model=model), detector=detector)

    assert (model.windows, detector.frames) == (0, 0)
    assert report.resumed == ["cage 1/a.mp4", "videos/b.mp4"]
    assert tiny.snapshot(done / "out", exclude=[".mouse_ar"]) == before
    assert "2 videos annotated (2 from an earlier run)" in infer_text(report)


def test_changed_video_alone_is_scored_again(done: Path) -> None:
    path = done / "videos/b.mp4"
    path.unlink()
    tiny.write_video(path, [(GROOMING, 5, 70)])

    report = run(done / "videos", done / "out")

    assert report.resumed == ["cage 1/a.mp4"]
    project = LocalProject.open(done / "out/project")
    video = project.video("videos", "b.mp4")
    assert video.video_path.read_bytes() == path.read_bytes()
    assert project.read(video).bouts[0].interval.length > 55
    assert len(project.videos()) == 2


def test_another_model_scores_again_and_other_decoding_only_decodes(done: Path) -> None:
    assert run(done / "videos", done / "out", predictor=predictor(sha256="1" * 64)).resumed == []
    strict = predictor().decoding.with_overrides({f"{TWITCH}.threshold": 0.999}, actions=ACTIONS)
    changed = predictor(sha256="1" * 64, decoding=strict)

    report = run(done / "videos", done / "out", predictor=changed)

    assert len(report.resumed) == 2
    assert TWITCH not in (done / "out/bouts.csv").read_text()


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "foreign"])
def test_damaged_scores_are_made_again(done: Path, damage: str) -> None:
    path = min((done / "out/scores").glob("*.npz"))
    content = bytearray(path.read_bytes())
    content[60:90] = bytes(30)
    path.write_bytes(
        {"cut": content[:100], "flipped": content, "empty": b"", "foreign": b"x" * 999}[damage]
    )
    assert len(run(done / "videos", done / "out").resumed) == 1
    load_scores(path)


def test_reviewed_video_keeps_what_the_reviewer_wrote(done: Path) -> None:
    project = LocalProject.open(done / "out/project")
    video = project.video("videos", "b.mp4")
    project.add_tags(video, [ProjectTag("reviewed"), ProjectTag(TWITCH, Interval(70, 73), 1.0)])
    before = video.ann_path.read_bytes()

    report = run(done / "videos", done / "out", predictor=predictor(sha256="2" * 64))

    assert video.ann_path.read_bytes() == before
    assert any("videos/b.mp4: is marked 'reviewed'" in text for text in report.warnings)
    by_video = {row["video"]: row for row in rows(done / "out/bouts.csv")}
    assert by_video["cage 1/a.mp4"]["reviewed"] == "no"
    last = by_video["videos/b.mp4"]
    assert (last["action"], last["start_frame"], last["end_frame"]) == (TWITCH, "70", "72")
    assert last["reviewed"] == "yes"
    summary = {(r["video"], r["action"]): r for r in rows(done / "out/summary.csv")}
    assert summary["videos/b.mp4", TWITCH]["count"] == "1"
    assert summary["videos/b.mp4", TWITCH]["reviewed"] == "yes"


def test_another_video_under_a_reviewed_name_is_refused_and_nothing_is_lost(done: Path) -> None:
    project = LocalProject.open(done / "out/project")
    video = project.video("videos", "b.mp4")
    project.add_tags(video, [ProjectTag("reviewed")])
    before = (video.ann_path.read_bytes(), video.video_path.read_bytes())
    (done / "videos/b.mp4").unlink()
    tiny.write_video(done / "videos/b.mp4", [(GROOMING, 5, 70)])

    report = run(done / "videos", done / "out")

    assert "Rename it, or remove the tag 'reviewed'" in report.failures["videos/b.mp4"]
    assert (video.ann_path.read_bytes(), video.video_path.read_bytes()) == before
    assert {row["video"] for row in rows(done / "out/bouts.csv")} == {
        "cage 1/a.mp4",
        "videos/b.mp4",
    }


def test_tables_hold_the_videos_of_earlier_runs_too(done: Path) -> None:
    before = [(done / "out" / name).read_text() for name in ("bouts.csv", "summary.csv")]
    (done / "videos/b.mp4").unlink()

    report = run(done / "videos", done / "out")

    assert [result.key for result in report.results] == ["cage 1/a.mp4"]
    assert [(done / "out" / name).read_text() for name in ("bouts.csv", "summary.csv")] == before


def test_broken_videos_are_listed_and_the_rest_completes(tmp_path: Path) -> None:
    tiny.write_video(tmp_path / "in/good.mp4", LABELS)
    (tmp_path / "in/broken.mp4").write_bytes(b"no video")
    (tmp_path / "in/empty.avi").write_bytes(b"")
    (tmp_path / "in/._good.mp4").write_bytes(b"what macOS leaves behind")

    report = run(tmp_path / "in", tmp_path / "out")

    assert [result.key for result in report.results] == ["videos/good.mp4"]
    assert set(report.failures) == {"videos/broken.mp4", "videos/empty.avi"}
    assert infer_text(report).count("FAILED: ") == 2
    assert {row["video"] for row in rows(tmp_path / "out/bouts.csv")} == {"videos/good.mp4"}


@pytest.mark.parametrize("num_frames", [1, 2, 3])
def test_videos_shorter_than_a_window_are_scored(tmp_path: Path, num_frames: int) -> None:
    path = tiny.write_video(
        tmp_path / "short.mp4", [(GROOMING, 0, num_frames)], num_frames=num_frames
    )
    report = run(path, tmp_path / "out")
    assert report.failures == {}
    scores, _, _ = load_scores(next((tmp_path / "out/scores").glob("*.npz")))
    assert scores.num_frames == num_frames
    assert (scores.of(GROOMING) > 0.5).all()


def test_video_without_a_mouse_has_scores_and_no_bouts(tmp_path: Path) -> None:
    path = tiny.write_video(tmp_path / "none.mp4", LABELS)
    report = run(path, tmp_path / "out", detector=tiny.BoxDetector(found=False))
    assert report.warnings == ["videos/none.mp4: no mouse was found in any frame."]
    assert report.results[0].ethogram.bouts == ()
    scores, _, _ = load_scores(next((tmp_path / "out/scores").glob("*.npz")))
    assert (scores.of(ACTIONS.background) == 1).all()


def test_other_frame_rate_is_adapted_to_and_noted(tmp_path: Path) -> None:
    labels = [(action, 3 * start, 3 * stop) for action, start, stop in LABELS]
    path = tiny.write_video(tmp_path / "fast.mp4", labels, num_frames=240, fps=30)
    report = run(path, tmp_path / "out", detect_every=20)
    assert any("30.0 fps" in text and "every 3. frame" in text for text in report.warnings)
    assert [b.action for b in report.results[0].ethogram.bouts] == [GROOMING, TWITCH]
    slightly = tiny.write_video(tmp_path / "near.mp4", fps=11, num_frames=20)
    assert predictor().fps_warning(probe(slightly)) is None


def test_project_as_input_keeps_its_datasets_and_not_its_labels(tmp_path: Path) -> None:
    source = tiny.write_project(tmp_path / "in", {"a.mp4": LABELS})
    tiny.annotate(source, "a.mp4", [(TWITCH, 20, 23)])
    before = tiny.snapshot(tmp_path / "in")

    run(tmp_path / "in", tmp_path / "out")

    assert tiny.snapshot(tmp_path / "in") == before
    project = LocalProject.open(tmp_path / "out/project")
    assert [v.key for v in project.videos()] == [f"{DATASET}/a.mp4"]
    bouts = project.read(project.videos()[0]).bouts
    assert [b.action for b in bouts] == [GROOMING, TWITCH]
    assert bouts[1].interval.start > 50


def test_overlay_is_drawn_on_request(tmp_path: Path) -> None:
    path = tiny.write_video(tmp_path / "v.mp4", LABELS, num_frames=20)
    run(path, tmp_path / "out", overlay=True)
    assert probe(next((tmp_path / "out/overlays").glob("*.mp4"))).num_frames == 20


def test_what_cannot_be_input_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"does not exist\. Give a video, a folder or a"):
        find_videos(tmp_path / "nothing")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(ValueError, match=r"notes.txt: expected a file ending in .*\.mp4"):
        find_videos(tmp_path / "notes.txt")
    with pytest.raises(FileNotFoundError, match="holds no videos: looked for"):
        find_videos(tmp_path)
    tiny.write_video(tmp_path / "v.mp4", num_frames=3)
    with pytest.raises(ValueError, match="would lie inside the input"):
        run(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_results_are_no_input_of_their_own_run(done: Path) -> None:
    """Corrected tags in the results' project would be overwritten."""
    before = tiny.modified(done)
    with pytest.raises(ValueError, match="lies inside the results"):
        run(done / "out/project", done / "out")
    assert tiny.modified(done) == before


def test_foreign_files_beside_the_results_stay(done: Path) -> None:
    ours = ["scores/.x.npz.tmp", "project/videos/ann/.x.json.tmp", ".bouts.csv.tmp"]
    foreign = [".draft.tmp", "another run/.bouts.csv.tmp"]
    (done / "out/another run").mkdir()
    for name in (*ours, *foreign):
        (done / "out" / name).write_text("half")

    run(done / "videos", done / "out")

    assert not [name for name in ours if (done / "out" / name).exists()]
    assert all((done / "out" / name).exists() for name in foreign)


def test_foreign_project_folder_is_refused_and_left_alone(tmp_path: Path) -> None:
    tiny.write_video(tmp_path / "v.mp4", num_frames=3)
    (tmp_path / "out/project").mkdir(parents=True)
    (tmp_path / "out/project/text.md").write_text("mine")
    with pytest.raises(FileExistsError, match="is no Supervisely project"):
        run(tmp_path / "v.mp4", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["project"]


def test_two_runs_into_one_folder_are_refused(done: Path) -> None:
    before = tiny.modified(done / "out")
    with Store(done / "out").lock(), pytest.raises(BusyError, match="Another run is writing to"):
        run(done / "videos", done / "out")
    assert tiny.modified(done / "out") == before


def test_files_that_would_share_a_place_are_refused(tmp_path: Path) -> None:
    for name in ("a.mp4", "videos/a.mp4", "b.mp4"):
        tiny.write_video(tmp_path / "in" / name, LABELS)
    report = run(tmp_path / "in", tmp_path / "out")
    assert list(report.failures) == ["videos/a.mp4"]
    assert "rename one of the folders" in report.failures["videos/a.mp4"]
    assert [result.key for result in report.results] == ["videos/b.mp4"]
