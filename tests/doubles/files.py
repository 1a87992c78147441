"""A server of one file that misbehaves as told, and of pages like those of Google Drive."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

FILE_ID = "1ip91KtdrvELVJseyDKFT0ERgNP1Ykusf"
WARNING = """<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title>
<style>body {{ color: red }}</style></head><body>
<p class="uc-warning-caption">Google Drive can't scan this file for viruses.</p>
<form id="download-form" action="{action}" method="get">
<input type="submit" id="uc-download-link" value="Download anyway"/>
<input type="hidden" name="id" value="{id}"><input type="hidden" name="export" value="download">
<input type="hidden" name="confirm" value="t"><input type="hidden" name="uuid" value="a&amp;b">
</form></body></html>"""
QUOTA = """<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title></head><body>
<p>Sorry, you can't view or download this file at this time.</p>
<p>Too many users have viewed or downloaded this file recently.</p></body></html>"""
SIGN_IN = (
    """<html><head><title>Sign in - Google Accounts</title></head><body>Sign in</body></html>"""
)


class FileServer:
    """Serves ``content`` at ``/file`` and, as Google Drive does, behind its confirm form.

    Args:
        content: of the file.

    Attributes:
        faults: what happens to the next requests for the file, one by one: a status code;
            ``("cut", bytes)`` closes the connection after so many; ``("short", bytes)`` ends a
            body without length after so many; ``("hang", bytes)`` goes silent after so many;
            ``"stall"`` says nothing; ``"page"`` answers with a page; None answers as it should.
        always: the same for all others.
        ranges: whether it can answer with a part of the file.
        if_range: whether it heeds ``If-Range``.
        validators: which headers tell the version: ``etag``, ``last-modified``.
        drive: what Drive shows: ``warning``, ``quota``, ``sign-in``, ``unknown``, ``gone``, or
            ``file`` (no page at all).
        seen: the ``Range`` header of every request for the file.
    """

    def __init__(self, content: bytes = b"") -> None:
        self.content = content
        self.faults: list[Any] = []
        self.always: Any = None
        self.ranges, self.if_range = True, True
        self.validators = {"etag", "last-modified"}
        self.drive = "warning"
        self.retry_after: str | None = None
        self.seen: list[str | None] = []
        self.modified = "Thu, 16 Feb 2023 10:00:00 GMT"
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.file = f"{self.url}/file"

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.content).hexdigest()}"'

    def __enter__(self) -> FileServer:
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = {key: values[0] for key, values in parse_qs(parts.query).items()}
                if parts.path == "/file":
                    self._give_file()
                elif parts.path == "/uc" and query == {"export": "download", "id": FILE_ID}:
                    self._drive()
                elif parts.path == "/download" and query.get("uuid") == "a&b":
                    assert query == {
                        "id": FILE_ID, "export": "download", "confirm": "t", "uuid": "a&b"
                    }  # fmt: skip
                    self._give_file()
                else:
                    self._page(404, "<title>Error 404 (Not Found)!!1</title>")

            def _drive(self) -> None:
                if server.drive == "file":
                    self._give_file()
                elif server.drive == "warning":
                    self._page(200, WARNING.format(action=f"{server.url}/download", id=FILE_ID))
                elif server.drive == "gone":
                    self._page(404, "<title>Error 404 (Not Found)!!1</title>")
                else:
                    pages = {"quota": QUOTA, "sign-in": SIGN_IN}
                    self._page(200, pages.get(server.drive, "<title>Something new</title>"))

            def _give_file(self) -> None:
                wanted = self.headers.get("range")
                server.seen.append(wanted)
                fault = server.faults.pop(0) if server.faults else server.always
                if fault == "stall":
                    time.sleep(3)
                    self.close_connection = True
                elif fault == "page":
                    self._page(200, "<html><title>Log in to the hotel's network</title></html>")
                elif isinstance(fault, int):
                    self.send_response(fault)
                    if server.retry_after:
                        self.send_header("retry-after", server.retry_after)
                    self.send_header("content-length", "0")
                    self.end_headers()
                else:
                    self._content(wanted, fault)

            def _content(self, wanted: str | None, fault: Any) -> None:
                condition = self.headers.get("if-range")
                current = condition in {None, server.etag, server.modified}
                start = 0
                if wanted and server.ranges and (current or not server.if_range):
                    start = int(wanted.removeprefix("bytes=").removesuffix("-"))
                    if start >= len(server.content):
                        self.send_response(416)
                        self.send_header("content-length", "0")
                        self.end_headers()
                        return
                body = server.content[start:]
                self.send_response(206 if start else 200)
                if start:
                    end = len(server.content)
                    self.send_header("content-range", f"bytes {start}-{end - 1}/{end}")
                self.send_header("content-type", "application/octet-stream")
                if "etag" in server.validators:
                    self.send_header("etag", server.etag)
                if "last-modified" in server.validators:
                    self.send_header("last-modified", server.modified)
                kind, size = fault if isinstance(fault, tuple) else (None, len(body))
                if kind == "short":
                    self.send_header("connection", "close")
                else:
                    self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[:size])
                self.wfile.flush()
                if kind == "hang":
                    time.sleep(20)
                if kind:
                    self.close_connection = True
                    if kind == "cut":
                        self.connection.shutdown(socket.SHUT_RDWR)

            def _page(self, status: int, html: str) -> None:
                content = html.encode()
                self.send_response(status)
                self.send_header("content-type", "text/html; charset=utf-8")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def handle(self) -> None:
                with suppress(OSError):  # the client gives up, as it should
                    super().handle()

            def log_message(self, *_: object) -> None:
                pass

        return Handler
