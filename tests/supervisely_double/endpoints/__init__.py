"""Handlers, each for what one function of the SDK sends and expects.

Importing the package registers all of them.
"""

from __future__ import annotations

from supervisely_double.endpoints import (
    annotations,
    datasets,
    ecosystem,
    figures,
    files,
    objects,
    people,
    projects,
    tags,
    tasks,
    uploads,
    videos,
)

__all__ = [
    "annotations",
    "datasets",
    "ecosystem",
    "figures",
    "files",
    "objects",
    "people",
    "projects",
    "tags",
    "tasks",
    "uploads",
    "videos",
]
