"""Preprocess, train and infer where something is amiss: one video, one file, an earlier run."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

import tiny
from mouse_ar.data.local_project import LocalProject
from mouse_ar.sly.connection import Connection
from mouse_ar.sly.errors import RefusedError, TransferError
from mouse_ar.sly.media import RemoteMedia
from mouse_ar.sly.predictions import TABLES, results_folder
from mouse_ar.sly.project import RemoteProject
from mouse_ar.sly.train_project import TrainOutcome, train_project
from mouse_ar.sly.train_request import TrainRequest
from mouse_ar.sly.training_preview import made_before
from mouse_ar.video.probe import VideoError
from remote_runs import make_input, run_infer, run_preprocess
from supervisely_double import Double
from tiny import ACTIONS, DATASET, GROOMING

TWO = {name: tiny.SEVEN[name] for name in ("a.mp4", "b.mp4")}
A, B = f"{DATASET}/a.mp4", f"{DATASET}/b.mp4"


class OtherDetector(tiny.BoxDetector):
    """Has everything annotated anew."""

    fingerprint = "another"


@pytest.fixture
def unreadable(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Numbers of videos whose annotation the instance refuses."""
    once, refused = connection.once, set[int]()

    def refusing(endpoint: str, payload: Any, *, what: str) -> Any:
        if endpoint == "videos.annotations.bulk.info" and refused & set(payload["videoIds"]):
            raise RefusedError(what, "HTTP 400: broken", status=400)
        return once(endpoint, payload, what=what)

    monkeypatch.setattr(connection, "once", refusing)
    return refused


def review(double: Double, video: int) -> None:
    """Correct a prediction as a person would."""
    for tag in double.annotation(video)["tags"]:
        double.call("videos.tags.remove", {"id": tag["id"]})
    double.add_tag(video, GROOMING, (3, 7), 1.0)
    double.add_tag(video, "reviewed")


def tags(double: Double, video: int) -> list[tuple[str, Any]]:
    return sorted((t["name"], t.get("frameRange")) for t in double.annotation(video)["tags"])


REVIEWED_TAGS = [(GROOMING, [3, 7]), ("reviewed", None)]


def test_a_video_whose_labels_cannot_be_read_is_told_of_and_keeps_its_clips(
    double: Double, connection: Connection, unreadable: set[int], tmp_path: Path
) -> None:
    source = make_input(double, tmp_path / "input", TWO)
    target, _ = run_preprocess(connection, source, tmp_path / "work")
    before = double.dump(target.id)
    unreadable.add(double.videos(source)[A])
    for work in ("work", "work2"):
        _, report = run_preprocess(connection, source, tmp_path / work, remove_deleted=True)
        assert list(report.failures) == [A]
        assert (report.removed, report.gone, report.unchanged) == ([], [], 1)
        assert double.dump(target.id) == before
    unreadable.clear()
    _, report = run_preprocess(connection, source, tmp_path / "work", remove_deleted=True)
    assert (report.failures, report.unchanged) == ({}, 2)


def test_clips_that_cannot_be_read_are_left_as_they_are(
    double: Double, connection: Connection, unreadable: set[int], tmp_path: Path
) -> None:
    source = make_input(double, tmp_path / "input", TWO)
    target, _ = run_preprocess(connection, source, tmp_path / "work")
    before = double.dump(target.id)
    unreadable.add(next(iter(double.videos(target.id).values())))
    _, report = run_preprocess(connection, source, tmp_path / "work", remove_deleted=True)
    assert set(report.failures) < {A, B}
    assert len(report.failures) == 1
    assert double.dump(target.id) == before


def test_infer_tells_of_a_video_that_cannot_be_read(
    double: Double, connection: Connection, unreadable: set[int], tmp_path: Path
) -> None:
    source = make_input(double, tmp_path / "input", TWO)
    unreadable.update(double.videos(source).values())
    _, report = run_infer(connection, source, tmp_path / "work")
    assert sorted(report.failures) == [A, B]
    unreadable.remove(double.videos(source)[B])
    _, report = run_infer(connection, source, tmp_path / "work")
    assert "HTTP 400" in report.failures[A]
    assert [result.key for result in report.results] == [B]


def test_a_review_that_cannot_be_read_is_not_overwritten(
    double: Double, connection: Connection, unreadable: set[int], tmp_path: Path
) -> None:
    source = make_input(double, tmp_path / "input", TWO)
    target, _ = run_infer(connection, source, tmp_path / "work")
    video = double.videos(target.id)[B]
    review(double, video)
    unreadable.add(video)
    for work in ("work", "work2"):
        _, report = run_infer(connection, source, tmp_path / work)
        assert "was left as it is" in report.failures[B]
        assert [result.key for result in report.results] == [A]
        assert tags(double, video) == REVIEWED_TAGS


def test_chosen_datasets_in_the_folder_of_an_earlier_run(
    double: Double, connection: Connection, tmp_path: Path
) -> None:
    source = make_input(double, tmp_path / "input", TWO)
    new = tiny.write_video(tmp_path / "new.mp4", [(GROOMING, 10, 40)], seed=99)
    double.add_tag(
        double.add_video(double.add_dataset(source, "other"), new, name="new.mp4"),
        GROOMING,
        (10, 39),
    )
    run_infer(connection, source, tmp_path / "work")
    _, report = run_infer(connection, source, tmp_path / "work", datasets=["other"])
    assert [result.key for result in report.results] == ["other/new.mp4"]
    assert report.failures == {}
    run_preprocess(connection, source, tmp_path / "pre")
    _, made = run_preprocess(connection, source, tmp_path / "pre", datasets=["other"])
    assert (made.failures, made.unchanged, made.gone) == ({}, 1, [])
    _, made = run_preprocess(connection, source, tmp_path / "pre", remove_deleted=True)
    assert (made.failures, made.unchanged, made.removed) == ({}, 3, [])


def test_what_a_killed_run_left_is_not_taken_for_the_video(
    double: Double, connection: Connection, tmp_path: Path
) -> None:
    source = make_input(double, tmp_path / "input", TWO)
    linked = double.add_dataset(source, "linked")
    double.add_video(linked, tmp_path / "input/cohort/datasets/day1/video/a.mp4", link="s3://a.mp4")
    project = RemoteProject.open(connection, source, actions=ACTIONS)
    videos = {video.name if video.hash else "linked": video for video in project.videos()}
    right = (tmp_path / "input/cohort/datasets/day1/video/a.mp4").read_bytes()
    media = RemoteMedia(connection, videos, budget_bytes=10**9)
    for key in ("a.mp4", "linked"):
        path = tmp_path / key
        path.write_bytes(b"of a killed run")
        with media.opened(key, path) as file:
            assert file.read_bytes() == right
    downloads = len(double.called("videos.download"))
    with media.opened("linked", tmp_path / "linked"):
        pass
    again = RemoteMedia(connection, videos, budget_bytes=10**9)
    with again.opened("a.mp4", tmp_path / "a.mp4"):
        pass
    assert len(double.called("videos.download")) == downloads


def test_a_video_that_is_not_of_this_run_fails_alone(
    connection: Connection, tmp_path: Path
) -> None:
    media = RemoteMedia(connection, {}, budget_bytes=10**9)
    with pytest.raises(VideoError, match="no such video"):
        media.sha256("other", tmp_path / "other")
    with pytest.raises(VideoError, match="no such video"), media.opened("other", tmp_path / "x"):
        pass


def test_nothing_is_trained_on_incomplete_data(
    double: Double, connection: Connection, tmp_path: Path
) -> None:
    source = make_input(double, tmp_path / "input")
    target, _ = run_preprocess(connection, source, tmp_path / "work")
    double.fail("videos.download", status=400, count=1)
    events: list[str] = []

    def train() -> TrainOutcome:
        return train_project(
            RemoteProject.open(connection, target.id, actions=ACTIONS),
            TrainRequest(name="x", config=tiny.TRAIN, device="cpu"),
            work=tmp_path / "train",
            actions=ACTIONS,
            team_id=Double.team,
            task_id=7,
            stop=threading.Event(),
            on_event=lambda event: events.append(event["event"]),
            progress=lambda what, done, total: None,
        )

    with pytest.raises(TransferError, match=r"1 of its videos could not be taken: .*\.mp4: .*HTTP"):
        train()
    assert events == []
    train()
    assert len(LocalProject.open(tmp_path / "train/data").videos()) == len(double.videos(target.id))


def test_what_is_reviewed_during_a_run_stays(
    double: Double, connection: Connection, tmp_path: Path
) -> None:
    source = make_input(double, tmp_path / "input", TWO)
    target, _ = run_infer(connection, source, tmp_path / "work")
    video = double.videos(target.id)[B]

    def reviewed_meanwhile(what: str, done: int, total: int) -> None:
        if what.startswith("fetching ") and ("reviewed", None) not in tags(double, video):
            review(double, video)

    _, report = run_infer(
        connection,
        source,
        tmp_path / "work2",
        detector=OtherDetector(),
        progress=reviewed_meanwhile,
        tag_source=True,
    )
    assert tags(double, video) == REVIEWED_TAGS
    assert report.failures == {}
    assert [w for w in report.warnings if w.startswith(f"{B}: is marked 'reviewed'")]
    table = double.files()[results_folder(target) + "bouts.csv"].decode()
    rows = [row for row in table.splitlines() if row.startswith(B)]
    assert [row.split(",")[2:4] + row.split(",")[-1:] for row in rows] == [["3", "7", "yes"]]
    assert not [name for name, _ in tags(double, double.videos(source)[B]) if "predicted" in name]


def test_what_the_instance_refuses_of_one_video_is_its_failure(
    double: Double, connection: Connection, tmp_path: Path
) -> None:
    source = make_input(double, tmp_path / "input", TWO)
    double.fail("figures.bulk.add", status=400, count=1)
    _, report = run_infer(connection, source, tmp_path / "work")
    assert list(report.failures) == [A]
    assert [result.key for result in report.results] == [B]
    assert [result.key for result in report.tabulated] == [B]
    assert not list((tmp_path / "work").rglob("*.mp4"))
    _, report = run_infer(connection, source, tmp_path / "work")
    assert (report.failures, len(report.tabulated)) == ({}, 2)

    double.fail("figures.bulk.add", status=400, count=1)
    _, made = run_preprocess(connection, source, tmp_path / "pre")
    assert (list(made.failures), made.processed) == ([A], [B])
    assert not list((tmp_path / "pre").rglob("*.mp4"))
    _, made = run_preprocess(connection, source, tmp_path / "pre")
    assert (made.failures, made.processed) == ({}, [A])
    # Not removed either: the next run does it.
    double.call("images.bulk.remove", {"imageIds": [double.videos(source)[A]]})
    double.fail("images.bulk.remove", status=400, count=2)
    _, made = run_preprocess(connection, source, tmp_path / "pre", remove_deleted=True)
    assert (list(made.failures), made.removed, made.unchanged) == ([A], [], 1)
    _, made = run_preprocess(connection, source, tmp_path / "pre", remove_deleted=True)
    assert (made.failures, made.removed) == ({}, [A])


def test_a_video_replaced_under_its_name_is_annotated_anew(
    double: Double, connection: Connection, tmp_path: Path
) -> None:
    source = make_input(double, tmp_path / "input", TWO)
    target, _ = run_infer(connection, source, tmp_path / "work")
    review(double, double.videos(target.id)[B])
    for number, key in enumerate((A, B)):
        double.call("images.bulk.remove", {"imageIds": [double.videos(source)[key]]})
        new = tiny.write_video(tmp_path / "new.mp4", [(GROOMING, 10, 40)], seed=number)
        double.add_video(double.add_dataset(source, DATASET), new, name=key.rsplit("/", 1)[1])
    _, report = run_infer(connection, source, tmp_path / "work2")
    assert list(report.failures) == [B]
    assert "remove the tag 'reviewed'" in report.failures[B]
    assert tags(double, double.videos(target.id)[B]) == REVIEWED_TAGS
    assert len(double.videos(target.id)) == 2
    hashes = {
        p.id: {v.name: v.hash for v in p.videos()}
        for p in (RemoteProject.open(connection, source, actions=ACTIONS), target)
    }
    assert hashes[target.id]["a.mp4"] == hashes[source]["a.mp4"]
    _, report = run_infer(connection, source, tmp_path / "work3")
    assert (report.resumed, list(report.failures)) == ([A], [B])


def test_tables_hold_the_videos_of_other_runs_too(
    double: Double, connection: Connection, tmp_path: Path
) -> None:
    source = make_input(double, tmp_path / "input", TWO)
    new = tiny.write_video(tmp_path / "new.mp4", [(GROOMING, 10, 40)], seed=99)
    double.add_video(double.add_dataset(source, "other"), new, name="new.mp4")
    target, _ = run_infer(connection, source, tmp_path / "work")
    names = [results_folder(target) + name for name in TABLES]
    before = {name: double.files()[name] for name in names}
    _, report = run_infer(connection, source, tmp_path / "elsewhere", datasets=["other"])
    assert [result.key for result in report.results] == ["other/new.mp4"]
    for name in names:
        assert double.files()[name].decode().splitlines() == before[name].decode().splitlines()


def test_clips_that_somebody_deleted_are_made_again(
    double: Double, connection: Connection, tmp_path: Path
) -> None:
    source = make_input(double, tmp_path / "input")
    target, _ = run_preprocess(connection, source, tmp_path / "work")
    before, made = double.dump(target.id), double.videos(target.id)
    clip = next(key for key in made if not key.startswith(("val/", "test/")))
    full = next(key for key in made if key.startswith("val/"))
    blank = next(key for key in made if key.startswith("test/"))
    double.call("images.bulk.remove", {"imageIds": [made[clip], made[full]]})
    double.call("videos.custom-data.set", {"id": made[blank], "customData": {}})
    previous = made_before(target, team_id=Double.team)
    _, report = run_preprocess(connection, source, tmp_path / "work2")
    assert report.failures == {}
    assert len(report.processed) == 3
    assert report.processed == [entry.key for entry in previous.pending]
    assert double.dump(target.id) == before


def test_a_linked_video_is_fetched_for_its_hash_once(
    double: Double, connection: Connection, tmp_path: Path
) -> None:
    source = double.add_project("linked")
    dataset = double.add_dataset(source, "d")
    old = tiny.write_video(tmp_path / "old.mp4", [(GROOMING, 10, 40)], seed=1)
    new = tiny.write_video(tmp_path / "new.mp4", [(GROOMING, 20, 60)], seed=2)
    double.add_video(dataset, old, name="a.mp4", link="s3://b/a.mp4")
    run_infer(connection, source, tmp_path / "work")
    run_preprocess(connection, source, tmp_path / "pre")
    downloads = len(double.called("videos.download"))
    _, report = run_infer(connection, source, tmp_path / "work2")
    assert (report.resumed, report.failures) == (["d/a.mp4"], {})
    _, made = run_preprocess(connection, source, tmp_path / "pre2")
    assert (made.unchanged, made.failures) == (1, {})
    assert len(double.called("videos.download")) == downloads

    # Another file behind the link is noticed as soon as it is fetched for anything.
    double.state.video(double.videos(source)["d/a.mp4"]).blob = double.blobs.put(new)
    _, report = run_infer(connection, source, tmp_path / "work3", detector=OtherDetector())
    assert "another file behind s3://b/a.mp4" in report.failures["d/a.mp4"]
    _, report = run_infer(connection, source, tmp_path / "work4", detector=OtherDetector())
    assert (report.resumed, report.failures) == ([], {})


def test_a_video_is_fetched_for_its_length_once(
    double: Double, connection: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Even with no room to keep one: by an outage in between, and for new labels."""
    monkeypatch.setattr("mouse_ar.sly.preprocess_project.disk_budget", lambda folder: 0)
    source = make_input(double, tmp_path / "input", TWO)
    double.fail("videos.download", kinds="down", count=1, skip=1)
    with pytest.raises(TransferError, match=double.url):
        run_preprocess(connection, source, tmp_path / "work")
    double.up()

    def fetched(work: str) -> tuple[list[str], list[str]]:
        double.log.clear()
        _, report = run_preprocess(connection, source, tmp_path / work)
        assert report.failures == {}
        numbers = {number: key for key, number in double.videos(source).items()}
        found = [body["id"] for body in double.called("videos.download")]
        return report.processed, sorted(numbers[n] for n in found if n in numbers)

    assert fetched("work2") == ([A, B], [A, B, B])
    double.add_tag(double.videos(source)[A], GROOMING, (70, 75))
    assert fetched("work3") == ([A], [A])
    # What cannot be read is found out anew.
    (path,) = [p for p in double.files("/mouse-action-recognition/") if p.endswith("videos.json")]
    double.add_file(path, b"{")
    double.add_tag(double.videos(source)[A], GROOMING, (2, 5))
    assert fetched("work4") == ([A], [A, A])
