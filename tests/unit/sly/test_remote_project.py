from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mouse_ar.data.annotations import ProjectTag
from mouse_ar.data.config_files import load_actions
from mouse_ar.pipelines.store import BusyError
from mouse_ar.sly import lease as lease_module
from mouse_ar.sly.connection import Connection
from mouse_ar.sly.errors import TransferError
from mouse_ar.sly.lease import Lease, leased
from mouse_ar.sly.limits import Limits
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
    assert len(double.called("projects.meta.update")) == 1
    assert len(double.called("tags.bulk.add")) == 1
    with pytest.raises(ValueError, match="Keep predictions and labels in separate projects"):
        project.add_actions_to_meta(confidence=False)
    clash = {"tags": [{"name": "wet", "value_type": "none"}]}
    with pytest.raises(ValueError, match=r"'wet' has value_type 'any_string'.*expected 'none'"):
        project.join_meta(clash)


@pytest.mark.parametrize("kind", [None, "lost", "cut"])
def test_a_tag_that_somebody_makes_meanwhile_stays(
    project: RemoteProject, double: Double, monkeypatch: pytest.MonkeyPatch, kind: str | None
) -> None:
    project.add_actions_to_meta()
    if kind:
        double.fail("tags.bulk.add", kinds=kind, count=1)
    plain = project.connection.once
    theirs = {"name": "rearing", "value_type": "none", "color": "#00FF00"}

    def once(endpoint: str, payload: Any, *, what: str) -> Any:
        if endpoint in {"projects.meta.update", "tags.bulk.add"}:
            meta = double.call("projects.meta", {"id": project.id})
            if not any(tag["name"] == "rearing" for tag in meta["tags"]):
                meta = {**meta, "tags": [*meta["tags"], theirs]}
                double.call("projects.meta.update", {"id": project.id, "meta": meta})
        return plain(endpoint, payload, what=what)

    monkeypatch.setattr(project.connection, "once", once)
    before = project.tag_ids()

    project.add_tags_to_meta([ProjectTag("score", None, 1.5), ProjectTag("rater", None, "Åse")])
    mouse_only = {"name": "sex", "value_type": "oneof_string", "values": ["f", "m"]}
    project.join_meta({"tags": [mouse_only | {"classes": ["mouse"], "applicable_type": "all"}]})

    tags = {tag["name"]: tag for tag in project.meta(fresh=True)["tags"]}
    assert set(tags) == {*before, "rearing", "score", "rater", "sex"}
    assert {name: tags[name]["id"] for name in before} == before
    assert [tags[n]["value_type"] for n in ("score", "rater")] == ["any_number", "any_string"]
    assert (tags["sex"]["values"], tags["sex"]["classes"]) == (["f", "m"], ["mouse"])


def test_an_instance_that_adds_no_tags_by_themselves(
    project: RemoteProject, double: Double
) -> None:
    project.add_actions_to_meta()
    double.fail("tags.bulk.add", status=404)

    project.add_tags_to_meta([ProjectTag("score", None, 1.5)])

    assert project.value_types()["score"] == "any_number"


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
    late = {"id": "x", "who": "someone", "since": "then", "until": time.time() + 60}

    def write(_: float) -> None:
        other.change_own_data(lambda own: {**own, "lease": late})

    monkeypatch.setattr(time, "sleep", write)
    early = Lease(project, seconds=60, settle_seconds=0.1)

    with pytest.raises(BusyError):
        early.acquire()

    early.release()
    assert project.own_data()["lease"] == late


def test_a_write_that_is_repeated_looks_anew(api: Any, double: Double) -> None:
    """The first write fails; before it is repeated, another run gets the project."""
    limits = Limits(attempts=6, first_pause_seconds=0.6)
    with Connection(api, limits=limits) as slow, Connection(api) as quick:
        number = double.add_project("p")
        first = Lease(RemoteProject.open(slow, number), seconds=60, settle_seconds=0.1)
        second = RemoteProject.open(quick, number)
        double.fail("projects.editInfo", count=1)
        with ThreadPoolExecutor(1) as pool:
            getting = pool.submit(first.acquire)
            while not double.called("projects.editInfo"):
                time.sleep(0.01)
            with leased(second, settle_seconds=0.1) as held:
                with pytest.raises(BusyError, match="is being written by"):
                    getting.result()
                held.check()
                assert second.own_data()["lease"]["id"] == held._id


def test_after_a_slow_write_who_had_it_meanwhile_has_stopped(
    project: RemoteProject, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that is under way for long overwrites the lease of a run that got the project."""
    monkeypatch.setattr(lease_module, "_PROMPT_SECONDS", 0.05)
    other = RemoteProject.open(connection, project.id)
    once, late = connection.once, threading.Event()
    sent = threading.Event()

    def slow(endpoint: str, payload: Any, *, what: str) -> Any:
        if endpoint == "projects.editInfo" and not sent.is_set():
            sent.set()
            assert late.wait(10)
        return once(endpoint, payload, what=what)

    monkeypatch.setattr(connection, "once", slow)
    first = Lease(project, seconds=4.5, settle_seconds=0.01)
    with ThreadPoolExecutor(1) as pool:
        getting = pool.submit(first.acquire)
        assert sent.wait(10)
        with leased(other, seconds=4.5, settle_seconds=0.01) as second:
            second.check()
            time.sleep(0.1)
            late.set()
            getting.result()
            with pytest.raises(BusyError):
                second.check()
        first.check()
        first.release()


@pytest.mark.parametrize("during", ["a renewal", "the release"])
def test_the_end_of_a_run_does_not_wait_for_a_dead_instance(
    api: Any, double: Double, monkeypatch: pytest.MonkeyPatch, during: str
) -> None:
    monkeypatch.setattr(lease_module, "_RELEASE_SECONDS", 0.2)
    with Connection(api, limits=Limits(silence_seconds=20)) as connection:
        project = RemoteProject.open(connection, double.add_project("p"))
        lease = Lease(project, seconds=1.8 if during == "a renewal" else 60, settle_seconds=0)
        lease.acquire()
        double.fail("projects.*", kinds="stall", seconds=3)
        time.sleep(0.4)
        began = time.monotonic()
        lease.release()
        assert time.monotonic() - began < 1.5


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
