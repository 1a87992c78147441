"""Tasks: sessions of apps, as the apps themselves and others see them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx
from fastapi.responses import JSONResponse, Response

from supervisely_double.constants import USER
from supervisely_double.errors import ApiError, demand
from supervisely_double.listing import paged
from supervisely_double.model import Json
from supervisely_double.registry import Call, endpoint

if TYPE_CHECKING:
    from supervisely_double.double import Double

_STATUSES = (
    "queued",
    "consumed",
    "started",
    "deployed",
    "error",
    "finished",
    "terminating",
    "stopped",
)


def find_task(double: Double, task_id: Any) -> Json:
    if task_id not in double.tasks:
        raise ApiError(404, f"There is no task with id {task_id!r}")
    return double.tasks[task_id]


@endpoint("tasks.info")
def info(double: Double, call: Call) -> Any:
    # api.task.get_info_by_id, api.nn.connect
    return find_task(double, call.integer("id"))


@endpoint("GetTaskContext")
def context(double: Double, call: Call) -> Any:
    # api.task.get_context
    task = find_task(double, call.integer("id"))
    team = double.state.workspace_team(task["workspaceId"])
    return {"team": {"id": team}, "workspace": {"id": task["workspaceId"]}}


@endpoint("tasks.list")
def list_(double: Double, call: Call) -> Any:
    # api.task.get_list, api.nn.list_deployed_models
    double.state.workspace_team(call.integer("workspaceId"))
    here = [t for t in double.tasks.values() if t["workspaceId"] == call.integer("workspaceId")]
    return paged(double, call, here)


@endpoint("tasks.run.app", locked=False)
def run_app(double: Double, call: Call) -> Any:
    # api.task.start, api.nn.deploy
    agent, workspace = call.integer("agentId"), call.integer("workspaceId")
    demand(agent in double.agents, f"There is no agent with id {agent}")
    double.state.workspace_team(workspace)
    module, name = call.integer("moduleId"), call.text("taskName")
    demand(module in {m["id"] for m in double.modules}, f"There is no app with id {module}")
    time.sleep(double.start_seconds)
    task_id = double.add_task(None, module=module, name=name, workspace=workspace)
    task = double.tasks[task_id]
    if double.run is not None:
        double.sessions[task["meta"]["sessionToken"]] = double.run(task)
    return [{"id": task_id, "taskId": task_id, "userId": USER, "moduleId": module, "appId": module}]


@endpoint("tasks.stop", locked=False)
def stop(double: Double, call: Call) -> Any:
    # api.task.stop, api.nn.ModelAPI.shutdown
    task = find_task(double, call.integer("id"))
    task["status"] = "stopped"
    if double.stop is not None:
        double.stop(task)
    return {"id": task["id"], "status": "stopped"}


@endpoint("tasks.request.direct", locked=False)
def request_direct(double: Double, call: Call) -> Any:
    # api.task.send_request, is_ready, is_running
    task = find_task(double, call.integer("taskId"))
    target = double.sessions.get(task["meta"]["sessionToken"])
    if target is None:
        raise ApiError(500, f"Task {task['id']} does not answer")
    body = {"state": call.get("state") or {}, "context": call.get("context") or {}}
    path = call.text("command").lstrip("/")
    timeout = call.get("timeout") or 60
    try:
        answer = httpx.post(f"{target}/{path}", json=body, timeout=timeout, trust_env=False)
    except httpx.TransportError as error:
        raise ApiError(500, f"Task {task['id']} does not answer: {error!r}") from error
    if call.get("skipResponse"):
        return {}
    kind = answer.headers.get("content-type")
    return Response(answer.content, answer.status_code, media_type=kind)


@endpoint("tasks.output.set")
def set_output(double: Double, call: Call) -> Any:
    # api.task.set_output_project, set_output_report, set_output_experiment, ...
    task = find_task(double, call.integer("taskId"))
    output = call.need("output", dict)
    project = output.get("project")
    if project is not None:
        double.state.project(project.get("id"))
    task["meta"].setdefault("output", {}).update(output)
    return {"success": True}


@endpoint("tasks.data.set")
def set_data(double: Double, call: Call) -> Any:
    # api.task.set_fields
    stored = find_task(double, call.integer("taskId"))["data"]
    for item in call.items("fields"):
        demand({"field", "payload"} <= item.keys(), f"Not a field: {item}")
        if item.get("append"):
            stored.setdefault(item["field"], []).extend(item["payload"])
        else:
            stored[item["field"]] = item["payload"]
    return {"success": True}


@endpoint("tasks.data.get")
def get_data(double: Double, call: Call) -> Any:
    # api.task.get_fields
    stored = find_task(double, call.integer("taskId"))["data"]
    return {"result": {name: stored.get(name) for name in call.need("fields", list)}}


@endpoint("tasks.app-v2.data.set")
def set_app_data(double: Double, call: Call) -> Any:
    # api.task._update_app_content: a production app pushes its state and patches of its data
    task = find_task(double, call.integer("taskId"))
    payload = call.need("payload", dict)
    task["data"].setdefault("state", {}).update(payload.get("state") or {})
    task["data"].setdefault("patches", []).extend(payload.get("data") or [])
    return {"success": True}


@endpoint("tasks.meta.update")
def update_meta(double: Double, call: Call) -> Any:
    # api.task.update_meta
    task = find_task(double, call.integer("id"))
    task["meta"].update({name: value for name, value in call.data.items() if name != "id"})
    return {"success": True}


@endpoint("tasks.status.update")
def update_status(double: Double, call: Call) -> Any:
    # api.task.update_status
    status = call.text("status")
    demand(status in _STATUSES, f"status: expected one of {_STATUSES}, got {status!r}")
    find_task(double, call.integer("id"))["status"] = status
    return {"success": True}


@endpoint("tasks.logs.add")
def add_logs(double: Double, call: Call) -> Any:
    # api.task.submit_logs
    return {"success": True}


@endpoint("tasks.log.download")
def logs(double: Double, call: Call) -> Any:
    # api.task.get_logs (GET)
    return JSONResponse([])
