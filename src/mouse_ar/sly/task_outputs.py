"""What the platform's list of tasks shows of a task's result."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from mouse_ar.sly.calls import within
from mouse_ar.sly.connection import Connection

if TYPE_CHECKING:
    from supervisely import Api

__all__ = ["project_preview", "set_outputs"]

_LOG = logging.getLogger(__name__)
_SECONDS = 60.0


def set_outputs(api: Api, task_id: int, **outputs: Callable[[Any], Any]) -> list[str]:
    """Set outputs of a task; what failed, in words, since no result is lost by that.

    Args:
        api: of the instance.
        task_id: of the app.
        outputs: what it is ("report"), and a function that sets it, given ``api.task``.
    """
    failed = []
    for name, put in outputs.items():
        try:
            within(_SECONDS, partial(put, api.task), what=f"setting the {name} of the task")
        except Exception as error:  # the result is in Team Files all the same
            _LOG.warning("The %s of task %d could not be set", name, task_id, exc_info=error)
            failed.append(f"The list of tasks does not show the {name}: {error}")
    return failed


def project_preview(connection: Connection, project_id: int) -> str | None:
    """Address of a project's picture; None where it has none."""
    info: Mapping[str, Any] = connection.call(
        "projects.info", {"id": project_id}, what=f"reading project {project_id}"
    )
    return info.get("referenceImageUrl") or None
