"""Servers on a thread, with connections that can be reset.

A handler cannot cut its own connection through ASGI, so the protocol keeps the transports.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

_START_SECONDS = 60.0
Address = tuple[str, int]


class Connections:
    """Open connections by the client's address; refuses new ones while down."""

    def __init__(self) -> None:
        self.down = False
        self.open: dict[Address, asyncio.Transport] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def add(self, address: Address, transport: asyncio.Transport) -> None:
        self._loop = asyncio.get_running_loop()
        self.open[address] = transport
        if self.down:
            self.reset(address)

    def reset(self, address: Address) -> None:
        """Cut one connection: the client sees a reset. Only on the loop's thread."""
        transport = self.open.get(address)
        if transport is not None and not transport.is_closing():
            raw = transport.get_extra_info("socket")
            # Closing without lingering sends RST in place of FIN.
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()

    def close(self, address: Address) -> None:
        """End one connection in order, whatever was still to be sent in it."""
        transport = self.open.get(address)
        if transport is not None:
            transport.close()

    def set_down(self, down: bool) -> None:
        """Reset everything that is open or comes in, or serve again."""
        self.down = down
        if down and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._reset_all)

    def _reset_all(self) -> None:
        for address in list(self.open):
            self.reset(address)


def _protocol(connections: Connections) -> type[asyncio.Protocol]:
    class Tracked(H11Protocol):
        address: Address

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self.address = transport.get_extra_info("peername")[:2]
            connections.add(self.address, transport)

        def connection_lost(self, exc: Exception | None) -> None:
            connections.open.pop(self.address, None)
            super().connection_lost(exc)

    return Tracked


def _server(app: ASGIApp, host: str, port: int, **options: Any) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="error",
        lifespan="off",
        loop="asyncio",
        ws="none",
        timeout_graceful_shutdown=1,
        **options,
    )
    return uvicorn.Server(config)


@contextmanager
def serving(
    app: ASGIApp, control: ASGIApp, *, connections: Connections, host: str, ports: tuple[int, int]
) -> Iterator[None]:
    """Both applications on a thread: the second answers while the first is down."""
    main = _server(app, host, ports[0], http=_protocol(connections))
    servers = (main, _server(control, host, ports[1]))

    async def run() -> None:
        await asyncio.gather(*(server.serve() for server in servers))

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    until = time.monotonic() + _START_SECONDS
    while not all(server.started for server in servers):
        if time.monotonic() > until or not thread.is_alive():
            raise RuntimeError(f"The double did not start on ports {ports}")
        time.sleep(0.01)
    try:
        yield
    finally:
        for server in servers:
            server.should_exit = True
        thread.join(10)
