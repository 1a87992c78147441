"""Before the application: requests are logged and faults done to them."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from supervisely_double.constants import API_PREFIX, NET_PREFIX
from supervisely_double.faults import Fault
from supervisely_double.log import Record

if TYPE_CHECKING:
    from supervisely_double.double import Double

_PAGE = b"<!doctype html><title>Bad Gateway</title><h1>nginx</h1>"
_SETTLE_SECONDS = 0.05  # for what was sent to arrive before the reset overtakes it


def endpoint_of(path: str) -> str | None:
    """The name under which faults and the log know a path."""
    if path.startswith(API_PREFIX):
        return path[len(API_PREFIX) :]
    if path.startswith(NET_PREFIX):
        return "net/" + path[len(NET_PREFIX) :].partition("/")[2]
    return None


class Gate:
    def __init__(self, app: ASGIApp, double: Double) -> None:
        self._app, self._double = app, double

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = endpoint_of(scope["path"]) if scope["type"] == "http" else None
        if name is None:
            await self._app(scope, receive, send)
            return
        record = Record(name)
        hit = self._double.faults.pick(name)
        if hit is not None and hit[1] in ("cut", "down"):
            record.fault = hit[1]
            self._double.log.begin(record)
            if hit[1] == "down":
                self._double.connections.set_down(True)
            await self._reset(scope)
        else:
            receive = await _with_data(scope, receive, record)
            self._double.log.begin(record)
            scope["double.record"] = record
            try:
                await self._serve(scope, receive, _noting(send, record), record, hit)
            except asyncio.CancelledError:  # the double ends, or the client has gone
                record.status = None
                raise
            finally:
                self._double.log.end(record)
            return
        self._double.log.end(record)

    async def _serve(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        record: Record,
        hit: tuple[Fault, str] | None,
    ) -> None:
        if hit is None:
            await self._app(scope, receive, send)
            return
        fault, kind = hit
        record.fault = kind
        if kind in ("status", "html"):
            await _drain(receive)
            await _answer(send, fault.status, _PAGE if kind == "html" else _problem(kind), kind)
        elif kind == "stall":
            await asyncio.sleep(fault.seconds)
            await self._app(scope, receive, send)
        else:
            start, body = await _captured(self._app, scope, receive)
            await self._spoil(scope, send, start, body, fault, kind)

    async def _spoil(
        self, scope: Scope, send: Send, start: Message, body: bytes, fault: Fault, kind: str
    ) -> None:
        """Send an answer other than the application meant it."""
        cut = int(len(body) * fault.at)
        if kind == "lost":
            await self._reset(scope)
            return
        if kind == "truncated":
            await send(_with_length(start, cut))
            await send(_part(body[:cut], more=False))
            return
        if kind == "wrong_bytes":
            wrong = bytes(byte ^ 0xFF for byte in body[cut : cut + 16])
            await send(start)
            await send(_part(body[:cut] + wrong + body[cut + 16 :], more=False))
            return
        await send(_with_length(start, len(body)))
        await send(_part(body[:cut], more=True))
        if kind == "stall_body":
            await asyncio.sleep(fault.seconds)
            await send(_part(body[cut:], more=False))
            return
        await asyncio.sleep(_SETTLE_SECONDS)
        if kind == "cut_body":
            await self._reset(scope)
        else:
            self._double.connections.close(tuple(scope["client"]))
            await asyncio.sleep(_SETTLE_SECONDS)

    async def _reset(self, scope: Scope) -> None:
        self._double.connections.reset(tuple(scope["client"]))
        await asyncio.sleep(_SETTLE_SECONDS)  # until the server has noticed, too


def _noting(send: Send, record: Record) -> Send:
    async def noting(message: Message) -> None:
        if message["type"] == "http.response.start":
            record.status = message["status"]
        await send(message)

    return noting


async def _with_data(scope: Scope, receive: Receive, record: Record) -> Receive:
    """Read a JSON body for the log; what replays it to the application."""
    headers = dict(scope["headers"])
    if b"json" not in headers.get(b"content-type", b""):
        return receive
    body = b"".join([chunk async for chunk in _chunks(receive)])
    try:
        record.data = json.loads(body)
    except ValueError:
        record.data = repr(body)
    replay: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replaying() -> Message:
        return replay.pop() if replay else await receive()

    return replaying


async def _chunks(receive: Receive) -> Any:
    while True:
        message = await receive()
        yield message.get("body", b"")
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return


async def _drain(receive: Receive) -> None:
    """A body that is not read would make the answer a reset."""
    async for _ in _chunks(receive):
        pass


def _problem(kind: str) -> bytes:
    return json.dumps({"error": "injected", "details": {"message": f"injected {kind}"}}).encode()


async def _answer(send: Send, status: int, body: bytes, kind: str) -> None:
    content = b"text/html" if kind == "html" else b"application/json"
    headers = [(b"content-type", content), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send(_part(body, more=False))


async def _captured(app: ASGIApp, scope: Scope, receive: Receive) -> tuple[Message, bytes]:
    """What the application answers, whole."""
    start: Message = {}
    body = bytearray()

    async def collect(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        else:
            body.extend(message.get("body", b""))

    await app(scope, receive, collect)
    return start, bytes(body)


def _with_length(start: Message, length: int) -> Message:
    kept = [(n, v) for n, v in start["headers"] if n.lower() != b"content-length"]
    return {**start, "headers": [*kept, (b"content-length", str(length).encode())]}


def _part(body: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}
