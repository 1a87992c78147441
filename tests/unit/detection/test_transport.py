"""Addresses, and services that are none."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

import pytest
from fastapi import FastAPI
from fastapi.responses import (
    HTMLResponse,
    JSONResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)

from doubles.bright import BrightDetector, mouse_frames
from doubles.servers import free_port, serving
from mouse_ar.detection.errors import DetectorUnavailableError
from mouse_ar.detection.remote import RemoteDetector
from mouse_ar.detection.served_model import ServedModel
from mouse_ar.detection.service import create_app
from mouse_ar.detection.transport import Part, ServiceConnection, public_url

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mouse_ar.detection.transport._MAX_PAUSE_SECONDS", 0.05)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://gpu:8000/", "http://gpu:8000"),
        ("https://lab.org/net/abc123/", "https://lab.org/net/…"),
        ("https://me:pass@lab.org/net/abc123/x?token=1", "https://lab.org/net/…/x"),
    ],
)
def test_secrets_of_an_address_are_not_shown(url: str, shown: str) -> None:
    assert public_url(url) == shown


@pytest.mark.parametrize(
    "url",
    [
        *("", "gpu:8000", "ftp://gpu", "http://", "http://h:99999", "http://h:abc", "http://[::1"),
        *("http://me:secret@h:99999/net/secret", "http://h:x/net/secret"),
        "http://h/net/secret\x00",
    ],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ValueError, match="Expected the address of a detector") as caught:
        ServiceConnection(url)
    assert "secret" not in str(caught.value)


def test_a_token_with_the_end_of_its_line() -> None:
    with (
        serving(create_app(BrightDetector(), token="secret\n")) as url,
        RemoteDetector(url, token=" secret\n", retries=0) as detector,
    ):
        assert detector.model.classes == ("mouse",)


@pytest.mark.parametrize("token", ["secret\nx", "secret\x7f", "sécret"])
def test_a_token_that_no_header_can_hold_is_not_shown(token: str) -> None:
    for use in (
        lambda: RemoteDetector("http://gpu", token=token),
        lambda: create_app(BrightDetector(), token=token),
    ):
        with pytest.raises(ValueError, match="A token holds plain ASCII") as caught:
            use()
        assert "cret" not in str(caught.value)


def test_the_log_does_not_give_a_session_away(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with (
        serving(site()) as url,
        closing(ServiceConnection(f"{url}/net/secret")) as connection,
        pytest.raises(DetectorUnavailableError),
    ):
        connection.post("is_ready")
    # The SDK, where another test has imported it, has a format of its own.
    messages = "\n".join(record.getMessage() for record in caplog.records)
    assert f'POST {url}/net/…/is_ready "HTTP/1.1 404' in messages
    assert "secret" not in messages + caplog.text


def test_nothing_there() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(DetectorUnavailableError, match=r"connection failed .*3 attempt\(s\)"):
        RemoteDetector(url)


def test_an_impossible_limit_is_refused() -> None:
    for settings in ({"timeout_seconds": 0}, {"retries": -1}):
        with pytest.raises(ValueError, match=r"timeout_seconds > 0 and retries >= 0"):
            RemoteDetector("http://gpu", **settings)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"confidence within 0\.\.1"):
        RemoteDetector("http://gpu", confidence=2)
    with pytest.raises(ValueError, match="one of jpeg, png, got 'gif'"):
        RemoteDetector("http://gpu", image_format="gif")  # type: ignore[arg-type]


def site() -> FastAPI:
    """Not a detector."""
    app = FastAPI()
    page = "<!DOCTYPE html><html><head><title>Lab wiki</title></head></html>"
    app.post("/html/{rest}")(lambda rest: HTMLResponse(page))
    app.post("/moved/{rest}")(lambda rest: RedirectResponse("https://lab.org/net/secret/x", 301))
    app.post("/text/{rest}")(lambda rest: "hello")
    app.post("/odd/{rest}")(lambda rest: {"classes": "x"})
    app.post("/empty/{rest}")(lambda rest: {"classes": []})
    return app


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("html", r"it answers an HTML page \('Lab wiki'\) where a detector answers JSON"),
        ("moved", r"no detector .*it redirects to https://lab.org/net/…/x"),
        ("text", "session info and model meta are no JSON objects"),
        ("odd", "lists no classes"),
        ("missing", "HTTP 404"),
    ],
)
def test_another_service_at_the_address(path: str, message: str) -> None:
    with serving(site()) as url, pytest.raises(DetectorUnavailableError, match=message) as caught:
        RemoteDetector(f"{url}/{path}")
    assert "secret" not in str(caught.value)


def test_a_model_without_classes() -> None:
    with serving(site()) as url, pytest.raises(ValueError, match="has no classes"):
        RemoteDetector(f"{url}/empty")


def test_closing_ends_the_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mouse_ar.detection.transport._MAX_PAUSE_SECONDS", 30)
    connection = ServiceConnection(f"http://127.0.0.1:{free_port()}", retries=0)
    connection.close()
    began = time.monotonic()
    with pytest.raises(DetectorUnavailableError, match="has been closed here"):
        connection.post("is_ready", retries=5)
    assert time.monotonic() - began < 5


def test_a_model_known_by_its_address_alone_does_not_give_it_away() -> None:
    answers = {
        "get_session_info": {"session_id": 5},
        "get_model_meta": {"classes": [{"title": "mouse"}]},
    }

    def ask(address: str) -> ServedModel:
        return ServedModel.ask(lambda method, **_: answers.get(method), address=address)

    first, other = ask("https://lab.org/net/secret-1"), ask("https://lab.org/net/secret-2")
    assert first == ask("https://lab.org/net/secret-1")
    assert first.identity != other.identity
    assert first.label != other.label
    assert "secret" not in first.identity + first.label


def test_a_closed_detector_says_so() -> None:
    with serving(create_app(BrightDetector())) as url:
        detector = RemoteDetector(url)
        detector.close()
        detector.close()
        with pytest.raises(DetectorUnavailableError, match=r"Detector http.*has been closed here"):
            detector.detect(mouse_frames(1, seed=0))


def test_closing_ends_a_request_under_way() -> None:
    app, at_work = FastAPI(), threading.Event()

    @app.post("/is_ready")
    async def is_ready() -> None:
        at_work.set()
        await asyncio.sleep(3)

    with serving(app) as url, ThreadPoolExecutor(1) as pool:
        connection = ServiceConnection(url)
        answer = pool.submit(connection.post, "is_ready")
        assert at_work.wait(30)
        began = time.monotonic()
        connection.close()
        with pytest.raises(DetectorUnavailableError, match="has been closed here"):
            answer.result(10)
        assert time.monotonic() - began < 2


def test_one_that_is_never_closed_leaves_no_thread() -> None:
    before = threading.active_count()
    connection = ServiceConnection("http://127.0.0.1:9")
    assert threading.active_count() == before + 1
    del connection
    gc.collect()
    until = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < until:
        time.sleep(0.01)
    assert threading.active_count() == before


def test_only_so_much_of_an_answer_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mouse_ar.detection.exchange._MOST_ANSWER_BYTES", 10**6)
    app = FastAPI()

    async def long() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 10**5

    app.post("/is_ready")(lambda: StreamingResponse(long()))
    with (
        serving(app) as url,
        closing(ServiceConnection(url)) as connection,
        pytest.raises(DetectorUnavailableError, match="larger than any of a detector"),
    ):
        connection.post("is_ready")


def test_a_service_that_asks_for_a_pause_gets_it() -> None:
    app, times = FastAPI(), []

    @app.post("/is_ready")
    def is_ready() -> Response:
        times.append(time.monotonic())
        if len(times) > 1:
            return JSONResponse({})
        return JSONResponse({}, 503, headers={"Retry-After": "2"})

    with pytest.MonkeyPatch.context() as patch, serving(app) as url:
        patch.setattr("mouse_ar.detection.transport._MAX_PAUSE_SECONDS", 30.0)
        with closing(ServiceConnection(url)) as connection:
            connection.post("is_ready")
    assert times[1] - times[0] >= 2


def test_a_service_that_takes_a_request_in_single_bytes_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mouse_ar.detection.exchange._SLOWEST_BYTES_PER_SECOND", 10**8)

    def sip(listener: socket.socket) -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            until = time.monotonic() + 10
            while connection.recv(1000) and time.monotonic() < until:
                time.sleep(0.02)

    parts: list[Part] = [("files", ("a", bytes(5 * 10**7), "image/png"))]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=sip, args=(listener,), daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        began = time.monotonic()
        with (
            closing(ServiceConnection(url, timeout_seconds=1.0, retries=0)) as connection,
            pytest.raises(DetectorUnavailableError, match=r"did not (take|answer).* in time"),
        ):
            connection.post("inference_batch", parts=parts)
        assert time.monotonic() - began < 5
