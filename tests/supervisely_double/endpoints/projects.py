"""Projects and their classes and tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from supervisely_double.clock import now
from supervisely_double.constants import USER
from supervisely_double.errors import demand
from supervisely_double.listing import paged
from supervisely_double.meta import merged_classes, merged_tags
from supervisely_double.model import Json, Project
from supervisely_double.registry import Call, endpoint

if TYPE_CHECKING:
    from supervisely_double.double import Double

_TYPES = ("images", "videos", "volumes", "point_clouds", "point_cloud_episodes", "meshes")


def project_json(double: Double, project: Project) -> Json:
    videos = double.state.project_videos(project.id)
    return {
        **project.stamps(),
        "name": project.name,
        "description": project.description,
        "readme": project.readme,
        "type": project.type,
        "workspaceId": project.workspace_id,
        "teamId": double.state.workspace_team(project.workspace_id),
        "itemsCount": len(videos),
        "imagesCount": len(videos),
        "datasetsCount": len(double.state.datasets_of(project.id)),
        "size": str(sum(double.blobs.size(video.blob) for video in videos)),
        "referenceImageUrl": f"{double.url}/previews/project/{project.id}.png",
        "customData": project.custom_data,
        "settings": project.settings,
        "importSettings": {},
        "backupArchive": {},
        "version": {},
        "createdBy": USER,
    }


@endpoint("projects.info")
def info(double: Double, call: Call) -> Any:
    # api.project.get_info_by_id, get_settings
    return project_json(double, double.state.project(call.integer("id")))


@endpoint("projects.list")
def list_(double: Double, call: Call) -> Any:
    # api.project.get_list, get_info_by_name
    state = double.state
    wanted = list(state.projects.values())
    if "workspaceId" in call.data:
        workspace = call.integer("workspaceId")
        state.workspace_team(workspace)
        wanted = [p for p in wanted if p.workspace_id == workspace]
    if "groupId" in call.data:
        team = call.integer("groupId")
        wanted = [p for p in wanted if state.workspace_team(p.workspace_id) == team]
    return paged(double, call, [project_json(double, project) for project in wanted])


@endpoint("projects.add")
def add(double: Double, call: Call) -> Any:
    # api.project.create
    workspace, name = call.integer("workspaceId"), call.text("name")
    double.state.workspace_team(workspace)
    kind = call.text("type")
    demand(kind in _TYPES, f"type: expected one of {_TYPES}, got {kind!r}")
    taken = {p.name for p in double.state.projects.values() if p.workspace_id == workspace}
    demand(name not in taken, f"Workspace {workspace} has a project {name!r} already")
    project = Project(
        name=name,
        workspace_id=workspace,
        type=kind,
        description=call.get("description") or "",
        readme=call.get("readme") or "",
        custom_data=call.get("customData") or {},
        settings=call.get("settings") or {},
    )
    double.state.projects[project.id] = project
    return project_json(double, project)


@endpoint("projects.editInfo")
def edit_info(double: Double, call: Call) -> Any:
    # api.project.edit_info, update_custom_data: custom data are replaced
    project = double.state.project(call.integer("id"))
    if "name" in call.data:
        project.name = call.text("name")
    if "description" in call.data:
        project.description = call.need("description", str)
    if "readme" in call.data:
        project.readme = call.need("readme", str)
    if "customData" in call.data:
        project.custom_data = call.need("customData", dict)
    project.updated = now()
    return project_json(double, project)


@endpoint("projects.archive")
def archive(double: Double, call: Call) -> Any:
    # api.project.remove
    double.state.remove_project(double.state.project(call.integer("id")).id)
    return {"success": True}


@endpoint("projects.remove.permanently")
def remove_permanently(double: Double, call: Call) -> Any:
    # api.project.remove_permanently
    projects = [double.state.project(item.get("id")) for item in call.items("projects")]
    for project in projects:
        double.state.remove_project(project.id)
    return {"success": True}


def meta_json(project: Project) -> Json:
    return {"classes": project.classes, "tags": project.tags, "projectType": project.type}


@endpoint("projects.meta")
def meta(double: Double, call: Call) -> Any:
    # api.project.get_meta
    return meta_json(double.state.project(call.integer("id")))


@endpoint("projects.meta.update")
def meta_update(double: Double, call: Call) -> Any:
    # api.project.update_meta: the whole meta is replaced, the answer has the ids
    project = double.state.project(call.integer("id"))
    sent = call.need("meta", dict)
    kind = sent.get("projectType") or project.type
    demand(kind == project.type, f"projectType: expected {project.type!r}, got {kind!r}")
    videos = {v.id for v in double.state.project_videos(project.id)}
    used_classes = {o.class_id for o in double.state.objects.values() if o.video_id in videos}
    used_tags = {t.tag_id for t in double.state.tags.values() if t.video_id in videos}
    classes = merged_classes(project.classes, sent.get("classes"), used=used_classes)
    project.tags = merged_tags(project.tags, sent.get("tags"), used=used_tags)
    project.classes, project.updated = classes, now()
    return meta_json(project)


@endpoint("projects.settings.update")
def settings_update(double: Double, call: Call) -> Any:
    # api.project.update_settings
    project = double.state.project(call.integer("id"))
    project.settings = {**project.settings, **call.need("settings", dict)}
    return project_json(double, project)


@endpoint("tags.list")
def tags_list(double: Double, call: Call) -> Any:
    # api.video.tag.get_list, get_name_to_id_map
    project = double.state.project(call.integer("projectId"))
    stamps = {"createdAt": project.created, "updatedAt": project.updated}
    entities = [
        {
            "id": tag["id"],
            "projectId": project.id,
            "name": tag["name"],
            "color": tag["color"],
            "settings": {"type": tag["value_type"], "values": tag.get("values")},
            **stamps,
        }
        for tag in project.tags
    ]
    return paged(double, call, entities)


@endpoint("tags.bulk.add")
def tags_bulk_add(double: Double, call: Call) -> Any:
    # api.video.tag.create_bulk, create: beside what is there; limits of frame ranges are not kept
    project = double.state.project(call.integer("projectId"))
    titles = {known["id"]: known["title"] for known in project.classes}
    new = []
    for sent in call.items("tags"):
        settings = sent.get("settings") or {}
        demand(set(settings.get("classes") or []) <= set(titles), "A class is not of this project")
        new.append(
            {
                "name": sent.get("title"),
                "color": sent.get("color", "#00FF00"),
                "hotkey": sent.get("hotkey", ""),
                "value_type": settings.get("type"),
                "applicable_type": settings.get("applicableType", "all"),
                "target_type": settings.get("targetType", "all"),
                "classes": [titles[number] for number in settings.get("classes") or []],
                **({"values": settings["values"]} if settings.get("values") else {}),
            }
        )
    names = {tag["name"] for tag in new}
    taken = names & {tag["name"] for tag in project.tags}
    demand(not taken, f"There are tags {sorted(taken)} already")
    project.tags = merged_tags(project.tags, [*project.tags, *new], used=set())
    project.updated = now()
    return [{"id": t["id"], "title": t["name"]} for t in project.tags if t["name"] in names]


@endpoint("advanced.object_classes.list")
def classes_list(double: Double, call: Call) -> Any:
    # api.object_class.get_list, get_name_to_id_map
    project = double.state.project(call.integer("projectId"))
    stamps = {"createdAt": project.created, "updatedAt": project.updated}
    entities = [
        {
            "id": known["id"],
            "name": known["title"],
            "description": known.get("description", ""),
            "shape": known["shape"],
            "color": known["color"],
            "settings": known.get("geometry_config") or {},
            **stamps,
        }
        for known in project.classes
    ]
    return paged(double, call, entities)
