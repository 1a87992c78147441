"""Tasks, sessions behind them, and the people around, by the real SDK."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from requests.exceptions import HTTPError

from doubles.servers import serving
from supervisely_double import AGENT, SERVE_MODULE, TEAM, WORKSPACE, Double


def test_a_task_tells_what_it_does(api: Any, double: Double) -> None:
    task = double.add_task()
    project = double.add_project("mice")
    file_id = double.add_file("/report.html", b"<p>")
    api.task.set_output_project(task, project)
    api.task.set_output_report(task, file_id, "report")
    output = double.tasks[task]["meta"]["output"]
    assert output["project"] == {"id": project, "title": "mice"} | {
        "preview": output["project"]["preview"]
    }
    assert output["general"]["titleUrl"] == f"/files/{file_id}"
    api.task.set_fields(task, [{"field": "data.progress", "payload": 3}])
    assert api.task.get_field(task, "data.progress") == 3
    api.task.update_meta(task, {"templateRootDirectory": "/offline-sessions"})
    assert api.task.get_info_by_id(task)["meta"]["templateRootDirectory"] == "/offline-sessions"
    api.task.update_status(task, api.task.Status.FINISHED)
    assert api.task.get_status(task) is api.task.Status.FINISHED
    assert [t["id"] for t in api.task.get_list(WORKSPACE)] == [task]
    with pytest.raises(HTTPError, match=r"400 .*no project"):
        api.task.set_output_project(task, 5, "x", "y")


def test_sessions_are_started_reached_and_stopped(api: Any, double: Double) -> None:
    app, stopped = FastAPI(), []

    @app.post("/echo")
    def echo(body: dict[str, Any]) -> Any:
        return body

    with serving(app) as url:
        double.run, double.stop = (lambda task: url), stopped.append
        session = api.app.start(
            AGENT, workspace_id=WORKSPACE, module_id=SERVE_MODULE, task_name="x"
        )
        task = session.task_id
        answer = api.task.send_request(task, "echo", {"a": 1})
        assert answer["state"] == {"a": 1}
        token = api.task.get_info_by_id(task)["meta"]["sessionToken"]
        direct = httpx.post(
            f"{double.url}/net/{token}/echo", json={"b": 2}, headers={"x-api-key": double.token}
        )
        assert direct.json() == {"b": 2}
        assert double.called("net/echo") == [{"b": 2}]
    assert [s.task_id for s in api.app.get_sessions(TEAM, SERVE_MODULE)] == [task]
    assert api.task.stop(task) is api.task.Status.STOPPED
    assert [t["id"] for t in stopped] == [task]
    assert not api.task.is_ready(task)


def test_people(api: Any, sly: ModuleType, double: Double) -> None:
    assert api.user.get_my_info().login == "tester"
    assert [team.id for team in api.team.get_list()] == [TEAM]
    assert api.team.get_info_by_id(TEAM).name == "lab"
    assert api.workspace.get_info_by_id(WORKSPACE).team_id == TEAM
    assert [agent.id for agent in api.agent.get_list_available(TEAM)] == [AGENT]
    assert api.instance_version == "6.18.3"
    stranger = sly.Api(double.url, "s" * 128)
    with pytest.raises(HTTPError, match=r"401 .*Unauthorized"):
        stranger.user.get_my_info()
    with pytest.raises(HTTPError, match=r"501 .*flowers.list is not part of this double"):
        api.post("flowers.list", {}, raise_error=True)


def test_every_request_is_in_the_log(api: Any, double: Double, tmp_path: Path) -> None:
    api.project.get_info_by_id(5)
    api.user.get_my_info()
    assert double.called("projects.info") == [{"id": 5}]
    lines = double.log.path.read_text().splitlines()
    assert double.token not in "".join(lines)
