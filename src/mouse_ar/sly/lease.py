"""One run at a time writes to a project of an instance.

An instance has no locks; what it has is a project's custom data. A run writes there who it is and
until when it holds the project, reads that back, and renews it while it works. A run that died
stops renewing, so the next one gets the project a while later. Times are the instance's own, so
the clocks of the computers do not matter.
"""

from __future__ import annotations

import getpass
import os
import platform
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mouse_ar.detection.exchange import TransientError
from mouse_ar.pipelines.store import BusyError

if TYPE_CHECKING:
    from mouse_ar.sly.project import RemoteProject

__all__ = ["Lease", "leased"]

# Under our key in the project's custom data.
LEASE_FIELD = "lease"
_SECONDS = 180.0
# Longer than a request takes: whoever read the project as free has written by then.
_SETTLE_SECONDS = 2.0
# Getting a project that took longer than this (or than it settles) may have overwritten the lease
# of a run that got it meanwhile.
_PROMPT_SECONDS = 1.0
# Renewals in the time for which a project is held.
_RENEWALS = 9
# The end of a run does not wait longer for an instance that hangs: the lease expires.
_RELEASE_SECONDS = 5.0
_RELEASE_PAUSE_SECONDS = 0.2


# Ids of leases whose runs have ended in this process.
_GIVEN_UP: set[str] = set()


class Lease:
    """A project held for a while; see :func:`leased`."""

    def __init__(self, project: RemoteProject, *, seconds: float, settle_seconds: float) -> None:
        self._project = project
        self._seconds = seconds
        self._settle_seconds = settle_seconds
        self._id = uuid.uuid4().hex
        self._since = ""
        self._lost = ""
        self._until = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True)

    def check(self) -> None:
        """Go on only while the project is held.

        Raises:
            BusyError: it was lost to another run.
        """
        if not self._lost and time.monotonic() > self._until:
            self._lost = "it could not be renewed in time"
        if self._lost:
            raise BusyError(
                f"{self._project.title} is no longer held by this run: {self._lost}. What is "
                "finished is kept; the same command goes on after it."
            )

    def acquire(self) -> None:
        """Get the project.

        Raises:
            BusyError: another run holds it; the message names it.
        """
        connection, began = self._project.connection, time.monotonic()
        # Every attempt looks anew: another run may have got the project since the one before.
        connection.retry(self._write, what=f"getting {self._project.title}")
        took = time.monotonic() - began
        time.sleep(self._settle_seconds)
        if took > max(self._settle_seconds, _PROMPT_SECONDS):
            # Whoever got it meanwhile finds this run's lease by its next renewal, and stops.
            time.sleep(self._seconds / _RENEWALS)
        self._refuse(self._current())
        self._thread.start()

    def release(self) -> None:
        """Give the project back; a lease that cannot be given back soon expires."""
        self._over.set()
        if self._thread.ident is not None:
            with self._project.connection.giving_up():
                self._thread.join(_RELEASE_SECONDS)
        # This process knows of it also when the instance does not.
        _GIVEN_UP.add(self._id)
        if not self._thread.is_alive():
            last = threading.Thread(target=self._give_back, daemon=True)
            last.start()
            last.join(_RELEASE_SECONDS)

    def _give_back(self) -> None:
        # One lost request must not keep the next run waiting for minutes.
        until = time.monotonic() + _RELEASE_SECONDS
        # RuntimeError is a TransferError, or a connection that was closed meanwhile.
        with suppress(RuntimeError):
            while time.monotonic() < until:
                try:
                    self._project.change_own_data(self._without, once=True)
                    return
                except TransientError:
                    time.sleep(_RELEASE_PAUSE_SECONDS)

    def _keep(self) -> None:
        pause = self._seconds / _RENEWALS
        while not self._over.wait(pause):
            try:
                self.check()
                self._write()
            except BusyError as error:
                self._lost = self._lost or str(error)
                return
            except (TransientError, RuntimeError):
                continue  # ``check`` notices when it has expired

    def _current(self) -> dict[str, Any]:
        return dict(self._project.own_data().get(LEASE_FIELD) or {})

    def _refuse(self, lease: dict[str, Any]) -> None:
        held = lease.get("id") not in (None, self._id) and not _is_dead(lease)
        left = float(lease.get("until") or 0) - self._project.connection.server_time()
        if held and left > 0:
            until = datetime.fromtimestamp(float(lease["until"]), UTC)
            raise BusyError(
                f"{self._project.title} is being written by {lease.get('who')} since "
                f"{lease.get('since')}. Wait for it; if that run is dead, the project is free "
                f"at {until:%H:%M:%S} UTC. Nothing was changed."
            )

    def _write(self) -> None:
        began = time.monotonic()
        now = self._project.connection.server_time()
        self._since = self._since or f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M} UTC"
        until = round(now + self._seconds, 1)
        lease = {"id": self._id, "who": _who(), "since": self._since, "until": until}
        lease |= {"place": _place(), "process": os.getpid()}

        def change(own: dict[str, Any]) -> dict[str, Any]:
            self._refuse(own.get(LEASE_FIELD) or {})
            return own if self._over.is_set() else {**own, LEASE_FIELD: lease}

        self._project.change_own_data(change, once=True)
        self._until = began + self._seconds

    def _without(self, own: dict[str, Any]) -> dict[str, Any]:
        mine = (own.get(LEASE_FIELD) or {}).get("id") == self._id
        return {k: v for k, v in own.items() if k != LEASE_FIELD} if mine else own


@contextmanager
def leased(
    project: RemoteProject,
    *,
    seconds: float = _SECONDS,
    settle_seconds: float | None = None,
) -> Iterator[Lease]:
    """Hold a project while the context is open.

    Args:
        project: the project.
        seconds: for how long it stays held when this run dies; renewed in the background.
        settle_seconds: pause before it is read back whose it is; 2 s by default.

    Raises:
        BusyError: another run holds it; the message names it.
        TransferError: the instance failed.
    """
    settle = _SETTLE_SECONDS if settle_seconds is None else settle_seconds
    lease = Lease(project, seconds=seconds, settle_seconds=settle)
    try:
        lease.acquire()
        yield lease
    finally:
        lease.release()


def _place() -> str | None:
    """Where process numbers mean the same: this boot of this computer, and container."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return None  # not on Linux: a lease of a dead run has to expire


def _is_dead(lease: dict[str, Any]) -> bool:
    """Whether it is known that the run which wrote a lease has ended: it ran here."""
    place, process = lease.get("place"), lease.get("process")
    if lease.get("id") in _GIVEN_UP:
        return True
    return place is not None and place == _place() and not Path("/proc", str(process)).is_dir()


def _who() -> str:
    """User, computer and process, for others to recognise."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    return f"{user} on {platform.node() or 'unknown'} (process {os.getpid()})"
