from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from mouse_ar.core.types import Bout, Box, Interval, Track
from mouse_ar.data import disk
from mouse_ar.data.annotations import ProjectTag, VideoAnnotation
from mouse_ar.data.config_files import load_actions
from mouse_ar.data.local_project import LocalProject
from mouse_ar.pipelines.store import BusyError, Store
from mouse_ar.sly.batch import sized
from mouse_ar.sly.connection import Connection
from mouse_ar.sly.errors import NoSpaceError, RefusedError, TransferError
from mouse_ar.sly.lease import leased
from mouse_ar.sly.mirror_reports import PullReport, PushReport
from mouse_ar.sly.project import RemoteProject
from mouse_ar.sly.pull import pull
from mouse_ar.sly.push import push
from supervisely_double import WORKSPACE, Double
from tiny import modified

ACTIONS = load_actions()
GROOMING, TWITCH = ACTIONS.names
VALUE = VideoAnnotation(
    num_frames=20,
    height=48,
    width=64,
    bouts=(Bout(Interval(0, 5), GROOMING), Bout(Interval(7, 8), TWITCH)),
    tags=(ProjectTag("rearing", Interval(2, 20)),),
    video_tags=(ProjectTag("rater", None, "Åse"),),
    track=Track.from_boxes(20, {f: Box(f, f, f + 9, f + 9) for f in range(20)}),
    provenance={"source": "s.mp4"},
)
# Equal names in different datasets, an empty one, and names of every sort.
NAMES = ["a/x.mp4", "a/c/x.mp4", "día 1 (übung)/mäuse nr. 1.v2.mp4", "a%2Fb/50%.mp4"]


@pytest.fixture
def local(tmp_path: Path, clips: list[Path]) -> LocalProject:
    project = LocalProject.create(tmp_path / "mice", actions=ACTIONS)
    for number, key in enumerate(NAMES):
        dataset, _, name = key.rpartition("/")
        project.add_video(dataset, name, clips[number])
        project.write(dataset, name, VALUE)
    (project.path / "empty" / "video").mkdir(parents=True)
    return project


def pushed(connection: Connection, project: LocalProject, **options: Any) -> PushReport:
    options = {"workspace_id": WORKSPACE, **options}
    return push(connection, project.path, settle_seconds=0, **options)


def contents(project: LocalProject) -> dict[str, Any]:
    found = {}
    for video in project.videos():
        value = project.read(video)
        assert value.track is not None
        found[video.key] = (
            video.video_path.read_bytes() if video.video_path.is_file() else None,
            (value.num_frames, value.height, value.width),
            (value.bouts, value.ignored, value.tags, value.video_tags),
            value.track.boxes_T4.tobytes(),
            dict(value.custom_data),
            value.problems,
        )
    return found


def sent(double: Double, *endpoints: str) -> list[str]:
    """Endpoints that were asked for, of these or of those that change anything."""
    changing = ("add", "upload", "remove", "update", "set", "editInfo", "download")
    found = [r.endpoint for r in double.log.records]
    if endpoints:
        return [name for name in found if name in endpoints]
    return [name for name in found if name.rpartition(".")[2] in changing]


def test_there_and_back(
    connection: Connection, double: Double, local: LocalProject, tmp_path: Path
) -> None:
    report = pushed(connection, local)
    got = pull(connection, report.project_id, tmp_path / "copy")

    assert (report.videos, report.created, report.uploaded, report.failures) == (4, 4, 4, [])
    assert (got.videos, got.downloaded, got.annotations, got.failures) == (4, 4, 4, [])
    copy = LocalProject.open(tmp_path / "copy", actions=ACTIONS)
    assert contents(copy) == contents(local)
    assert copy.datasets() == local.datasets()
    assert copy.incomplete() == []
    assert set(double.videos(report.project_id)) == {
        "a/x.mp4",
        "a/c/x.mp4",
        "día 1 (übung)/mäuse nr. 1.v2.mp4",
        "a/b/50%.mp4",
    }
    names = set(RemoteProject.open(connection, report.project_id).datasets())
    assert ("a/b",) in names
    assert ("empty",) in names


def test_twice_changes_nothing(
    connection: Connection, double: Double, local: LocalProject, tmp_path: Path
) -> None:
    report = pushed(connection, local)
    pull(connection, report.project_id, tmp_path / "copy")
    before, files = double.dump(report.project_id), modified(tmp_path / "copy")
    double.log.clear()

    again = pushed(connection, local)
    got = pull(connection, report.project_id, tmp_path / "copy")

    assert (again.project_id, again.videos, again.created) == (report.project_id, 4, 0)
    assert (again.uploaded, again.added, again.removed) == (0, 0, 0)
    assert (got.videos, got.downloaded, got.annotations) == (4, 0, 0)
    assert double.dump(report.project_id) == before
    assert modified(tmp_path / "copy") == files
    assert set(sent(double)) <= {"projects.editInfo"}  # the lease


def test_only_what_changed_is_pulled(
    connection: Connection, double: Double, local: LocalProject, tmp_path: Path, clips: list[Path]
) -> None:
    report = pushed(connection, local)
    folder = tmp_path / "copy"
    pull(connection, report.project_id, folder)
    videos = double.videos(report.project_id)
    double.add_tag(videos["a/x.mp4"], GROOMING, (15, 19))
    double.call("images.bulk.remove", {"imageIds": [videos["a/c/x.mp4"]]})
    double.call("images.editInfo", {"id": videos["a/b/50%.mp4"], "name": "new.mp4"})
    double.log.clear()
    before = modified(folder)

    got = pull(connection, report.project_id, folder)

    assert (got.downloaded, got.annotations, got.failures) == (0, 2, [])  # a name is no content
    assert got.gone == ["a%2Fb/50%.mp4", "a/c/x.mp4"]
    assert sent(double, "videos.download") == []
    changed = {name for name, time in modified(folder).items() if before.get(name) != time}
    assert {n for n in changed if not n.startswith(".mouse_ar")} == {
        "a/ann/x.mp4.json",
        "a%2Fb/video/new.mp4",
        "a%2Fb/video_info/new.mp4.json",
        "a%2Fb/ann/new.mp4.json",
    }
    pruned = pull(connection, report.project_id, folder, prune=True)
    assert pruned.removed == got.gone
    names = {video.key for video in LocalProject.open(folder, actions=ACTIONS).videos()}
    assert names == {"a/x.mp4", "a%2Fb/new.mp4", "día 1 (übung)/mäuse nr. 1.v2.mp4"}


def test_some_datasets_and_annotations_only(
    connection: Connection, double: Double, local: LocalProject, tmp_path: Path
) -> None:
    report = pushed(connection, local)
    double.log.clear()
    folder = tmp_path / "copy"

    pull(connection, report.project_id, folder, datasets=["a"], annotations_only=True)

    assert sent(double, "videos.download") == []
    mirror = LocalProject.open(folder, actions=ACTIONS, with_files=False)
    assert [video.key for video in mirror.videos()] == ["a/x.mp4", "a/c/x.mp4"]
    got = pull(connection, report.project_id, folder, datasets=["a"])
    assert (got.downloaded, got.annotations, got.gone) == (2, 0, [])
    assert pull(connection, report.project_id, folder, datasets=["empty"]).gone == []
    with pytest.raises(ValueError, match=r"no dataset 'b'; it has 'a', 'a%2Fb'"):
        pull(connection, report.project_id, folder, datasets=["b"])


def test_names_that_cannot_be_folders(
    connection: Connection, double: Double, clips: list[Path], tmp_path: Path
) -> None:
    project = RemoteProject.open(connection, double.add_project("p"))
    project.add_actions_to_meta()
    paths = [("..",), ("datasets",), ("Johann", "video"), (".hidden",), ("a/b", "c"), ("a", "b/c")]
    for path in paths:
        double.add_video(project.dataset(path), clips[0], name=".x.mp4")
    double.log.clear()

    got = pull(connection, project.id, tmp_path / "copy")

    assert got.failures == []
    assert len(sent(double, "videos.download")) == 1  # the same content once
    copy = LocalProject.open(tmp_path / "copy", actions=ACTIONS)
    assert len(copy.videos()) == 6
    assert {p.name for p in tmp_path.iterdir()} >= {"copy"}
    (copy.path / ".mouse_ar" / "mirror.json").unlink()
    back = pushed(connection, copy, name="again")
    datasets = RemoteProject.open(connection, back.project_id).datasets()
    assert {*paths, ("Johann",), ("a/b",), ("a",)} == set(datasets)


def test_local_labels_are_not_lost(
    connection: Connection, double: Double, local: LocalProject, tmp_path: Path
) -> None:
    report = pushed(connection, local)
    folder = tmp_path / "copy"
    pull(connection, report.project_id, folder)
    copy = LocalProject.open(folder, actions=ACTIONS)
    video = copy.video("a", "x.mp4")
    copy.add_tags(video, [ProjectTag(TWITCH, Interval(11, 12))])
    double.add_tag(double.videos(report.project_id)["a/x.mp4"], TWITCH, (15, 15))

    got = pull(connection, report.project_id, folder)

    assert got.changed_here == ["a/x.mp4"]
    assert "Push it, or pull with --overwrite" in got.to_text()
    assert len(copy.read(video).bouts) == 3
    both = push(connection, folder, settle_seconds=0)
    assert (both.project_id, both.added) == (report.project_id, 1)
    pull(connection, report.project_id, folder, overwrite=True)
    assert len(copy.read(video).bouts) == 4


def test_replacing(
    connection: Connection, double: Double, local: LocalProject, clips: list[Path]
) -> None:
    report = pushed(connection, local)
    video = local.video("a", "x.mp4")
    shutil.copy(clips[3], local.video("a/c", "x.mp4").video_path.with_suffix(".new"))
    local.video("a/c", "x.mp4").video_path.with_suffix(".new").replace(
        local.video("a/c", "x.mp4").video_path
    )
    local.write("a", "x.mp4", VideoAnnotation(num_frames=20, height=48, width=64))

    kept = pushed(connection, local)
    assert kept.removed == 0
    assert [(key, "--replace" in text or "replace" in text) for key, text in kept.failures] == [
        ("a/c/x.mp4", True)
    ]
    done = pushed(connection, local, replace=True)

    assert (done.removed, done.created, done.failures) == (
        2 + 1,
        1,
        [],
    )  # a mouse goes with its boxes
    stored = double.annotation(double.videos(report.project_id)["a/x.mp4"])
    assert [tag["name"] for tag in stored["tags"]] == ["rater", "rearing"]
    assert local.read(video).bouts == ()


def test_what_to_review_is_pushed_and_replaced(
    connection: Connection, double: Double, local: LocalProject
) -> None:
    report = pushed(connection, local)
    video = local.video("a", "x.mp4")
    local.add_tags(video, [ProjectTag("review", Interval(2, 6), "just found: score 0.72")])

    pushed(connection, local)

    def reviews() -> list[tuple[list[int], str]]:
        stored = double.annotation(double.videos(report.project_id)["a/x.mp4"])
        return [(t["frameRange"], t["value"]) for t in stored["tags"] if t["name"] == "review"]

    assert reviews() == [([2, 5], "just found: score 0.72")]
    new = ProjectTag("review", Interval(7, 9), "labelled, not found")
    local.add_tags(video, [new], replacing="review")
    pushed(connection, local, replace=True)
    assert reviews() == [([7, 8], "labelled, not found")]


KINDS = "lost status cut cut_body truncated"


def test_a_storm(
    connection: Connection, double: Double, local: LocalProject, tmp_path: Path
) -> None:
    double.fail("*", kinds=KINDS, rate=0.15, seed=1)

    report = pushed(connection, local)
    got = pull(connection, report.project_id, tmp_path / "copy")

    double.faults.clear()
    assert (report.failures, got.failures) == ([], [])
    copy = LocalProject.open(tmp_path / "copy", actions=ACTIONS)
    assert contents(copy) == contents(local)
    assert len(double.state.projects) == 1
    double.log.clear()
    assert pushed(connection, local).added == 0


@pytest.mark.parametrize("after", [12, 30])
def test_server_gone_in_mid_push(
    connection: Connection, double: Double, local: LocalProject, tmp_path: Path, after: int
) -> None:
    fault = double.fail("*", skip=after)
    with pytest.raises(TransferError, match="is kept; once the instance can be reached"):
        pushed(connection, local)
    assert fault.hits
    double.faults.clear()
    with running_lease_expired(double):
        report = pushed(connection, local)

    assert report.failures == []
    pull(connection, report.project_id, tmp_path / "copy")
    copy = LocalProject.open(tmp_path / "copy", actions=ACTIONS)
    assert contents(copy) == contents(local)
    assert len(double.state.projects) == 1


class running_lease_expired:
    """A dead run's lease is over."""

    def __init__(self, double: Double) -> None:
        for project in double.state.projects.values():
            own = project.custom_data.get("mouse_ar") or {}
            if "lease" in own:
                own["lease"]["until"] = 0

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def test_server_gone_in_mid_pull(
    connection: Connection, double: Double, local: LocalProject, tmp_path: Path
) -> None:
    report = pushed(connection, local)
    folder = tmp_path / "copy"
    double.fail("videos.download instance.version", skip=2)

    with pytest.raises(TransferError, match="downloading"):
        pull(connection, report.project_id, folder, workers=1)

    double.faults.clear()
    double.log.clear()
    got = pull(connection, report.project_id, folder)
    assert got.downloaded == 2
    copy = LocalProject.open(folder, actions=ACTIONS)
    assert contents(copy) == contents(local)


def test_one_bad_video_does_not_stop_the_rest(
    connection: Connection, double: Double, local: LocalProject, tmp_path: Path
) -> None:
    report = pushed(connection, local)
    double.fail("videos.download", count=8, status=500)

    got = pull(connection, report.project_id, tmp_path / "copy", workers=1)

    assert (got.downloaded, len(got.failures)) == (3, 1)
    assert "HTTP 500" in got.failures[0][1]
    (local.video("a", "x.mp4").video_path).unlink()
    local.video("a", "x.mp4").video_path.write_bytes(b"no video")
    second = pushed(connection, local, name="second")
    assert [key for key, _ in second.failures] == ["a/x.mp4"]
    assert second.videos == 3


@pytest.mark.parametrize("annotations_only", [True, False])
def test_a_name_that_no_file_can_have(
    connection: Connection,
    double: Double,
    clips: list[Path],
    tmp_path: Path,
    annotations_only: bool,
) -> None:
    project = double.add_project("p")
    dataset = double.add_dataset(project, "d")
    longest = "é" * 120 + "x.mp4"
    double.add_video(dataset, clips[0], name=f"x{longest}")
    double.add_video(dataset, clips[1], name=longest)
    double.add_video(double.add_dataset(project, "ü" * 128), clips[2], name="a.mp4")

    folder = tmp_path / "m"
    report = pull(connection, project, folder, annotations_only=annotations_only)

    assert [key[:2] for key, _ in report.failures] == ["d/", "üü"]
    assert all("bytes long" in cause for _, cause in report.failures)
    assert (report.videos, report.gone) == (1, [])
    assert (folder / "d/ann" / f"{longest}.json").is_file()


def test_a_video_that_vanishes_meanwhile(
    connection: Connection,
    double: Double,
    local: LocalProject,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    report = pushed(connection, local)
    gone = double.videos(report.project_id)["a/x.mp4"]
    listed = RemoteProject.videos

    def list_and_remove(self: RemoteProject) -> Any:
        found = listed(self)
        double.call("images.bulk.remove", {"imageIds": [gone]})
        return found

    monkeypatch.setattr(RemoteProject, "videos", list_and_remove)

    got = pull(connection, report.project_id, tmp_path / "copy", annotations_only=True)

    assert got.videos == 3
    assert [key for key, _ in got.failures] == ["a/x.mp4"]


def test_a_copy_elsewhere_leaves_the_mirror_a_mirror(
    connection: Connection, double: Double, local: LocalProject, tmp_path: Path
) -> None:
    report = pushed(connection, local)
    pull(connection, report.project_id, tmp_path / "copy")
    mirror = LocalProject.open(tmp_path / "copy", actions=ACTIONS)

    other = pushed(connection, mirror, name="other")

    assert other.project_id != report.project_id
    assert other.uploaded == 0
    assert pull(connection, report.project_id, tmp_path / "copy").annotations == 0


def test_low_disk(
    connection: Connection, local: LocalProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = pushed(connection, local)
    monkeypatch.setattr(disk, "_RESERVE_BYTES", 10**18)

    with pytest.raises(NoSpaceError, match=r"downloading Project 'mice'.*needs .*GB.*got .* free"):
        pull(connection, report.project_id, tmp_path / "copy")

    assert not list((tmp_path / "copy").rglob("*.mp4"))


def test_linked_videos(
    connection: Connection, double: Double, clips: list[Path], tmp_path: Path
) -> None:
    project = double.add_project("p")
    double.add_video(double.add_dataset(project, "d"), clips[0], name="far.mp4", link="s3://far")

    first = pull(connection, project, tmp_path / "copy")
    second = pull(connection, project, tmp_path / "copy")
    back = push(connection, tmp_path / "copy", settle_seconds=0)

    assert (first.downloaded, second.downloaded) == (1, 0)
    assert (back.videos, back.created, back.uploaded, back.failures) == (1, 0, 0, [])


def test_a_folder_of_something_else(
    connection: Connection, double: Double, local: LocalProject, tmp_path: Path
) -> None:
    one, other = double.add_project("p"), double.add_project("q")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("…")
    with pytest.raises(FileExistsError, match=r"no meta\.json"):
        pull(connection, one, tmp_path / "full")
    with pytest.raises(FileExistsError, match="mirrors none of an instance"):
        pull(connection, one, local.path)
    pull(connection, one, tmp_path / "copy")
    with pytest.raises(FileExistsError, match=f"mirrors project {one} of http"):
        pull(connection, other, tmp_path / "copy")
    images = double.call("projects.add", {"name": "i", "workspaceId": WORKSPACE, "type": "images"})
    with pytest.raises(ValueError, match="type 'videos', got 'images'"):
        pull(connection, images["id"], tmp_path / "new")
    with pytest.raises(RefusedError, match=r"opening project 1 failed.*check the number"):
        pull(connection, 1, tmp_path / "new")
    with pytest.raises(ValueError, match="needs a workspace"):
        push(connection, local.path)


def test_one_run_at_a_time(connection: Connection, double: Double, local: LocalProject) -> None:
    report = pushed(connection, local)
    project = RemoteProject.open(connection, report.project_id)

    with (
        leased(project, settle_seconds=0),
        pytest.raises(BusyError, match=r"is being written by .*process"),
    ):
        pushed(connection, local)
    with Store(local.path).lock(), pytest.raises(BusyError, match="Another run"):
        pushed(connection, local)
    pushed(connection, local)


def test_progress_counts_to_the_end(
    connection: Connection, local: LocalProject, tmp_path: Path
) -> None:
    told: list[tuple[str, int, int]] = []

    report = pushed(connection, local, progress=lambda *p: told.append(p))
    pull(connection, report.project_id, tmp_path / "c", progress=lambda *p: told.append(p))

    names = ("uploading (kB)", "downloading (kB)", "annotations")
    for name in names:
        steps = [(done, total) for what, done, total in told if what == name]
        assert steps[0][0] == 0
        assert steps[-1][0] == steps[-1][1] > 0
        assert steps == sorted(steps)


@pytest.mark.parametrize(
    ("done", "total", "shown"),
    [
        (0, 800, (0, 1)),
        (300_000, 800_000, (300, 800)),
        (10_000_001, 12_500_000, (10, 13)),
        (12_500_000, 12_500_000, (13, 13)),
        (7_500_000, 0, (7, 0)),
    ],
)
def test_sizes_are_shown_in_units_that_say_something(
    done: int, total: int, shown: tuple[int, int]
) -> None:
    what, *numbers = sized("downloading", done, total)
    assert tuple(numbers) == shown
    assert what == ("downloading (kB)" if 0 < total < 10**7 else "downloading (MB)")


def test_reports_say_what_was_done() -> None:
    pulled = PullReport("Project 'p' (number 5)", Path("x"), videos=3, gone=["a/b.mp4"])
    assert "(--prune removes them): a/b.mp4" in pulled.to_text()
    pushed = PushReport(
        "Project 'p' (number 5)", Path("x"), project_id=5, failures=[("a/b.mp4", "cause")]
    )
    assert "failed: a/b.mp4: cause" in pushed.to_text()


def test_sdk_reads_the_mirror(
    sly: Any, connection: Connection, local: LocalProject, tmp_path: Path
) -> None:
    report = pushed(connection, local)
    pull(connection, report.project_id, tmp_path / "copy")

    project = sly.VideoProject(str(tmp_path / "copy"), sly.OpenMode.READ)

    assert project.total_items == 4
    names = sorted(key_of(d, n) for d in project.datasets for n in d.get_items_names())
    assert names == sorted(NAMES)
    for dataset in project.datasets:
        for name in dataset.get_items_names():
            path = dataset.get_ann_path(name)
            value = sly.VideoAnnotation.from_json(json.loads(Path(path).read_text()), project.meta)
            assert len(value.tags) == 4


def key_of(dataset: Any, name: str) -> str:
    return f"{dataset.name}/{name}"
