"""Routes that steer the double from another process, on a port that never goes down."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.responses import Response

from supervisely_double.app import problem
from supervisely_double.faults import Fault

if TYPE_CHECKING:
    from supervisely_double.double import Double


def add_control(app: FastAPI, double: Double) -> FastAPI:
    """Add the routes below ``/double``."""

    @app.post("/double/faults", response_model=None)
    def add_fault(rule: dict[str, Any]) -> Any:
        """A rule, fields as of :class:`Fault`."""
        try:
            return asdict(double.faults.add(Fault(**rule)))
        except (TypeError, ValueError) as error:
            return problem(400, str(error))

    @app.delete("/double/faults")
    def clear_faults() -> Any:
        double.faults.clear()
        return {"success": True}

    @app.post("/double/down")
    async def down(body: dict[str, float] | None = None) -> Any:
        """Connections are reset from now on; with ``seconds`` only for so long."""
        double.connections.set_down(True)
        if body and "seconds" in body:
            loop = asyncio.get_running_loop()
            loop.call_later(body["seconds"], double.connections.set_down, False)
        return {"success": True}

    @app.post("/double/up")
    def up() -> Any:
        double.connections.set_down(False)
        return {"success": True}

    @app.post("/double/sessions")
    def map_session(body: dict[str, Any]) -> Any:
        """``{"target": url, ...}``: a task behind which an app answers; or for a known token."""
        if "token" in body:
            double.sessions[body["token"]] = body["target"]
            return {"token": body["token"]}
        task = double.tasks[double.add_task(**body)]
        return {"task_id": task["id"], "token": task["meta"]["sessionToken"]}

    @app.get("/double/requests", response_model=None)
    def requests(endpoint: str | None = None) -> Any:
        found = double.log.records
        return [asdict(r) for r in found if endpoint in (None, r.endpoint)]

    @app.get("/double/dump", response_model=None)
    def dump(project_id: int | None = None) -> Response | Any:
        """What is in it, without ids and times: equal for equal runs."""
        return double.dump(project_id)

    return app
