"""Several computers: this process joins a Ray cluster and has one task done for each video.

Nothing of Ray is imported before a cluster is joined. How tasks are lost and started again is
decided here and not by Ray, so that it can be told, and ends.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from mouse_ar.pipelines.fleet.needs import FleetError, TaskNeeds, described
from mouse_ar.pipelines.fleet.under_way import UnderWay

__all__ = ["Fleet", "joined"]

Item = TypeVar("Item")
Work = TypeVar("Work")
Answer = TypeVar("Answer")

# Tasks that are given away per task that can run, so that no computer waits for its next one.
_AHEAD = 2
_WAIT_SECONDS = 1.0
_CONNECT_SECONDS = 5.0
_CHECK_SECONDS = 120.0
# A cluster without any computer for our tasks may get one back: a restart takes minutes.
_PATIENCE_SECONDS = 300.0


@contextmanager
def joined(address: str, *, needs: TaskNeeds, device: str | None = None) -> Iterator[Fleet]:
    """Join a cluster; on leaving, what is still being done there is ended.

    Args:
        address: ``auto``, or HOST:PORT of the head. This computer must be one of the cluster.
        needs: of each task; a GPU is added where the device is one.
        device: cpu or cuda; CUDA where a computer of the cluster has it.

    Raises:
        FleetError: Ray is not installed, there is no cluster, or no computer of it has what a
            task needs.
    """
    ray = _import_ray()
    _require_answer(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError) as error:
        raise FleetError(
            f"Cannot join a Ray cluster at {address!r} ({error}). Start one with `ray start --head`"
            " and run this command on one of its computers: see docs/fleet.md."
        ) from error
    try:
        yield Fleet(ray, needs=needs, device=device)
    finally:
        ray.shutdown()


class Fleet:
    """The computers of a cluster that this process has joined; see :func:`joined`.

    Args:
        ray: the module, connected.
        needs: of each task.
        device: as in :func:`joined`.
    """

    def __init__(self, ray: Any, *, needs: TaskNeeds, device: str | None) -> None:
        if device not in {None, "cpu", "cuda"}:
            raise ValueError(
                f"On a cluster the device is cpu or cuda, got {device!r}: Ray chooses."
            )
        self._ray = ray
        have_gpu = any(node["Resources"].get("GPU", 0) for node in self._alive())
        self.device = device or ("cuda" if have_gpu else "cpu")
        self.needs = replace(needs, gpus=1.0 if self.device == "cuda" else 0.0)
        if not self.at_once:
            found = "; ".join(
                f"{_named(node)}: {described(node['Resources'])}" for node in self._alive()
            )
            raise FleetError(
                f"No computer of the cluster has what each video needs ({self.needs}). It has: "
                f"{found}. Ask for less, or start computers with more."
            )

    @property
    def device_here(self) -> str | None:
        """What this process opens a detector on, so that it has the number format of the tasks'."""
        return "cpu" if self.device == "cpu" else None

    @property
    def computers(self) -> int:
        """So many can run tasks now."""
        return len(self._fitting())

    @property
    def at_once(self) -> int:
        """So many tasks can run at a time now."""
        return sum(self.needs.at_once(node["Resources"]) for node in self._fitting())

    def everywhere(
        self, function: Callable[..., Answer], *arguments: object
    ) -> Iterator[tuple[str, Answer]]:
        """Call a function on every computer that has what tasks need.

        Yields:
            Name of the computer, and what the function gave there.

        Raises:
            FleetError: the function fails there, or takes minutes.
        """
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        ray, asked = self._ray, {}
        for node in self._fitting():
            only = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            remote = ray.remote(function).options(
                num_cpus=0, max_retries=0, scheduling_strategy=only
            )
            asked[remote.remote(*arguments)] = _named(node)
        for ref, name in asked.items():
            try:
                yield name, ray.get(ref, timeout=_CHECK_SECONDS)
            except ray.exceptions.RayTaskError as error:
                cause = f"{type(error.cause).__name__}: {error.cause}"
                raise FleetError(f"{name} cannot do our tasks: {cause}") from error
            except ray.exceptions.GetTimeoutError as error:
                raise FleetError(
                    f"{name} did not answer within {_CHECK_SECONDS:.0f} s: is its disk or its "
                    "network stuck?"
                ) from error
            except ray.exceptions.RayError:
                continue  # lost meanwhile: it will get no tasks

    def ask(self, task: Callable[[], Answer]) -> Answer:
        """What a function gives on some computer of the cluster.

        Raises:
            FleetError: it fails there.
        """
        ((_, answer),) = self.run(_called, [task], work=lambda item: item)
        if isinstance(answer, OSError):
            raise FleetError(str(answer)) from answer
        return answer

    def run(
        self,
        task: Callable[[Work], Answer],
        items: Iterable[Item],
        *,
        work: Callable[[Item], Work],
        most: int | None = None,
    ) -> Generator[tuple[Item, Answer | OSError], None, None]:
        """Have a task done for each item, and give what came of it as it gets done.

        A task whose process or computer is lost is started again, wherever there is room. When
        the generator is closed, as Ctrl-C does, the tasks that are under way are ended.

        Args:
            task: runs on the cluster. What it raises ends the run.
            items: taken when there is room for another one, in the caller's thread.
            work: what the task is given for an item.
            most: tasks that are under way at the same time; as many as there is room for by
                default, and as many waiting.

        Yields:
            The item with the task's answer, or with an error when it was lost too often.

        Raises:
            FleetError: a task raises, or there has been no computer for tasks for minutes.
        """
        remote = self._ray.remote(_done).options(**self.needs.options(), max_retries=0)
        tasks: UnderWay[Item] = UnderWay(self._ray, partial(remote.remote, task))
        source, more, alone_since = iter(items), True, None
        try:
            while more or len(tasks):
                at_once = self.at_once
                alone_since = None if at_once else alone_since or time.monotonic()
                self._require_patience(alone_since)
                if room := more and len(tasks) < (most or max(1, _AHEAD * at_once)):
                    for item in source:
                        tasks.add(item, work(item))
                        break
                    else:
                        more = False
                if not len(tasks):
                    continue
                ended = tasks.next_end(timeout_seconds=0 if room else _WAIT_SECONDS)
                if ended is not None:
                    yield ended.item, ended.answer
        finally:
            tasks.end()

    def _require_patience(self, alone_since: float | None) -> None:
        if alone_since is not None and time.monotonic() - alone_since > _PATIENCE_SECONDS:
            raise FleetError(
                f"For {_PATIENCE_SECONDS:.0f} s no computer of the cluster has had what each video "
                f"needs ({self.needs}). Start one again; the same command goes on."
            )

    def _alive(self) -> list[dict[str, Any]]:
        return [node for node in self._ray.nodes() if node["Alive"]]

    def _fitting(self) -> list[dict[str, Any]]:
        return [node for node in self._alive() if self.needs.at_once(node["Resources"])]


def _done(task: Callable[[Work], Answer], work: Work) -> Answer:
    """Runs on the cluster; says where something is amiss."""
    try:
        return task(work)
    except Exception as error:
        raise FleetError(f"on {socket.gethostname()}: {type(error).__name__}: {error}") from error


def _called(task: Callable[[], Answer]) -> Answer:
    return task()


def _import_ray() -> Any:
    try:
        import ray
    except ImportError:
        raise FleetError(
            '--ray needs Ray, which is not installed here: pip install "mouse-ar[ray]", the same '
            "version on every computer of the cluster."
        ) from None
    return ray


def _require_answer(address: str) -> None:
    """Ray itself would wait for minutes where nothing answers, and end the process."""
    if address == "auto":
        return
    host, colon, port = address.rpartition(":")
    if not colon or "/" in address or not port.isdecimal():
        raise FleetError(f"--ray expects auto or HOST:PORT of a cluster's head, got {address!r}.")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        raise FleetError(
            f"No Ray cluster answers at {address} ({error}). `ray start --head` starts one and "
            "prints its address."
        ) from error


def _named(node: Mapping[str, Any]) -> str:
    name, address = node["NodeManagerHostname"], node["NodeManagerAddress"]
    return f"{name} ({address})"
