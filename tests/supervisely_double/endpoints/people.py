"""The instance itself, users, teams and workspaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from supervisely_double.constants import INSTANCE_VERSION, LOGIN, USER
from supervisely_double.listing import paged
from supervisely_double.model import Json
from supervisely_double.registry import Call, endpoint

if TYPE_CHECKING:
    from supervisely_double.double import Double

_TIMES = {"createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z"}


@endpoint("instance.version")
def version(double: Double, call: Call) -> Any:
    # api.instance_version
    return {"version": INSTANCE_VERSION}


def _user() -> Json:
    return {
        "id": USER,
        "login": LOGIN,
        "role": "admin",
        "roleId": 1,
        "name": "Test User",
        "email": None,
        "logins": 1,
        "disabled": False,
        "lastLogin": _TIMES["createdAt"],
        **_TIMES,
    }


@endpoint("users.me")
def me(double: Double, call: Call) -> Any:
    # api.user.get_my_info
    return _user()


@endpoint("members.list")
def members(double: Double, call: Call) -> Any:
    # api.user.get_team_members
    double.state.check_team(call.integer("teamId"))
    return paged(double, call, [_user()])


def _team(double: Double, team_id: int) -> Json:
    name = double.state.teams[team_id]
    return {"id": team_id, "name": name, "description": "", "role": "admin", "usage": {}, **_TIMES}


@endpoint("teams.list")
def teams(double: Double, call: Call) -> Any:
    # api.team.get_list
    return paged(double, call, [_team(double, team_id) for team_id in double.state.teams])


@endpoint("teams.info")
def team(double: Double, call: Call) -> Any:
    # api.team.get_info_by_id
    double.state.check_team(call.integer("id"))
    return _team(double, call.integer("id"))


def _workspace(double: Double, workspace_id: int) -> Json:
    name, team_id = double.state.workspaces[workspace_id]
    return {"id": workspace_id, "name": name, "description": "", "teamId": team_id, **_TIMES}


@endpoint("workspaces.list")
def workspaces(double: Double, call: Call) -> Any:
    # api.workspace.get_list; of a team that is not there, an empty list
    team_id, known = call.integer("teamId"), double.state.workspaces
    own = [_workspace(double, workspace) for workspace in known if known[workspace][1] == team_id]
    return paged(double, call, own)


@endpoint("workspaces.info")
def workspace(double: Double, call: Call) -> Any:
    # api.workspace.get_info_by_id
    double.state.workspace_team(call.integer("id"))
    return _workspace(double, call.integer("id"))
