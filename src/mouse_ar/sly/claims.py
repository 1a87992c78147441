"""What a project on an instance is for: written into its custom data, so that runs find it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from mouse_ar.sly.lease import Lease, leased
from mouse_ar.sly.project import RemoteProject

__all__ = ["Kind", "check_claim", "claimed"]

Kind = Literal["training-data", "predictions"]

_WHAT: dict[Kind, str] = {"training-data": "Training Data", "predictions": "predictions"}


def check_claim(source: RemoteProject, target: RemoteProject, *, kind: Kind) -> None:
    """Whether a project may hold what is made of a source; nothing is written.

    Raises:
        ValueError: it holds something else; says what.
    """
    own, what = target.own_data(), _WHAT[kind]
    if own.get("kind") is None and not target.videos():
        return
    if own.get("kind") != kind:
        raise ValueError(
            f"{target.title} exists and holds no {what}. Choose another name; nothing in it was "
            "changed."
        )
    if own.get("source_project_id") != source.id:
        raise ValueError(
            f"{target.title} holds {what} of project {own.get('source_project_id')}, not of "
            f"{source.title}. Choose another name, or start from that project."
        )


@contextmanager
def claimed(
    source: RemoteProject, target: RemoteProject, *, kind: Kind, confidence: bool
) -> Iterator[Lease]:
    """Hold a project for what is made of a source, marked as such and with the actions' tags.

    Args:
        source: what it is made of.
        target: where it goes; nothing is written where :func:`check_claim` refuses it.
        kind: of what is made.
        confidence: whether action tags carry a confidence.

    Raises:
        BusyError: another run holds it.
        ValueError: it holds something else.
    """
    check_claim(source, target, kind=kind)
    with leased(target) as lease:
        # It may have been taken for something else meanwhile.
        check_claim(source, target, kind=kind)
        mark = {"kind": kind, "source_project_id": source.id}
        target.change_own_data(lambda data: {**data, **mark})
        target.add_actions_to_meta(confidence=confidence)
        yield lease
