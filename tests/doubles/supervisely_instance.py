"""A Supervisely instance, as far as tests need one: its API, and the app sessions behind it.

An endpoint that is not here answers 501: of a 404 the SDK makes None without a word.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, JSONResponse, Response

from doubles.servers import serving

TOKEN = "t" * 128
TEAM, WORKSPACE, AGENT = 7, 70, 700
SERVE_MODULE = 31

Endpoint = Callable[["Instance", dict[str, Any]], Any]
ENDPOINTS: dict[str, Endpoint] = {}


class ApiError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Instance:
    """Its state, for tests to set up and to look at.

    Args:
        run: called with (instance, task) when an app is started; returns where it answers.
        stop: called with the task when it is stopped.
    """

    def __init__(
        self,
        *,
        run: Callable[[dict[str, Any]], str] | None = None,
        stop: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self.url = ""
        self.run, self.stop = run, stop
        self.modules: list[dict[str, Any]] = [{"id": SERVE_MODULE, "name": "Serve RT-DETRv2"}]
        self.tasks: dict[int, dict[str, Any]] = {}
        self.sessions: dict[str, str] = {}  # session token -> where the app answers
        self.files: dict[str, bytes] = {}
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.faults: dict[str, int] = {}  # endpoint -> status that it always answers
        self.start_seconds = 0.0  # before there is a task
        self.lock = threading.Lock()

    def add_task(
        self,
        target: str | None,
        *,
        status: str = "started",
        module: int | None = SERVE_MODULE,
        name: str = "detector",
    ) -> int:
        with self.lock:
            task_id = 1000 + len(self.tasks)
            token = f"session-token-{task_id}"
            meta: dict[str, Any] = {"name": name, "sessionToken": token}
            if module is not None:
                meta["app"] = {"moduleId": module}
            self.tasks[task_id] = {
                "id": task_id,
                "status": status,
                "workspaceId": WORKSPACE,
                "meta": meta,
            }
            if target is not None:
                self.sessions[token] = target
        return task_id

    def called(self, endpoint: str) -> list[dict[str, Any]]:
        return [data for name, data in self.requests if name == endpoint]

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.post("/public/api/v3/{name}")
        async def api(name: str, request: Request) -> Response:
            data = await request.json()
            self.requests.append((name, data))
            if request.headers.get("x-api-key") != TOKEN:
                return problem(401, "Unauthorized")
            if name in self.faults:
                return problem(self.faults[name], "injected")
            if name not in ENDPOINTS:
                return problem(501, f"{name} is not part of this double")
            try:
                answer = await run_in_threadpool(ENDPOINTS[name], self, data)
            except ApiError as error:
                return problem(error.status, str(error))
            return answer if isinstance(answer, Response) else JSONResponse(answer)

        @app.post("/net/{token}/{path:path}")
        async def net(token: str, path: str, request: Request) -> Response:
            if request.headers.get("x-api-key") != TOKEN:
                return problem(401, "Unauthorized")
            if token not in self.sessions:
                return problem(404, "no such session")
            kept = {"content-type": request.headers.get("content-type", "")}
            body = await request.body()
            try:
                async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
                    target = f"{self.sessions[token]}/{path}"
                    answer = await client.post(target, content=body, headers=kept)
            except httpx.TransportError:
                return HTMLResponse("<title>502 Bad Gateway</title>", 502)
            kind = answer.headers.get("content-type")
            return Response(answer.content, answer.status_code, media_type=kind)

        return app


def problem(status: int, message: str) -> Response:
    return JSONResponse({"error": message, "details": {"message": message}}, status)


def endpoint(name: str) -> Callable[[Endpoint], Endpoint]:
    def add(function: Endpoint) -> Endpoint:
        ENDPOINTS[name] = function
        return function

    return add


def page(entities: list[Any]) -> dict[str, Any]:
    return {"entities": entities, "total": len(entities), "perPage": 500, "pagesCount": 1}


@endpoint("instance.version")
def instance_version(instance: Instance, data: dict[str, Any]) -> Any:
    return {"version": "6.18.3"}


def workspace() -> dict[str, Any]:
    times = {"createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z"}
    return {"id": WORKSPACE, "name": "lab", "description": "", "teamId": TEAM, **times}


@endpoint("workspaces.list")
def workspaces_list(instance: Instance, data: dict[str, Any]) -> Any:
    return page([workspace()] if data["teamId"] == TEAM else [])


@endpoint("workspaces.info")
def workspaces_info(instance: Instance, data: dict[str, Any]) -> Any:
    if data["id"] != WORKSPACE:
        raise ApiError(404, "no such workspace")
    return workspace()


@endpoint("ecosystem.list")
def ecosystem_list(instance: Instance, data: dict[str, Any]) -> Any:
    assert data["categories"] == ["serve", "framework:RT-DETRv2"]
    return page(instance.modules)


@endpoint("agents.available")
def agents_available(instance: Instance, data: dict[str, Any]) -> Any:
    memory = {"device_memory": [{"available": 10**10}]}
    return [{"id": AGENT, "name": "gpu", "type": "sly_agent", "gpuInfo": memory}]


@endpoint("tasks.list")
def tasks_list(instance: Instance, data: dict[str, Any]) -> Any:
    wanted = {value for f in data["filter"] if f["field"] == "status" for value in f["value"]}
    here = [t for t in instance.tasks.values() if t["workspaceId"] == data["workspaceId"]]
    return page([task for task in here if task["status"] in wanted])


@endpoint("tasks.info")
def tasks_info(instance: Instance, data: dict[str, Any]) -> Any:
    if data["id"] not in instance.tasks:
        raise ApiError(404, "no such task")
    return instance.tasks[data["id"]]


@endpoint("tasks.run.app")
def tasks_run_app(instance: Instance, data: dict[str, Any]) -> Any:
    assert (data["agentId"], data["workspaceId"]) == (AGENT, WORKSPACE)
    time.sleep(instance.start_seconds)
    task_id = instance.add_task(None, module=data["moduleId"], name=data["taskName"])
    task = instance.tasks[task_id]
    if instance.run is not None:
        instance.sessions[task["meta"]["sessionToken"]] = instance.run(task)
    return [{"id": task_id}]


@endpoint("tasks.stop")
def tasks_stop(instance: Instance, data: dict[str, Any]) -> Any:
    task = instance.tasks[data["id"]]
    task["status"] = "stopped"
    if instance.stop is not None:
        instance.stop(task)
    return {"id": data["id"], "status": "stopped"}


@endpoint("file-storage.list")
def file_storage_list(instance: Instance, data: dict[str, Any]) -> Any:
    found = [path for path in instance.files if path.startswith(data["path"])]
    return [{"id": 1 + number, "path": path} for number, path in enumerate(found)]


@endpoint("file-storage.download")
def file_storage_download(instance: Instance, data: dict[str, Any]) -> Any:
    if data["path"] not in instance.files:
        raise ApiError(404, "no such file")
    return Response(instance.files[data["path"]])


@contextmanager
def running(instance: Instance) -> Iterator[Instance]:
    with serving(instance.app()) as url:
        instance.url = url
        yield instance
