from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from mouse_ar.data.annotations import ProjectTag
from mouse_ar.data.config_files import load_actions
from mouse_ar.pipelines.store import BusyError
from mouse_ar.sly.connection import Connection
from mouse_ar.sly.errors import TransferError
from mouse_ar.sly.lease import Lease, leased
from mouse_ar.sly.project import RemoteProject
from supervisely_double import WORKSPACE, Double

GROOMING, TWITCH = load_actions().names


@pytest.fixture
def project(connection: Connection, double: Double) -> RemoteProject:
    return RemoteProject.open(connection, double.add_project("p"))


@pytest.mark.parametrize("kind", ["lost", "status", "truncated"])
def test_made_once(connection: Connection, double: Double, kind: str) -> None:
    for endpoint in ("projects.add", "datasets.add"):
        double.fail(endpoint, kinds=kind, count=1)

    made = [
        RemoteProject.get_or_create(connection, "mäuse / 1", workspace_id=WORKSPACE)
        for _ in range(2)
    ]
    numbers = [p.dataset(["a/b", "c"]) for p in made]

    assert made[0].id == made[1].id
    assert numbers[0] == numbers[1]
    assert (
        made[0].datasets() == {("a/b",): numbers[0] - 1, ("a/b", "c"): numbers[0]}
        or len(made[0].datasets()) == 2
    )
    assert len(double.state.projects) == 1


def test_a_name_that_several_have(connection: Connection, double: Double) -> None:
    second = double.call("projects.info", {"id": double.add_project("q")})
    double.add_project("p")
    double.call("projects.editInfo", {"id": second["id"], "name": "p"})

    with pytest.raises(ValueError, match="has several projects 'p'"):
        RemoteProject.get_or_create(connection, "p", workspace_id=WORKSPACE)


def test_meta_of_others_stays(project: RemoteProject, double: Double) -> None:
    theirs = {
        "classes": [{"title": "cage", "shape": "polygon", "color": "#000000"}],
        "tags": [{"name": "wet", "value_type": "any_string", "color": "#000000"}],
    }
    double.call("projects.meta.update", {"id": project.id, "meta": theirs})
    before = project.tag_ids()["wet"]

    project.add_actions_to_meta(confidence=True)
    project.add_actions_to_meta(confidence=True)
    project.add_tags_to_meta([ProjectTag("score", None, 1.5)])

    assert project.tag_ids()["wet"] == before
    assert set(project.class_ids()) == {"cage", "mouse"}
    types = project.value_types()
    assert (types["wet"], types[GROOMING], types["score"]) == (
        "any_string",
        "any_number",
        "any_number",
    )
    assert len(double.called("projects.meta.update")) == 2
    with pytest.raises(ValueError, match="Keep predictions and labels in separate projects"):
        project.add_actions_to_meta(confidence=False)
    clash = {"tags": [{"name": "wet", "value_type": "none"}]}
    with pytest.raises(ValueError, match=r"'wet' has value_type 'any_string'.*expected 'none'"):
        project.join_meta(clash)


def test_custom_data_of_others_stay(project: RemoteProject, double: Double) -> None:
    theirs = {"id": project.id, "customData": {"theirs": 1}}
    double.call("projects.editInfo", theirs)

    project.change_own_data(lambda own: {**own, "made_by": "preprocess"})
    project.change_own_data(lambda own: {**own, "more": 2})

    assert project.custom_data() == {
        "theirs": 1,
        "mouse_ar": {"made_by": "preprocess", "more": 2},
    }


def test_more_than_a_page_of_datasets(project: RemoteProject, double: Double) -> None:
    double.page_size = 7
    for number in range(30):
        double.add_dataset(project.id, f"top/{number}")

    assert len(project.datasets()) == 31


def test_two_owners(connection: Connection, project: RemoteProject) -> None:
    other = RemoteProject.open(connection, project.id)

    with leased(project, settle_seconds=0) as lease:
        lease.check()
        with (
            pytest.raises(BusyError, match=r"'p' .* is being written by .* on .* since .*UTC"),
            leased(other, settle_seconds=0),
        ):
            pass
        lease.check()
        assert project.own_data()["lease"]
    assert project.own_data() == {}
    with leased(other, settle_seconds=0):
        pass


def test_of_two_at_the_same_moment_one_gets_it(
    connection: Connection, project: RemoteProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other reads the project as free, and writes after this one has written."""
    other = RemoteProject.open(connection, project.id)
    late = Lease(other, seconds=60, settle_seconds=0)
    monkeypatch.setattr(time, "sleep", lambda _: late._write())
    early = Lease(project, seconds=60, settle_seconds=0.1)

    with pytest.raises(BusyError):
        early.acquire()

    early.release()
    assert project.own_data()["lease"]["id"] == late._id


def test_renewed_while_held(project: RemoteProject, connection: Connection) -> None:
    with leased(project, seconds=2, settle_seconds=0) as lease:
        time.sleep(2.4)
        lease.check()
        with (
            pytest.raises(BusyError),
            leased(RemoteProject.open(connection, project.id), settle_seconds=0),
        ):
            pass


def test_a_dead_run_is_succeeded(project: RemoteProject, double: Double) -> None:
    past = {"id": "x", "who": "someone", "since": "then", "until": time.time() - 5}
    project.change_own_data(lambda own: {**own, "lease": past, "kept": 1})

    with leased(project, settle_seconds=0) as lease:
        lease.check()

    assert project.own_data() == {"kept": 1}


def test_a_run_that_was_killed_here_is_succeeded_at_once(project: RemoteProject) -> None:
    script = "import os; print(os.getpid())"
    dead = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    with leased(project, settle_seconds=0):
        lease = project.own_data()["lease"]

    alive = {**lease, "id": "x", "until": time.time() + 60}
    project.change_own_data(lambda own: {**own, "lease": alive})
    with pytest.raises(BusyError), leased(project, settle_seconds=0):
        pass
    elsewhere = {**alive, "process": int(dead.stdout), "place": "another computer"}
    project.change_own_data(lambda own: {**own, "lease": elsewhere})
    with pytest.raises(BusyError), leased(project, settle_seconds=0):
        pass
    killed = {**alive, "process": int(dead.stdout)}
    project.change_own_data(lambda own: {**own, "lease": killed})
    with leased(project, settle_seconds=0) as held:
        held.check()


def test_a_lost_lease_is_noticed(project: RemoteProject) -> None:
    theirs = {"id": "x", "who": "someone", "since": "then", "until": time.time() + 60}
    with leased(project, seconds=0.4, settle_seconds=0) as lease:
        project.change_own_data(lambda own: {**own, "lease": theirs})
        time.sleep(0.3)
        with pytest.raises(BusyError, match=r"no longer held by this run: .*someone"):
            lease.check()

    assert project.own_data()["lease"] == theirs


def test_a_lease_that_cannot_be_renewed_is_lost(project: RemoteProject, double: Double) -> None:
    with leased(project, seconds=0.4, settle_seconds=0) as lease:
        double.fail("projects.*")
        time.sleep(0.6)
        with pytest.raises(BusyError, match="could not be renewed in time"):
            lease.check()


def test_a_dead_server_is_told(project: RemoteProject, double: Double, tmp_path: Path) -> None:
    double.down()
    with pytest.raises(TransferError, match="listing the videos"):
        project.videos()
