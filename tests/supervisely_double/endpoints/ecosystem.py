"""Apps of the ecosystem, and agents that run them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from supervisely_double.constants import TEAM, USER
from supervisely_double.errors import ApiError, demand
from supervisely_double.listing import paged
from supervisely_double.model import Json
from supervisely_double.registry import Call, endpoint

if TYPE_CHECKING:
    from supervisely_double.double import Double

_TIMES = {"createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z"}


def module(module_id: int, name: str, *, categories: tuple[str, ...] = ()) -> Json:
    """An app of the ecosystem."""
    slug = f"supervisely-ecosystem/{name.lower().replace(' ', '-')}"
    return {
        "id": module_id,
        "name": name,
        "slug": slug,
        "type": "app",
        "config": {"categories": list(categories)},
        "meta": {"releases": [{"version": "v1.0.0"}]},
        **_TIMES,
    }


@endpoint("ecosystem.list")
def list_(double: Double, call: Call) -> Any:
    # api.app.get_list_ecosystem_modules, get_ecosystem_module_id
    wanted = set(call.get("categories") or [])
    all_of_them = call.get("categoriesOperation", "or") == "and"
    found = []
    for known in double.modules:
        shared = wanted & set(known["config"]["categories"])
        fits = shared == wanted if all_of_them or not wanted else shared
        if fits and (call.get("search") or "").lower() in known["name"].lower():
            found.append(known)
    return paged(double, call, found)


@endpoint("ecosystem.info")
def info(double: Double, call: Call) -> Any:
    # api.app.get_ecosystem_module_info
    demand("id" in call.data or "slug" in call.data, "An id or a slug is needed")
    for known in double.modules:
        if call.get("id") == known["id"] or call.get("slug") == known["slug"]:
            return known
    raise ApiError(404, f"There is no such app: {call.data}")


@endpoint("apps.list")
def apps(double: Double, call: Call) -> Any:
    # api.app.get_list, get_sessions: apps of the ecosystem that the team has added, all of them
    double.state.check_team(call.integer("teamId"))
    entities = [
        {
            "id": known["id"],
            "createdBy": USER,
            "moduleId": known["id"],
            "disabled": False,
            "userLogin": None,
            "config": known["config"],
            "name": known["name"],
            "slug": known["slug"],
            "isShared": False,
            "tasks": _tasks(double, known["id"]),
            "repo": None,
            "teamId": call.integer("teamId"),
        }
        for known in double.modules
    ]
    return paged(double, call, entities)


@endpoint("apps.tasks.list")
def app_tasks(double: Double, call: Call) -> Any:
    # api.app.get_sessions
    return paged(double, call, _tasks(double, call.integer("appId")))


def _tasks(double: Double, module_id: int) -> list[Json]:
    tasks = double.tasks.values()
    return [t for t in tasks if t["meta"].get("app", {}).get("moduleId") == module_id]


def _agent(agent_id: int) -> Json:
    return {
        "id": agent_id,
        "name": "gpu",
        "token": "",
        "status": "running",
        "userId": USER,
        "teamId": TEAM,
        "capabilities": {},
        "isPublic": False,
        "type": "sly_agent",
        "disabled": False,
        "version": "6.7.0",
        "gpuInfo": {"is_available": True, "device_memory": [{"available": 10**10}]},
        **_TIMES,
    }


@endpoint("agents.available")
def agents_available(double: Double, call: Call) -> Any:
    # api.agent.get_list_available, api.nn.deploy
    double.state.check_team(call.integer("teamId"))
    return [_agent(agent_id) for agent_id in double.agents]


@endpoint("agents.list")
def agents(double: Double, call: Call) -> Any:
    # api.agent.get_list
    double.state.check_team(call.integer("teamId"))
    return paged(double, call, [_agent(agent_id) for agent_id in double.agents])


@endpoint("agents.info")
def agent(double: Double, call: Call) -> Any:
    # api.agent.get_info_by_id
    if call.integer("id") not in double.agents:
        raise ApiError(404, f"There is no agent with id {call.integer('id')}")
    return _agent(call.integer("id"))
