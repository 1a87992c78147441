"""Faults as the client sees them."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
import requests

from supervisely_double import TOKEN, Double, Fault, running
from supervisely_double.fixtures import write_clip

HEADERS = {"x-api-key": TOKEN}


@pytest.fixture
def video(double: Double, tmp_path: Path) -> int:
    dataset = double.add_dataset(double.add_project("mice"), "day")
    return double.add_video(dataset, write_clip(tmp_path / "a.mp4", frames=60))


def post(double: Double, endpoint: str, data: Any, **options: Any) -> requests.Response:
    url = f"{double.url}/public/api/v3/{endpoint}"
    return requests.post(url, json=data, headers=HEADERS, timeout=20, **options)


def test_a_status_is_answered_so_often(api: Any, double: Double, video: int) -> None:
    fault = double.fail("videos.info", status=502, count=3)
    assert api.video.get_info_by_id(video).id == video
    assert len(double.called("videos.info")) == 4
    assert fault.hits == 3
    double.fail("videos.*", kinds="html", status=500, count=1, skip=1)
    assert post(double, "videos.info", {"id": video}).ok
    page = post(double, "videos.info", {"id": video})
    assert (page.status_code, page.headers["content-type"]) == (500, "text/html")


def test_before_the_answer_the_connection_is_reset(double: Double) -> None:
    data = {"name": "mice", "workspaceId": double.workspace, "type": "videos"}
    double.fail("projects.add", kinds="cut", count=1)
    request = b"POST /public/api/v3/projects.add HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n{"
    address = ("127.0.0.1", int(double.url.rpartition(":")[2]))
    with socket.create_connection(address, timeout=20) as connection:
        connection.sendall(request)
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    assert double.state.projects == {}
    double.fail("projects.add", kinds="lost", count=1)
    with pytest.raises(requests.ConnectionError, match="Connection reset by peer"):
        post(double, "projects.add", data)
    assert [p.name for p in double.state.projects.values()] == ["mice"]
    assert [r.fault for r in double.log.records] == ["cut", "lost"]


@pytest.mark.parametrize(
    ("kind", "error"),
    [("cut_body", "Connection reset by peer"), ("short_body", "IncompleteRead")],
)
def test_in_mid_download_the_connection_goes(
    double: Double, video: int, kind: str, error: str
) -> None:
    double.fail("videos.download", kinds=kind)
    response = post(double, "videos.download", {"id": video}, stream=True)
    size = double.blobs.size(double.state.video(video).blob)
    assert int(response.headers["content-length"]) == size
    chunks = response.iter_content(1000)
    assert len(next(chunks)) == 1000
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)) as e:
        list(chunks)
    assert error in str(e.value)


def test_wrong_and_missing_bytes(double: Double, video: int) -> None:
    content = double.blobs.path(double.state.video(video).blob).read_bytes()
    double.fail("videos.download", kinds="wrong_bytes truncated", count=2)
    wrong = post(double, "videos.download", {"id": video}).content
    assert len(wrong) == len(content)
    assert sum(a != b for a, b in zip(wrong, content)) == 16
    assert post(double, "videos.download", {"id": video}).content == content[: len(content) // 2]
    assert post(double, "videos.download", {"id": video}).content == content


@pytest.mark.parametrize("kind", ["stall", "stall_body"])
def test_stalls(double: Double, video: int, kind: str) -> None:
    double.fail("videos.download", kinds=kind, seconds=0.3)
    began = time.monotonic()
    assert post(double, "videos.download", {"id": video}).ok
    assert 0.3 <= time.monotonic() - began < 3


def test_an_upload_is_cut(api: Any, double: Double, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "large.mp4", frames=8, size=(640, 480))
    assert clip.stat().st_size > 1_000_000
    dataset = double.add_dataset(double.add_project("mice"), "day")
    double.fail("videos.bulk.upload", kinds="cut", count=1)
    api.retry_count = 1
    with pytest.raises(requests.exceptions.RetryError):
        api.video.upload_path(dataset, "a.mp4", str(clip))
    assert api.video.upload_path(dataset, "a.mp4", str(clip)).frames_count == 8


def test_a_rate_hits_the_same_requests_every_time() -> None:
    def pattern(seed: int) -> list[str | None]:
        fault = Fault("videos.* figures.*", kinds="status cut", rate=0.1, seed=seed)
        return [fault.hit("videos.info") for _ in range(1000)]

    hits = [kind for kind in pattern(1) if kind]
    assert 70 < len(hits) < 130
    assert hits[:4] == ["status", "cut", "status", "cut"]
    assert pattern(1) == pattern(1) != pattern(2)
    assert Fault("videos.*").hit("projects.info") is None
    with pytest.raises(ValueError, match="kinds: expected some of"):
        Fault(kinds="flood")


def test_down_and_up(double: Double) -> None:
    with requests.Session() as session:
        url = f"{double.url}/public/api/v3/users.me"
        assert session.post(url, json={}, headers=HEADERS).ok
        httpx.post(f"{double.control_url}/double/down")
        for _ in range(3):
            with pytest.raises(requests.ConnectionError):
                session.post(url, json={}, headers=HEADERS)
        assert len(double.called("users.me")) == 1
        httpx.post(f"{double.control_url}/double/up")
        assert session.post(url, json={}, headers=HEADERS).ok
    httpx.post(f"{double.url}/double/down", json={"seconds": 0.3})
    time.sleep(0.1)
    with pytest.raises(requests.ConnectionError):
        post(double, "users.me", {})
    time.sleep(0.4)
    assert post(double, "users.me", {}).ok


def test_another_process_steers_it(double: Double, video: int) -> None:
    control = httpx.Client(base_url=double.url)
    rule = {"endpoints": "videos.info", "status": 500, "count": 1}
    assert control.post("/double/faults", json=rule).json()["kinds"] == "status"
    assert control.post("/double/faults", json={"kinds": "flood"}).status_code == 400
    assert post(double, "videos.info", {"id": video}).status_code == 500
    control.post("/double/faults", json={"endpoints": "*"})
    control.delete("/double/faults")
    assert post(double, "videos.info", {"id": video}).ok
    found = control.get("/double/requests", params={"endpoint": "videos.info"}).json()
    assert [(r["status"], r["data"]) for r in found] == [(500, {"id": video}), (200, {"id": video})]
    assert list(control.get("/double/dump").json()["projects"]) == ["lab/mice"]
    task = control.post("/double/sessions", json={"target": "http://127.0.0.1:9"}).json()
    assert double.sessions[task["token"]] == "http://127.0.0.1:9"


def test_doubles_of_a_process_share_no_ids(sly: ModuleType, double: Double, tmp_path: Path) -> None:
    with running(Double(tmp_path / "other")) as other:
        ids = {other.add_project("mice"), double.add_project("mice"), double.add_task()}
    assert len(ids) == 3


def test_a_request_that_takes_the_instance_down(double: Double, video: int) -> None:
    double.fail("videos.info", kinds="down", count=1)
    for _ in range(2):
        with pytest.raises(requests.ConnectionError):
            post(double, "videos.info", {"id": video})
    double.up()
    assert post(double, "videos.info", {"id": video}).ok
