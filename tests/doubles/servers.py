"""Servers of the tests: on free ports of loopback, gone when their context ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from starlette.types import ASGIApp

START_SECONDS = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class BrightProcess:
    """``bright_session.py`` in a process of its own, with its own caches."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.settings = {"port": free_port(), "checkpoint": "best.pth", **settings}
        self.url = f"http://127.0.0.1:{self.settings['port']}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        here = Path(__file__).parent
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("PYTEST")},
            "BRIGHT_SESSION": json.dumps(self.settings),
            "SMART_CACHE_CONTAINER_DIR": str(self.folder / "cache"),
            "SLY_APP_DATA_DIR": str(self.folder / "data"),
            "PYTHONPATH": os.pathsep.join([str(here), *filter(None, sys.path)]),
        }
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(here / "bright_session.py")],
                cwd=self.folder,
                env=environment,
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            try:
                httpx.post(f"{self.url}/is_running", trust_env=False)
                return
            except httpx.TransportError:
                time.sleep(0.1)
        self.kill()
        raise RuntimeError((self.folder / "log").read_text()[-3000:])

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(10)
            self._process = None


@contextmanager
def bright_process(folder: Path, **settings: Any) -> Iterator[BrightProcess]:
    process = BrightProcess(folder, **settings)
    try:
        process.start()
        yield process
    finally:
        process.kill()


@contextmanager
def serving(app: ASGIApp, *, port: int | None = None) -> Iterator[str]:
    """An ASGI application on a thread; its URL."""
    port = port or free_port()
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", lifespan="off")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + START_SECONDS
    while not server.started and time.monotonic() < until:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


class FaultyProxy:
    """Passes requests on, but does to ``/inference_batch`` what is in ``faults``, one by one.

    A fault is a status code, ``"html"``, ``"drop"`` (closes the connection),
    ``("stall", seconds)``, ``("drip", seconds)`` (an answer that comes in single bytes),
    ``("drip header", seconds)``, or ``("answer", value)``.
    """

    def __init__(self, target: str) -> None:
        self.faults: list[Any] = []
        self.always: Any = None
        self.batches = 0
        self.target = target
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                fault = proxy.next_fault(self.path)
                if fault is None:
                    self._pass_on(body)
                elif isinstance(fault, int):
                    self._answer(fault, b'{"message": "injected"}', "application/json")
                elif fault == "html":
                    page = b"<!doctype html><title>502 Bad Gateway</title>"
                    self._answer(200, page, "text/html")
                elif fault == "drop":
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                else:
                    self._slow_or_wrong(*fault)

            def _slow_or_wrong(self, kind: str, value: Any) -> None:
                if kind == "answer":
                    self._answer(200, json.dumps(value).encode(), "application/json")
                elif kind == "stall":
                    time.sleep(value)
                    self.close_connection = True
                else:
                    self.send_response(200)
                    self.send_header("content-length", "1000000")
                    if kind == "drip":
                        self.end_headers()
                    self.flush_headers()
                    until = time.monotonic() + value
                    while time.monotonic() < until:
                        self.wfile.write(b"x" if kind == "drip header" else b" ")
                        self.wfile.flush()
                        time.sleep(0.05)
                    self.close_connection = True

            def _pass_on(self, body: bytes) -> None:
                host = proxy.target.split("//")[1]
                upstream = HTTPConnection(host, timeout=30)
                try:
                    upstream.request("POST", self.path, body, dict(self.headers))
                    answer = upstream.getresponse()
                    kind = answer.getheader("content-type", "")
                    self._answer(answer.status, answer.read(), kind)
                except OSError:
                    self._answer(502, b"<html><title>502 Bad Gateway</title></html>", "text/html")
                finally:
                    upstream.close()

            def _answer(self, status: int, content: bytes, kind: str) -> None:
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def handle(self) -> None:
                with suppress(OSError):  # the client gives up, as it should
                    super().handle()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def next_fault(self, path: str) -> Any:
        if not path.endswith("/inference_batch"):
            return None
        self.batches += 1
        return self.faults.pop(0) if self.faults else self.always

    def __enter__(self) -> FaultyProxy:
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
