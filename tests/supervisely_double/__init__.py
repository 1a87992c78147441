"""A double of a Supervisely instance, for tests and for playing with the apps.

See :class:`~supervisely_double.double.Double`.
"""

from __future__ import annotations

from supervisely_double.constants import AGENT, SERVE_MODULE, TEAM, TOKEN, WORKSPACE
from supervisely_double.double import Double, running
from supervisely_double.errors import ApiError
from supervisely_double.faults import KINDS, Fault

__all__ = [
    "AGENT",
    "KINDS",
    "SERVE_MODULE",
    "TEAM",
    "TOKEN",
    "WORKSPACE",
    "ApiError",
    "Double",
    "Fault",
    "running",
]
