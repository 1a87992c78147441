"""Handlers, each for what one function of the SDK sends and expects.

Importing the package registers all of them.
"""

from supervisely_double.endpoints import (
    annotations,
    datasets,
    ecosystem,
    figures,
    files,
    objects,
    people,
    projects,
    stats,
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
    "stats",
    "tags",
    "tasks",
    "uploads",
    "videos",
]
