"""Who may speak to the detector's service, and how much: decided before a body is read."""

from __future__ import annotations

import hmac

import anyio
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mouse_ar.detection.wire import TOKEN_HEADER

__all__ = ["Gate"]

_OPEN = {"/health", "/openapi.json"}
# A client that is cut off while it sends sees a broken connection instead of the reason; this
# much is read past, for those whose request is only a little too large.
_DRAINED_BYTES = 2**20
_DRAINED_SECONDS = 1.0


class Gate:
    """ASGI middleware: 401 without the token, 413 for a body that is too large.

    Args:
        app: what is behind the gate.
        token: expected in ``x-api-key``, but for ``/health`` and ``/openapi.json``, which say
            nothing of the detector; none lets everybody in.
        max_request_bytes: largest body.
    """

    def __init__(self, app: ASGIApp, *, token: str | None, max_request_bytes: int) -> None:
        self._app = app
        self._token = token.encode() if token else None
        self._limit = max_request_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if not self._may_pass(scope["path"], headers.get(TOKEN_HEADER.encode(), b"")):
            await self._refuse(
                401, f"Wrong or missing token in header {TOKEN_HEADER}.", scope, send, receive
            )
            return
        announced = headers.get(b"content-length", b"")
        if announced.isdigit() and int(announced) > self._limit:
            await self._refuse(413, self._too_large, scope, send, receive)
            return
        await self._app(scope, self._counted(receive), send)

    def _may_pass(self, path: str, token: bytes) -> bool:
        return self._token is None or path in _OPEN or hmac.compare_digest(token, self._token)

    @property
    def _too_large(self) -> str:
        return f"The request is larger than {self._limit} bytes: send fewer images at once."

    def _counted(self, receive: Receive) -> Receive:
        """For bodies whose size is not announced, or not truly."""
        got = 0

        async def counting() -> Message:
            nonlocal got
            message = await receive()
            got += len(message.get("body", b""))
            if got > self._limit:
                raise HTTPException(413, self._too_large)
            return message

        return counting

    async def _refuse(
        self, status: int, detail: str, scope: Scope, send: Send, receive: Receive
    ) -> None:
        read = 0
        with anyio.move_on_after(_DRAINED_SECONDS):
            while read < _DRAINED_BYTES:
                message = await receive()
                read += len(message.get("body", b""))
                if message["type"] == "http.disconnect" or not message.get("more_body"):
                    break
        await JSONResponse({"detail": detail}, status)(scope, receive, send)
