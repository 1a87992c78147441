from __future__ import annotations

import socket
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mouse_ar.data import disk
from mouse_ar.detection.exchange import TransientError
from mouse_ar.sly.connection import Connection
from mouse_ar.sly.errors import NoSpaceError, RefusedError, TransferError
from mouse_ar.sly.limits import PATIENCE_VARIABLE, Limits
from mouse_ar.sly.project import RemoteProject
from mouse_ar.sly.streams import hash_of, partial_path
from mouse_ar.sly.video_upload import copy_video, upload_video
from mouse_ar.sly.videos import (
    RemoteVideo,
    download_video,
    find_video,
    remove_videos,
    set_custom_data,
)
from supervisely_double import Double


@pytest.fixture
def dataset(double: Double) -> int:
    return double.add_dataset(double.add_project("p"), "d")


@pytest.fixture
def video(connection: Connection, double: Double, dataset: int, clips: list[Path]) -> RemoteVideo:
    double.add_video(dataset, clips[0], name="a.mp4", custom_data={"theirs": 1})
    found = find_video(connection, "a.mp4", dataset_id=dataset)
    assert found is not None
    return found


def test_download(
    connection: Connection, video: RemoteVideo, clips: list[Path], tmp_path: Path
) -> None:
    seen: list[int] = []
    target = tmp_path / "new" / "a.mp4"

    digest = download_video(connection, video, target, progress=seen.append)

    assert target.read_bytes() == clips[0].read_bytes()
    assert digest == hash_of(clips[0]) == video.hash
    assert seen[-1] == video.size == target.stat().st_size
    assert [p.name for p in target.parent.iterdir()] == ["a.mp4"]


FAULTS = ["status", "html", "stall", "cut", "lost", "cut_body", "short_body", "stall_body"]
FAULTS += ["truncated", "wrong_bytes"]


@pytest.mark.parametrize("kind", FAULTS)
def test_download_recovers(
    connection: Connection,
    double: Double,
    video: RemoteVideo,
    clips: list[Path],
    tmp_path: Path,
    kind: str,
) -> None:
    fault = double.fail("videos.download", kinds=kind, count=2, seconds=0.4)

    download_video(connection, video, tmp_path / "a.mp4")

    assert (tmp_path / "a.mp4").read_bytes() == clips[0].read_bytes()
    assert fault.hits >= 1


def test_what_was_fetched_before_a_kill_is_not_fetched_again(
    connection: Connection, double: Double, video: RemoteVideo, clips: list[Path], tmp_path: Path
) -> None:
    content, target = clips[0].read_bytes(), tmp_path / "a.mp4"
    partial_path(target).write_bytes(content[:1000])
    seen: list[int] = []

    download_video(connection, video, target, progress=seen.append)

    assert target.read_bytes() == content
    assert seen[0] == 1000


def test_a_wrong_beginning_is_noticed_and_fetched_again(
    connection: Connection, video: RemoteVideo, clips: list[Path], tmp_path: Path
) -> None:
    target = tmp_path / "a.mp4"
    partial_path(target).write_bytes(b"x" * 1000)

    download_video(connection, video, target)

    assert target.read_bytes() == clips[0].read_bytes()


def test_bytes_that_stay_wrong_are_never_put_in_place(
    connection: Connection, double: Double, video: RemoteVideo, tmp_path: Path
) -> None:
    double.fail("videos.download", kinds="wrong_bytes")

    with pytest.raises(TransferError, match=r"downloading a\.mp4 failed.*expected hash"):
        download_video(connection, video, tmp_path / "a.mp4")

    assert list(tmp_path.glob("*.mp4")) == []


@pytest.mark.parametrize("kind", ["truncated", "wrong_bytes", "cut_body"])
def test_linked_video(
    connection: Connection,
    double: Double,
    dataset: int,
    clips: list[Path],
    tmp_path: Path,
    kind: str,
) -> None:
    double.add_video(dataset, clips[1], name="far.mp4", link="s3://lab/far.mp4")
    far = find_video(connection, "far.mp4", dataset_id=dataset)
    assert far is not None
    assert far.hash is None
    assert far.link == "s3://lab/far.mp4"
    double.fail("videos.download", kinds=kind, count=1)

    digest = download_video(connection, far, tmp_path / "far.mp4")

    assert digest == hash_of(clips[1])


def test_a_request_that_is_refused_is_not_repeated(
    connection: Connection, double: Double, video: RemoteVideo, tmp_path: Path
) -> None:
    remove_videos(connection, [video])

    with pytest.raises(RefusedError, match="HTTP 404") as error:
        download_video(connection, video, tmp_path / "a.mp4")

    assert error.value.status == 404
    assert not error.value.ends_run
    assert len(double.called("videos.download")) == 1


def test_upload_sends_once(
    connection: Connection, double: Double, dataset: int, clips: list[Path]
) -> None:
    seen: list[int] = []
    made = upload_video(
        connection,
        clips[0],
        dataset_id=dataset,
        name="b.mp4",
        custom_data={"mine": 2},
        progress=seen.append,
    )
    again = upload_video(connection, clips[0], dataset_id=dataset, name="b.mp4")
    other = upload_video(connection, clips[0], dataset_id=dataset, name="c.mp4")

    assert made == again
    assert (made.name, other.name) == ("b.mp4", "c.mp4")
    assert made.custom_data == {"mine": 2}
    assert made.frames_count == 20
    assert seen[-1] == clips[0].stat().st_size
    assert len(double.called("videos.bulk.upload")) == 1


@pytest.mark.parametrize(
    "endpoint",
    ["videos.bulk.upload", "videos.bulk.add", "images.internal.hashes.list", "videos.list"],
)
def test_upload_recovers(
    connection: Connection,
    double: Double,
    dataset: int,
    clips: list[Path],
    endpoint: str,
) -> None:
    kinds = "status html lost stall cut truncated"
    fault = double.fail(endpoint, kinds=kinds, count=6, seconds=0.4)

    made = upload_video(connection, clips[2], dataset_id=dataset, name="b.mp4")

    assert fault.hits >= 1
    assert made.hash == hash_of(clips[2])
    stored = double.call("videos.list", {"datasetId": dataset})["entities"]
    assert [v["name"] for v in stored] == ["b.mp4"]


def test_another_video_of_that_name(
    connection: Connection, double: Double, dataset: int, video: RemoteVideo, clips: list[Path]
) -> None:
    with pytest.raises(FileExistsError, match=r"a\.mp4: the dataset has another video"):
        upload_video(connection, clips[1], dataset_id=dataset, name="a.mp4")

    made = upload_video(connection, clips[1], dataset_id=dataset, name="a.mp4", replace=True)

    assert made.hash == hash_of(clips[1])
    assert made.id != video.id
    stored = double.call("videos.list", {"datasetId": dataset})["entities"]
    assert [v["id"] for v in stored] == [made.id]


def test_a_file_that_is_no_video_is_refused(
    connection: Connection, double: Double, dataset: int, tmp_path: Path
) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(b"no video")

    with pytest.raises(RefusedError, match=r"uploading x\.mp4 failed \(.*Not a video"):
        upload_video(connection, path, dataset_id=dataset, name="x.mp4")

    assert len(double.called("videos.bulk.upload")) == 1


def test_copy_moves_no_bytes(
    connection: Connection, double: Double, video: RemoteVideo, clips: list[Path]
) -> None:
    double.add_video(video.dataset_id, clips[1], name="far.mp4", link="s3://far.mp4")
    far = find_video(connection, "far.mp4", dataset_id=video.dataset_id)
    assert far is not None
    target = double.add_dataset(double.add_project("q"), "e/f")

    made = [copy_video(connection, v, dataset_id=target) for v in (video, far, video, far)]

    assert made[:2] == made[2:]
    assert [v.hash for v in made[:2]] == [video.hash, None]
    assert made[1].link == "s3://far.mp4"
    assert not double.called("videos.download")
    assert not double.called("videos.bulk.upload")


def test_copy_goes_through_here_where_the_instance_refuses(
    connection: Connection, double: Double, video: RemoteVideo, tmp_path: Path
) -> None:
    target = double.add_dataset(double.add_project("q"), "e")
    double.fail("videos.bulk.add", status=400, count=1)

    made = copy_video(
        connection, video, dataset_id=target, folder=tmp_path, custom_data={"from": video.id}
    )

    assert made.hash == video.hash
    assert made.custom_data == {"from": video.id}
    assert len(double.called("videos.download")) == 1
    assert list(tmp_path.glob(".copy*")) == []


def test_copy_without_space(
    connection: Connection,
    double: Double,
    video: RemoteVideo,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = double.add_dataset(double.add_project("q"), "e")
    double.fail("videos.bulk.add", status=400, count=1)
    monkeypatch.setattr(disk, "_RESERVE_BYTES", 10**18)

    with pytest.raises(NoSpaceError, match=r"copying a\.mp4 needs"):
        copy_video(connection, video, dataset_id=target, folder=tmp_path)


def test_custom_data_of_others_stay(connection: Connection, video: RemoteVideo) -> None:
    stored = set_custom_data(connection, video, {"mouse_ar": {"source": "x"}})

    assert stored.custom_data == {"theirs": 1, "mouse_ar": {"source": "x"}}


def test_removal_twice(connection: Connection, double: Double, video: RemoteVideo) -> None:
    remove_videos(connection, [video, video])
    remove_videos(connection, [video])

    assert find_video(connection, "a.mp4", dataset_id=video.dataset_id) is None


def test_a_listing_has_all_pages(
    connection: Connection, double: Double, dataset: int, clips: list[Path]
) -> None:
    for number in range(1003):
        double.add_video(dataset, clips[0], name=f"{number:04}.mp4")
    project = RemoteProject.open(connection, double.state.dataset(dataset).project_id)

    names = [video.name for video in project.videos()]

    assert names == [f"{number:04}.mp4" for number in range(1003)]
    # A page may be asked for twice on a busy machine.
    assert len({str(page) for page in double.called("videos.list")}) == 11


def test_server_gone(
    connection: Connection, double: Double, video: RemoteVideo, tmp_path: Path
) -> None:
    double.down()

    with pytest.raises(TransferError, match=r"downloading a\.mp4 failed \(8 attempts.*is kept"):
        download_video(connection, video, tmp_path / "a.mp4")

    assert not connection.alive()
    double.up()
    assert connection.alive()
    download_video(connection, video, tmp_path / "a.mp4")


def test_a_token_that_is_not_accepted(connection: Connection, double: Double) -> None:
    double.fail("projects.info", status=401)

    with pytest.raises(RefusedError, match="check API_TOKEN") as error:
        RemoteProject.open(connection, 5)

    assert error.value.ends_run


def test_patience_is_bounded(sly: Any, double: Double) -> None:
    """Also with a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        api = sly.Api(f"http://127.0.0.1:{server.getsockname()[1]}", "t" * 128)
        limits = Limits(silence_seconds=0.1, attempts=2, first_pause_seconds=0.01)
        with (
            Connection(api, limits=limits) as connection,
            pytest.raises(TransferError, match="did not go on in time"),
        ):
            connection.call("instance.version", {}, what="asking")


def test_a_long_attempt_that_fails_is_not_the_last(api: Any) -> None:
    limits = Limits(total_seconds=0.02, attempts=8, first_pause_seconds=0.01)
    tried = 0

    def attempt() -> str:
        nonlocal tried
        tried += 1
        time.sleep(0.05)
        if tried < 3:
            raise TransientError("connection failed")
        return "done"

    with Connection(api, limits=limits) as connection:
        assert connection.retry(attempt, what="uploading") == "done"
        tried = -10
        with pytest.raises(TransferError, match="3 attempts"):
            connection.retry(attempt, what="uploading")


def test_patience_is_a_setting(double: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Limits.from_environment({}) == Limits()
    limits = Limits.from_environment({PATIENCE_VARIABLE: "3600"})
    assert limits.total_seconds == 3600
    assert limits.attempts * limits.longest_pause_seconds > 3600
    monkeypatch.setenv(PATIENCE_VARIABLE, "2 h")
    with pytest.raises(ValueError, match=r"MOUSE_AR_PATIENCE_SECONDS is a number.*'2 h'"):
        Connection(_bare_api(double, "SECRET"))


def test_an_outage_names_the_server(connection: Connection, double: Double) -> None:
    double.down()
    with pytest.raises(TransferError, match=rf"asking failed \(8 attempts at {double.url}, the"):
        connection.call("instance.version", {}, what="asking")


@pytest.mark.parametrize("token", ["SECRET\n", " SECRET\r\n"])
def test_a_token_with_a_line_end_is_cleaned(double: Double, token: str) -> None:
    api = _bare_api(double, token)
    with Connection(api) as connection:
        assert connection._client.headers["x-api-key"] == "SECRET"


def test_a_token_that_no_header_can_hold_is_not_shown(double: Double) -> None:
    with pytest.raises(ValueError, match="A token holds") as error:
        Connection(_bare_api(double, "SECRET\nX"))
    assert "SECRET" not in str(error.value)


def _bare_api(double: Double, token: str) -> Any:
    return SimpleNamespace(
        server_address=double.url,
        api_server_address=f"{double.url}/public/api",
        headers={"x-api-key": token},
        additional_fields={},
    )
