"""How videos get in: content first, then entries in a dataset that point to it."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from supervisely_double.endpoints.videos import check_name, video_json
from supervisely_double.errors import ApiError, demand
from supervisely_double.model import Json, Video
from supervisely_double.registry import Call, Part, endpoint

if TYPE_CHECKING:
    from supervisely_double.double import Double


@endpoint("images.internal.hashes.list")
def known_hashes(double: Double, call: Call) -> Any:
    # api.video.check_existing_hashes: the body is the list
    demand(isinstance(call.data, list), "Expected a list of hashes")
    return [file_hash for file_hash in call.data if file_hash in double.blobs]


@endpoint("videos.bulk.upload", locked=False)
def upload(double: Double, call: Call) -> Any:
    # api.video.upload_paths: parts "0-file", "1-file", ...
    demand(call.parts, "There is no file in the request")
    return [_store(double, part) for part in call.parts]


def _store(double: Double, part: Part) -> Json:
    demand(part.path and part.name.endswith("-file"), f"Part {part.name!r} is no file")
    assert part.path is not None
    blob = double.blobs.put(part.path)
    try:
        double.blobs.video_meta(blob)
    except ApiError as error:
        double.blobs.path(blob).unlink()
        return {"errors": [{"message": str(error)}]}
    return {"hash": blob}


@endpoint("videos.bulk.upsert_file_meta")
def upsert_file_meta(double: Double, call: Call) -> Any:
    # api.video.upsert_infos: what the client measured; the double believes the file instead
    return {"success": True}


@endpoint("import-storage.internal.meta.list", locked=False)
def storage_meta(double: Double, call: Call) -> Any:
    # api.import_storage.get_meta_by_hashes: answers in the order of the request
    hashes = call.need("hashes", list)
    for file_hash in hashes:
        demand(file_hash in double.blobs, f"There is no content with hash {file_hash!r}")
    return [{"hash": h, "meta": double.blobs.video_meta(h)} for h in hashes]


@endpoint("videos.bulk.add")
def add(double: Double, call: Call) -> Any:
    # api.video.upload_hashes, upload_links: names in use are changed without a word
    dataset = double.state.dataset(call.integer("datasetId"))
    kind = double.state.project(dataset.project_id).type
    demand(kind == "videos", f"A project of {kind} takes no videos")
    used = {video.name for video in double.state.videos_of(dataset.id)}
    added = []
    for item in call.items("videos"):
        name = _free_name(check_name(item.get("title")), used)
        used.add(name)
        blob, link = _content(double, item)
        meta = item.get("meta") or {}
        added.append(Video(name=name, dataset_id=dataset.id, blob=blob, link=link, meta=meta))
    double.state.videos |= {video.id: video for video in added}
    return [video_json(double, video) for video in added]


def _content(double: Double, item: Json) -> tuple[str, str | None]:
    """Hash of an item's content and, of a linked one, its address."""
    demand(("hash" in item) != ("link" in item), "Either a hash or a link is needed")
    if "link" in item:
        link = item["link"]
        demand(link in double.state.links, f"Nothing can be read from {link!r}")
        blob = double.state.links[link]
    else:
        blob, link = item["hash"], None
        known = isinstance(blob, str) and blob in double.blobs
        demand(known, f"There is no content with hash {blob!r}")
    streams = double.blobs.video_meta(blob)["streams"]
    wanted = (item.get("meta") or {}).get("videoStreamIndex")
    indices = [stream["index"] for stream in streams]
    demand(wanted in (None, *indices), f"videoStreamIndex {wanted!r}: the file has {indices}")
    return blob, link


def _free_name(name: str, used: set[str]) -> str:
    stem, extension = PurePath(name).stem, PurePath(name).suffix
    free, number = name, 1
    while free in used:
        free, number = f"{stem}_{number:02d}{extension}", number + 1
    return free
