"""Whether all computers of a cluster see the same files under the same paths."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mouse_ar import __version__
from mouse_ar.pipelines.fleet.cluster import Fleet
from mouse_ar.pipelines.fleet.needs import FleetError

__all__ = ["require_paths"]

_ADVICE = (
    ". Videos, models and results must lie in a folder that all computers of the cluster see under "
    "the same path: see docs/fleet.md"
)


def require_paths(fleet: Fleet, paths: Iterable[Path], *, output: Path | None = None) -> None:
    """Have every computer look whether it sees the same files as this one.

    Args:
        fleet: the computers.
        paths: files; those that are not there are passed over, their videos will fail.
        output: a folder that must be the same one everywhere; it is made.

    Raises:
        FleetError: names a path and the computer that cannot read it.
    """
    files = [path.absolute() for path in paths]
    looks = [Look(str(path), str(path), path.stat().st_size) for path in files if path.is_file()]
    if output is None:
        _have_looked(fleet, looks)
        return
    output = output.absolute()
    output.mkdir(parents=True, exist_ok=True)
    # Only the folder itself has a file of that name.
    with tempfile.NamedTemporaryFile(dir=output, prefix=".fleet-") as mark:
        _have_looked(fleet, [*looks, Look(str(output), mark.name, 0, writable=True)])


@dataclass(frozen=True)
class Look:
    """A file to look for.

    Args:
        shown: what the user calls it.
        path: the file.
        size_bytes: of the file as it is seen here.
        writable: whether ``shown`` is a folder that must be writable.
    """

    shown: str
    path: str
    size_bytes: int
    writable: bool = False

    def problem(self) -> str | None:
        """What is the matter with it on this computer."""
        try:
            with Path(self.path).open("rb") as file:
                size_bytes = os.fstat(file.fileno()).st_size
        except OSError as error:
            return f"cannot read {self.shown} ({error.strerror})"
        if size_bytes != self.size_bytes:
            return f"has another file at {self.shown} ({size_bytes} bytes, not {self.size_bytes})"
        if self.writable and not os.access(self.shown, os.W_OK):
            return f"cannot write to {self.shown}"
        return None


def looked(looks: list[Look], version: str) -> list[str]:
    """What is amiss on the computer where this runs.

    Args:
        looks: what to look for.
        version: of this package on the computer that asks.
    """
    if version != __version__:
        return [f"has mouse-ar {__version__}, this computer has {version}: install the same"]
    return [problem + _ADVICE for look in looks if (problem := look.problem())]


def _have_looked(fleet: Fleet, looks: list[Look]) -> None:
    for computer, problems in fleet.everywhere(looked, looks, __version__):
        if problems:
            more = f" ({len(problems) - 1} more)" if len(problems) > 1 else ""
            raise FleetError(f"{computer} {problems[0]}{more}.")
