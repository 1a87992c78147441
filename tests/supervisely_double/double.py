"""The double for tests: its state to set up and to look at, and its faults.

::

    with running(Double(tmp_path)) as double:
        project = double.add_project("mice", folder=local_project)
        api = sly.Api(double.url, double.token)
        double.fail("videos.download", kinds="cut_body", count=3)
        ...
        assert double.called("videos.bulk.add")
        assert double.dump(project) == expected
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from doubles.servers import free_port
from supervisely_double import local
from supervisely_double.app import make_app
from supervisely_double.blobs import BlobStore
from supervisely_double.clock import new_id, now
from supervisely_double.constants import AGENT, SERVE_MODULE, TEAM, TOKEN, WORKSPACE
from supervisely_double.control import add_control
from supervisely_double.dump import dump_instance, dump_project
from supervisely_double.endpoints.annotations import annotation_json
from supervisely_double.endpoints.ecosystem import module
from supervisely_double.endpoints.files import put_file
from supervisely_double.faults import Fault, Faults
from supervisely_double.gate import Gate
from supervisely_double.log import RequestLog
from supervisely_double.model import Json
from supervisely_double.registry import Call, dispatch
from supervisely_double.state import State
from supervisely_double.transport import Connections, serving


class Double:
    """An instance of Supervisely, as far as the apps need one.

    Args:
        folder: for the blobs and ``requests.jsonl``.
        run: called with a task when an app is started; returns where it answers.
        stop: called with the task when it is stopped.
        page_size: entities on a page of a list.
    """

    token = TOKEN
    team, workspace = TEAM, WORKSPACE

    def __init__(
        self,
        folder: Path,
        *,
        run: Callable[[Json], str] | None = None,
        stop: Callable[[Json], None] | None = None,
        page_size: int = 500,
    ) -> None:
        self.folder = Path(folder)
        self.blobs = BlobStore(self.folder / "blobs")
        self.log = RequestLog(self.folder / "requests.jsonl")
        self.state, self.faults, self.connections = State(), Faults(), Connections()
        self.url = self.control_url = ""
        self.run, self.stop, self.page_size = run, stop, page_size
        self.start_seconds = 0.0  # before there is a task of an app that is started
        categories = ("serve", "framework:RT-DETRv2")
        self.modules = [module(SERVE_MODULE, "Serve RT-DETRv2", categories=categories)]
        self.agents = [AGENT]
        self.tasks: dict[int, Json] = {}
        self.sessions: dict[str, str] = {}  # session token -> where the app answers

    def environment(self) -> dict[str, str]:
        """What an app of this instance finds in its environment."""
        return {
            "SERVER_ADDRESS": self.url,
            "API_TOKEN": TOKEN,
            "TEAM_ID": str(TEAM),
            "WORKSPACE_ID": str(WORKSPACE),
            "SUPERVISELY_SKIP_HTTPS_USER_HELPER_CHECK": "true",
        }

    def call(self, endpoint: str, data: Any = None) -> Any:
        """What an endpoint answers, without the network."""
        return dispatch(self, endpoint, Call({} if data is None else data))

    def called(self, endpoint: str) -> list[Any]:
        """Bodies of all requests to an endpoint."""
        return self.log.called(endpoint)

    def fail(self, endpoints: str, **fault: Any) -> Fault:
        """Inject a fault, see :class:`Fault`; one of a single status by default."""
        return self.faults.add(Fault(endpoints, **fault))

    def down(self) -> None:
        """Reset every connection from now on."""
        self.connections.set_down(True)

    def up(self) -> None:
        self.connections.set_down(False)

    def add_task(
        self,
        target: str | None = None,
        *,
        status: str = "started",
        module: int | None = SERVE_MODULE,
        name: str = "detector",
        workspace: int = WORKSPACE,
    ) -> int:
        """A task and, with ``target``, the address of the app behind its session token."""
        task_id = new_id()
        token = f"session-token-{task_id}"
        meta: Json = {"name": name, "sessionToken": token}
        if module is not None:
            meta["app"] = {"id": module, "moduleId": module, "name": name}
        self.tasks[task_id] = {
            "id": task_id,
            "status": status,
            "type": "app",
            "workspaceId": workspace,
            "teamId": self.state.workspace_team(workspace),
            "createdBy": 5,
            "startedAt": now(),
            "meta": meta,
            "data": {},
        }
        if target is not None:
            self.sessions[token] = target
        return task_id

    def add_project(
        self, name: str, *, folder: Path | None = None, meta: Json | None = None
    ) -> int:
        """A video project, empty or with all that a local one in Supervisely format holds."""
        data = {"name": name, "workspaceId": WORKSPACE, "type": "videos"}
        project_id = int(self.call("projects.add", data)["id"])
        if meta is not None:
            self.call("projects.meta.update", {"id": project_id, "meta": meta})
        if folder is not None:
            local.fill_project(self, project_id, folder)
        return project_id

    def add_dataset(self, project_id: int, path: str) -> int:
        """The dataset at a path such as ``cohort/day``, created where it is not there."""
        return local.dataset_at(self, project_id, path)

    def add_video(
        self,
        dataset_id: int,
        path: Path,
        *,
        name: str | None = None,
        annotation: Json | None = None,
        custom_data: Json | None = None,
        link: str | None = None,
    ) -> int:
        """A video from a file; with ``link`` one that lies in remote storage at that address."""
        blob = self.blobs.put(Path(path))
        if link is not None:
            self.state.links[link] = blob
        item = {"title": name or Path(path).name, **({"link": link} if link else {"hash": blob})}
        added = self.call("videos.bulk.add", {"datasetId": dataset_id, "videos": [item]})
        video_id = int(added[0]["id"])
        if annotation is not None:
            local.annotate(self, video_id, annotation)
        if custom_data is not None:
            self.call("videos.custom-data.set", {"id": video_id, "customData": custom_data})
        return video_id

    def add_tag(
        self, video_id: int, name: str, frames: tuple[int, int] | None = None, value: Any = None
    ) -> int:
        """A tag of the project's meta, on inclusive frames or the whole video."""
        return local.add_tag(self, video_id, name, frames=frames, value=value)

    def annotation(self, video_id: int) -> Json:
        """As a download gives it."""
        return annotation_json(self, self.state.video(video_id))

    def videos(self, project_id: int) -> dict[str, int]:
        """Ids of a project's videos by path, e.g. ``cohort/day/mouse.mp4``."""
        found = self.state.project_videos(project_id)
        return {local.video_path(self, video): video.id for video in found}

    def add_file(self, path: str, content: bytes | Path, *, team: int = TEAM) -> int:
        """A file of Team Files."""
        return put_file(self, team, path, self.blobs.put(content)).id

    def add_files(self, files: Mapping[str, bytes]) -> None:
        for path, content in files.items():
            self.add_file(path, content)

    def files(self, prefix: str = "/", *, team: int = TEAM) -> dict[str, bytes]:
        """Team Files by path."""
        with self.state.lock:
            stored = list(self.state.files_at(team, prefix))
        return {file.path: self.blobs.path(file.blob).read_bytes() for file in stored}

    def dump(self, project_id: int | None = None) -> Any:
        """A project's content, or everybody's, without ids and times: to compare two runs."""
        with self.state.lock:
            return dump_instance(self) if project_id is None else dump_project(self, project_id)


@contextmanager
def running(
    double: Double, *, host: str = "127.0.0.1", port: int = 0, control_port: int = 0
) -> Iterator[Double]:
    """Serve it on a thread, on free ports by default."""
    ports = (port or free_port(), control_port or free_port())
    double.url, double.control_url = (f"http://{host}:{number}" for number in ports)
    app = Gate(add_control(make_app(double), double), double)
    control = add_control(FastAPI(openapi_url=None), double)
    with serving(app, control, connections=double.connections, host=host, ports=ports):
        yield double
