"""From predictions to a queue, and from what a reviewer makes of it to training data."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tiny
from colour_model import predictor
from made_results import DECODING, FPS, add_result, scores
from mouse_ar.core.types import Bout, Interval
from mouse_ar.data.annotations import REVIEW_TAG, REVIEWED_TAG, ProjectTag
from mouse_ar.data.local_project import LocalProject
from mouse_ar.pipelines.config import PreprocessConfig
from mouse_ar.pipelines.infer import infer
from mouse_ar.pipelines.preprocess import preprocess
from mouse_ar.pipelines.results import scores_path
from mouse_ar.pipelines.results_folder import ResultsFolder, open_results
from mouse_ar.pipelines.review import QUEUE_COLUMNS, review_queue, tag_queue, write_queue
from mouse_ar.pipelines.store import BusyError, Store
from tiny import ACTIONS, GROOMING, TWITCH


def plateau(*parts: tuple[int, int, float], frames: int = 600) -> np.ndarray:
    curve = np.full(frames, 0.01)
    for start, stop, height in parts:
        curve[start:stop] = height
    return curve


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    doubtful = scores(self=plateau((100, 150, 0.72), (400, 450, 0.6)))
    add_result(tmp_path / "out", "cage/a.mp4", doubtful)
    add_result(tmp_path / "out", "cage/b.mp4", scores(self=plateau((100, 150, 0.995))))
    checked = scores(self=plateau((100, 150, 0.7)))
    add_result(tmp_path / "out", "cage/checked.mp4", checked, reviewed=True)
    return tmp_path / "out"


def labels(tmp_path: Path, **bouts: list[tuple[str, int, int]]) -> LocalProject:
    project = LocalProject.create(tmp_path / "labels", actions=ACTIONS, with_files=False)
    for name, own in bouts.items():
        tiny.annotate(project, f"{name}.mp4", own, dataset="cage", num_frames=600)
    return project


def annotations(results: ResultsFolder) -> dict[str, bytes]:
    return {key: results.video(key).ann_path.read_bytes() for key in results.results}


def test_doubtful_bouts_of_all_videos_are_ranked(folder: Path, tmp_path: Path) -> None:
    queue = review_queue(open_results(folder))
    write_queue(tmp_path / "queue.csv", queue)
    with (tmp_path / "queue.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [column.name for column in QUEUE_COLUMNS]
    assert [(row["rank"], row["video"], row["action"]) for row in rows] == [
        ("1", "cage/a.mp4", GROOMING),
        ("2", "cage/a.mp4", GROOMING),
    ]
    item = queue.entries[0].item.interval
    assert (int(rows[0]["start_frame"]), int(rows[0]["end_frame"])) == item.inclusive
    assert float(rows[0]["start_seconds"]) == pytest.approx(item.start / FPS)
    assert float(rows[0]["end_seconds"]) == pytest.approx(item.stop / FPS)
    assert float(rows[0]["look_from_seconds"]) == pytest.approx(item.start / FPS - 1)
    assert float(rows[0]["look_to_seconds"]) == pytest.approx(item.stop / FPS + 1)
    assert rows[0]["reason"] == "just found: score 0.72, threshold 0.70"
    assert queue.seconds == pytest.approx(sum(e.look.length for e in queue.entries) / FPS)


def test_the_best_alone(folder: Path) -> None:
    queue = review_queue(open_results(folder), top=1)
    assert (len(queue.entries), queue.in_all) == (1, 2)
    assert queue.seconds == pytest.approx(queue.entries[0].look.length / FPS)


def test_labels_that_a_sure_model_contradicts(folder: Path, tmp_path: Path) -> None:
    project = labels(tmp_path, a=[(GROOMING, 100, 150)], b=[(GROOMING, 300, 350)])
    queue = review_queue(open_results(folder), labels=project)
    b = {e.item.reason.split(":")[0] for e in queue.entries if e.result.key == "cage/b.mp4"}
    assert b == {"found, not labelled", "labelled, not found"}
    assert queue.notes == ()
    fewer = labels(tmp_path / "fewer", b=[(GROOMING, 100, 150)])
    queue = review_queue(open_results(folder), labels=fewer)
    assert {entry.result.key for entry in queue.entries} == {"cage/a.mp4"}
    assert queue.notes == (f"cage/a.mp4: has no labels in {fewer.path}",)


def test_labels_of_another_video_are_not_used(folder: Path, tmp_path: Path) -> None:
    project = labels(tmp_path, a=[], b=[])
    tiny.annotate(project, "b.mp4", [], dataset="cage", num_frames=10)
    queue = review_queue(open_results(folder), labels=project)
    assert not [e for e in queue.entries if e.result.key == "cage/b.mp4"]
    assert "are of 10 frames, the video has 600" in queue.notes[0]
    tiny.annotate(project, "a.mp4", [], dataset="cage2/cage", num_frames=600)
    with pytest.raises(ValueError, match=r"cage/a\.mp4 fits cage/a\.mp4, cage2/cage/a\.mp4"):
        review_queue(open_results(folder), labels=project)


def test_what_is_missing_is_told(folder: Path) -> None:
    results = open_results(folder)
    with pytest.raises(ValueError, match="does not say how its bouts were decoded: run"):
        review_queue(replace(results, decoding=None))
    only = {GROOMING: DECODING[GROOMING]}
    with pytest.raises(ValueError, match=f"no decoding of {TWITCH}, only of {GROOMING}"):
        review_queue(results, decoding=type(DECODING)(only))
    scores_path(folder, "cage/a.mp4").unlink()
    queue = review_queue(results)
    assert queue.entries == ()
    assert "cage/a.mp4: is left out: " in queue.notes[0]


def test_tags_say_why_and_a_second_run_replaces_them(folder: Path) -> None:
    results = open_results(folder)
    before = {key: results.project.read(results.video(key)) for key in results.results}
    queue = review_queue(results)

    assert tag_queue(results, queue) == 2

    tagged = results.project.read(results.video("cage/a.mp4"))
    assert {(t.name, t.interval) for t in tagged.tags} == {
        (REVIEW_TAG, entry.item.interval) for entry in queue.entries
    }
    assert f"{GROOMING}: just found: score 0.72, threshold 0.70" in {t.value for t in tagged.tags}
    assert tagged.bouts == before["cage/a.mp4"].bouts
    assert tagged.unknown_tags == ()
    assert {t["value_type"] for t in results.project.meta["tags"] if t["name"] == REVIEW_TAG} == {
        "any_string"
    }
    once = annotations(results)
    tag_queue(open_results(folder), review_queue(open_results(folder)))
    assert annotations(results) == once

    best = review_queue(results, top=1)
    tag_queue(results, best)
    (left,) = results.project.read(results.video("cage/a.mp4")).tags
    assert left.interval == best.entries[0].item.interval
    tag_queue(results, replace(best, entries=()))
    assert results.project.read(results.video("cage/a.mp4")).tags == ()


def test_tags_are_not_written_beside_a_run(folder: Path) -> None:
    results = open_results(folder)
    before = annotations(results)
    with Store(folder).lock(), pytest.raises(BusyError):
        tag_queue(results, review_queue(results))
    assert annotations(results) == before


def test_what_a_reviewer_corrects_becomes_training_data(tmp_path: Path) -> None:
    """Predictions, the queue's tags, a person's corrections, and the clips made of them."""
    videos = {"a.mp4": [(GROOMING, 10, 40)], "b.mp4": [(GROOMING, 30, 60)]}
    for name, events in videos.items():
        tiny.write_video(tmp_path / "videos/cage" / name, events)
    infer(tmp_path / "videos", tmp_path / "out", predictor=predictor(), detector=tiny.BoxDetector())
    # Somebody has labelled another part of a: the model is sure, and contradicts.
    wrong = LocalProject.create(tmp_path / "labels", actions=ACTIONS, with_files=False)
    tiny.annotate(wrong, "a.mp4", [(GROOMING, 60, 75)], dataset="cage")
    tiny.annotate(wrong, "b.mp4", videos["b.mp4"], dataset="cage")
    results = open_results(tmp_path / "out")
    queue = review_queue(results, labels=wrong)
    assert queue.entries[0].result.key == "cage/a.mp4"
    tag_queue(results, queue)

    # The reviewer moves the bout where the queue pointed to, and marks the video.
    video = results.video("cage/a.mp4")
    seen = results.project.read(video)
    assert {tag.name for tag in seen.tags} == {REVIEW_TAG}
    corrected = (Bout(Interval(12, 38), GROOMING), Bout(Interval(70, 73), TWITCH))
    results.project.write(
        "cage",
        "a.mp4",
        replace(seen, bouts=corrected, video_tags=(ProjectTag(REVIEWED_TAG),)),
    )
    config = PreprocessConfig(detect_every=20, test_videos=0)

    def prepare() -> tuple[list[str], list[str]]:
        report = preprocess(
            tmp_path / "out/project",
            tmp_path / "data",
            actions=ACTIONS,
            config=config,
            detector=tiny.BoxDetector(),
        )
        assert not report.scan.unknown_tags
        assert report.scan.skipped == ["cage/b.mp4"]
        return report.processed, report.scan.problems

    assert prepare() == (["cage/a.mp4"], [])
    data = LocalProject.open(tmp_path / "data")
    clips = [data.read(clip) for clip in data.videos()]
    for bout in corrected:
        frames = {
            frame + clip.provenance["item"]["start_frame"]
            for clip in clips
            for own in clip.bouts
            if own.action == bout.action
            for frame in range(own.interval.start, own.interval.stop)
        }
        assert frames == set(range(bout.interval.start, bout.interval.stop))
    assert not [tag for clip in clips for tag in clip.tags]

    # A new queue changes nothing of what was made of the labels.
    results = open_results(tmp_path / "out")
    tag_queue(results, review_queue(results, labels=wrong))
    assert results.project.read(video).tags == ()
    assert prepare() == ([], [])
