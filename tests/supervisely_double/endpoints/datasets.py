"""Datasets, nested through ``parentId``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from supervisely_double.clock import now
from supervisely_double.constants import USER
from supervisely_double.errors import demand
from supervisely_double.listing import paged
from supervisely_double.model import Dataset, Json
from supervisely_double.registry import Call, endpoint

if TYPE_CHECKING:
    from supervisely_double.double import Double


def dataset_json(double: Double, dataset: Dataset, *, custom_data: bool = True) -> Json:
    """Lists omit the custom data: api.dataset.tree hashes what it gets."""
    state = double.state
    videos = state.videos_of(dataset.id)
    workspace = state.project(dataset.project_id).workspace_id
    answer = {
        **dataset.stamps(),
        "name": dataset.name,
        "description": dataset.description,
        "projectId": dataset.project_id,
        "parentId": dataset.parent_id,
        "workspaceId": workspace,
        "teamId": state.workspace_team(workspace),
        "itemsCount": len(videos),
        "imagesCount": len(videos),
        "size": str(sum(double.blobs.size(video.blob) for video in videos)),
        "referenceImageUrl": f"{double.url}/previews/dataset/{dataset.id}.png",
        "createdBy": USER,
    }
    return {**answer, "customData": dataset.custom_data} if custom_data else answer


@endpoint("datasets.info")
def info(double: Double, call: Call) -> Any:
    # api.dataset.get_info_by_id
    return dataset_json(double, double.state.dataset(call.integer("id")))


@endpoint("datasets.list")
def list_(double: Double, call: Call) -> Any:
    # api.dataset.get_list, get_tree, get_info_by_name
    datasets = double.state.datasets_of(double.state.project(call.integer("projectId")).id)
    if not call.get("recursive"):
        datasets = [d for d in datasets if d.parent_id is None]
    custom_data = "customData" in (call.get("extraFields") or [])
    entities = [dataset_json(double, d, custom_data=custom_data) for d in datasets]
    return paged(double, call, entities)


@endpoint("datasets.add")
def add(double: Double, call: Call) -> Any:
    # api.dataset.create
    project, name = double.state.project(call.integer("projectId")), call.text("name")
    parent_id = call.get("parentId")
    if parent_id is not None:
        parent = double.state.dataset(parent_id)
        demand(parent.project_id == project.id, f"Dataset {parent_id} is of another project")
    _check_free(double, project.id, parent_id, name)
    dataset = Dataset(
        name=name,
        project_id=project.id,
        parent_id=parent_id,
        description=call.get("description") or "",
        custom_data=call.get("customData") or {},
    )
    double.state.datasets[dataset.id] = dataset
    return dataset_json(double, dataset)


def _check_free(double: Double, project_id: int, parent_id: int | None, name: str) -> None:
    siblings = (d for d in double.state.datasets_of(project_id) if d.parent_id == parent_id)
    demand(name not in {d.name for d in siblings}, f"There is a dataset {name!r} already")


@endpoint("datasets.editInfo")
def edit_info(double: Double, call: Call) -> Any:
    # api.dataset.update, update_custom_data
    dataset = double.state.dataset(call.integer("id"))
    if call.get("name") not in (None, dataset.name):
        _check_free(double, dataset.project_id, dataset.parent_id, call.text("name"))
        dataset.name = call.text("name")
    if "description" in call.data:
        dataset.description = call.need("description", str)
    if "customData" in call.data:
        dataset.custom_data = call.need("customData", dict)
    dataset.updated = now()
    return dataset_json(double, dataset)


@endpoint("datasets.archive")
def archive(double: Double, call: Call) -> Any:
    # api.dataset.remove
    double.state.remove_dataset(double.state.dataset(call.integer("id")).id)
    return {"success": True}


@endpoint("datasets.remove.permanently")
def remove_permanently(double: Double, call: Call) -> Any:
    # api.dataset.remove_permanently
    datasets = [double.state.dataset(item.get("id")) for item in call.items("datasets")]
    for dataset in datasets:
        if dataset.id in double.state.datasets:  # not removed with its parent
            double.state.remove_dataset(dataset.id)
    return [{"success": True}]
