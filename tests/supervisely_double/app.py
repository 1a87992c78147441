"""The instance as a web application: its API, the sessions behind it, its storage."""

from __future__ import annotations

import tempfile
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect

from supervisely_double import endpoints  # noqa: F401  (registers them)
from supervisely_double.constants import TOKEN
from supervisely_double.errors import ApiError
from supervisely_double.registry import Call, Part, dispatch

if TYPE_CHECKING:
    from supervisely_double.double import Double

_MAX_PARTS = 10_000


def problem(status: int, message: str) -> Response:
    return JSONResponse({"error": message, "details": {"message": message}}, status)


def make_app(double: Double) -> FastAPI:
    app = FastAPI(openapi_url=None)

    @app.api_route("/public/api/v3/{name:path}", methods=["GET", "POST"])
    async def api(name: str, request: Request) -> Response:
        if request.headers.get("x-api-key") != TOKEN:
            return problem(401, "Unauthorized")
        with tempfile.TemporaryDirectory(dir=double.folder) as folder:
            try:
                call = await _read(request, Path(folder))
                answer = await run_in_threadpool(dispatch, double, name, call)
            except ApiError as error:
                return problem(error.status, str(error))
            except ClientDisconnect:
                return problem(400, "The client has gone")
            except Exception as error:  # not 500, which the SDK repeats for minutes
                traceback.print_exc()
                return problem(400, f"The double failed: {error!r}")
        return answer if isinstance(answer, Response) else JSONResponse(answer)

    @app.get("/double/storage/{blob}")
    async def storage(blob: str) -> Response:
        path = double.blobs.folder / blob
        return FileResponse(path) if path.is_file() else problem(404, "no such content")

    @app.api_route("/net/{token}/{path:path}", methods=["GET", "POST"])
    async def net(token: str, path: str, request: Request) -> Response:
        return await _pass_on(double, token, path, request)

    return app


async def _read(request: Request, folder: Path) -> Call:
    """The body, by its type; files are written to the folder."""
    call = Call(query=dict(request.query_params))
    kind = request.headers.get("content-type", "")
    if "json" in kind:
        call.data = await _json(request)
    elif "multipart/form-data" in kind:
        form = await request.form(max_files=_MAX_PARTS, max_fields=_MAX_PARTS)
        for number, (name, value) in enumerate(form.multi_items()):
            call.parts.append(await _part(name, value, folder / str(number)))
        _note(request, [[part.name, part.value] for part in call.parts])
    elif "x-www-form-urlencoded" in kind:
        form = await request.form()
        values = {name: [int(v) for v in form.getlist(name) if isinstance(v, str)] for name in form}
        call.data = {n: v if n == "frames" else v[0] for n, v in values.items()}
        _note(request, call.data)
    else:
        call.body = folder / "body"
        with call.body.open("wb") as out:
            async for chunk in request.stream():
                out.write(chunk)
        call.data = {n: int(v) if v.isdigit() else v for n, v in call.query.items()}
        _note(request, call.query)
    return call


async def _json(request: Request) -> Any:
    try:
        return await request.json()
    except ValueError as error:
        raise ApiError(400, f"Not JSON: {error}") from error


async def _part(name: str, value: UploadFile | str, path: Path) -> Part:
    if isinstance(value, str):
        return Part(name, value, None)
    with path.open("wb") as out:
        while chunk := await value.read(1 << 20):
            out.write(chunk)
    return Part(name, value.filename or "", path)


def _note(request: Request, data: Any) -> None:
    if "double.record" in request.scope:
        request.scope["double.record"].data = data


async def _pass_on(double: Double, token: str, path: str, request: Request) -> Response:
    """A request to an app's session."""
    if request.headers.get("x-api-key") != TOKEN:
        return problem(401, "Unauthorized")
    if token not in double.sessions:
        return problem(404, "no such session")
    kept = {"content-type": request.headers.get("content-type", "")}
    body, target = await request.body(), f"{double.sessions[token]}/{path}"
    try:
        async with httpx.AsyncClient(timeout=600, trust_env=False) as client:
            answer = await client.request(
                request.method, target, content=body, headers=kept, params=request.query_params
            )
    except httpx.TransportError:
        return HTMLResponse("<title>502 Bad Gateway</title>", 502)
    kind = answer.headers.get("content-type")
    return Response(answer.content, answer.status_code, media_type=kind)
