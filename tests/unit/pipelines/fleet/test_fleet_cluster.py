"""Joining a cluster: what is refused, with what advice; no cluster is started here."""

from __future__ import annotations

import socket
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from mouse_ar.pipelines.fleet.cluster import Fleet, joined
from mouse_ar.pipelines.fleet.needs import FleetError, TaskNeeds


def join(address: str) -> None:
    with joined(address, needs=TaskNeeds()):
        pass


def node(name: str, *, alive: bool = True, **resources: float) -> dict[str, Any]:
    return {
        "NodeID": name,
        "Alive": alive,
        "NodeManagerHostname": name,
        "NodeManagerAddress": "10.0.0.1",
        "Resources": resources,
    }


class SomeRay:
    """Answers as Ray would of these computers."""

    exceptions = SimpleNamespace(RayError=RuntimeError)

    def __init__(self, *nodes: dict[str, Any]) -> None:
        self.all = list(nodes)

    def nodes(self) -> list[dict[str, Any]]:
        return self.all

    def remote(self, function: Any) -> Any:
        never = SimpleNamespace(remote=lambda *arguments: object())
        return SimpleNamespace(options=lambda **options: never)

    def wait(self, refs: list[Any], *, timeout: float) -> tuple[list[Any], list[Any]]:
        return [], refs

    def cancel(self, ref: Any, *, force: bool) -> None:
        assert force


def fleet(*nodes: dict[str, Any], device: str | None = None, **needs: float) -> Fleet:
    return Fleet(SomeRay(*nodes), needs=TaskNeeds(**needs), device=device)


def test_without_ray_the_way_to_install_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(FleetError, match=r'pip install "mouse-ar\[ray\]"'):
        join("auto")


@pytest.mark.parametrize("address", ["ray://head:10001", "local", "head", "head:port"])
def test_other_addresses_are_refused(address: str) -> None:
    pytest.importorskip("ray")
    with pytest.raises(FleetError, match="expects auto or HOST:PORT"):
        join(address)


def test_an_address_where_nothing_answers_is_told_at_once() -> None:
    pytest.importorskip("ray")
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(FleetError, match=f"No Ray cluster answers at 127.0.0.1:{port}"):
            join(f"127.0.0.1:{port}")


def test_gpus_are_used_where_there_are_some() -> None:
    both = [node("a", CPU=4), node("b", CPU=4, GPU=2)]
    found = fleet(*both)
    assert (found.device, found.computers, found.at_once) == ("cuda", 1, 2)
    assert found.device_here is None
    on_cpus = fleet(*both, device="cpu")
    assert (on_cpus.device, on_cpus.computers, on_cpus.at_once) == ("cpu", 2, 8)
    assert on_cpus.device_here == "cpu"


def test_computers_that_are_gone_do_not_count() -> None:
    assert fleet(node("a", CPU=2), node("b", CPU=2, alive=False)).at_once == 2


def test_one_gpu_of_several_cannot_be_named() -> None:
    with pytest.raises(ValueError, match="cpu or cuda, got 'cuda:1': Ray chooses"):
        fleet(node("a", CPU=2, GPU=2), device="cuda:1")


def test_more_than_there_is_is_refused_with_what_there_is() -> None:
    with pytest.raises(FleetError, match=r"\(4 CPU cores\).*It has: a .*2 CPU cores.*Ask for less"):
        fleet(node("a", CPU=2), cpus=4)


def test_a_cluster_that_has_lost_all_its_computers_ends_the_run_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mouse_ar.pipelines.fleet.cluster._PATIENCE_SECONDS", 0.1)
    found = fleet(node("a", CPU=2))
    assert isinstance(found._ray, SomeRay)
    found._ray.all[0]["Alive"] = False
    with pytest.raises(FleetError, match="Start one again; the same command goes on"):
        list(found.run(str, [1, 2], work=lambda item: item))
