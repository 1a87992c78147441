"""Weights to start a training from: public ones, fetched once and checked, or a file."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mouse_ar.data.answers import DownloadError
from mouse_ar.data.download import (
    ByteProgress,
    DownloadLimits,
    Received,
    download,
)
from mouse_ar.data.files import read_json, sha256_of, write_json
from mouse_ar.data.google_drive import DRIVE, drive_id, drive_locator
from mouse_ar.mvd import CheckpointError, MVDConfig, check_pretrained
from mouse_ar.mvd.catalog import CatalogEntry, WeightsCatalog
from mouse_ar.pipelines.tracks import CACHE_VARIABLE, cache_folder

__all__ = [
    "CATALOG_VARIABLE",
    "LocalWeights",
    "PublicWeights",
    "catalog_path",
    "download_weights",
    "local_weights",
    "resolve_weights",
    "weights_folder",
]

CATALOG_VARIABLE = "MOUSE_AR_CATALOG"
_CHECKOUT = Path(__file__).resolve().parents[3] / "models"
_CATALOG = "catalog.yaml"

# Called before a download; raises where the user does not accept the licence.
Accept = Callable[[CatalogEntry], None]


@dataclass(frozen=True)
class LocalWeights:
    """Public weights on this disk.

    Args:
        path: the file.
        size: in bytes.
        sha256: recorded when they came, or from the catalog; None for a file that was put there
            by hand and not used yet.
    """

    path: Path
    size: int
    sha256: str | None


@dataclass(frozen=True)
class PublicWeights:
    """Public weights and where they are kept.

    Args:
        catalog: what there is.
        folder: of the files.
    """

    catalog: WeightsCatalog
    folder: Path


def catalog_path() -> Path:
    """The catalog: ``MOUSE_AR_CATALOG``, that of the checkout, or the installed one."""
    own = os.environ.get(CATALOG_VARIABLE)
    if own:
        return Path(own)
    if (_CHECKOUT / _CATALOG).is_file():
        return _CHECKOUT / _CATALOG
    return Path(sysconfig.get_path("data")) / "share" / "mouse-ar" / _CATALOG


def weights_folder() -> Path:
    """Where public weights are kept: below ``MOUSE_AR_CACHE`` if that is set, else in the
    checkout's ``models``, else in the user's cache folder.
    """
    if not os.environ.get(CACHE_VARIABLE) and (_CHECKOUT / _CATALOG).is_file():
        return _CHECKOUT
    return cache_folder() / "weights"


def local_weights(entry: CatalogEntry, folder: Path) -> LocalWeights | None:
    """Public weights that are there already, by a glance; None where they are not."""
    path = folder / entry.file_name
    if not path.is_file():
        return None
    return LocalWeights(path, path.stat().st_size, entry.sha256 or _recorded(path))


def resolve_weights(
    text: str,
    *,
    folder: Path,
    catalog: WeightsCatalog,
    progress: ByteProgress | None = None,
    accept: Accept | None = None,
    limits: DownloadLimits = DownloadLimits(),  # noqa: B008 (frozen)
    drive: str = DRIVE,
) -> Path:
    """The file of the weights that a user names.

    Public weights that are not there are downloaded; those that are there are checked against
    what was recorded when they came.

    Args:
        text: name in the catalog, or path of a file.
        folder: of public weights.
        catalog: of public weights.
        progress: called with (bytes done, bytes in all or 0) while downloading.
        accept: called before a download; raises where the licence is not accepted.
        limits: patience of the download.
        drive: server of Google Drive.

    Raises:
        ValueError: it is neither a name nor a file, or the file is not what it was.
        CheckpointError: the file holds no weights of that network.
        DownloadError: the weights cannot be had.
        NoSpaceError: the disk is too full.
    """
    entry = catalog.find(text)
    if entry is not None:
        if local_weights(entry, folder) is not None:
            return _checked(entry, folder, catalog=catalog)
        if accept is not None and entry.url is not None:
            accept(entry)
        return download_weights(
            entry, folder=folder, catalog=catalog, progress=progress, limits=limits, drive=drive
        )
    path = Path(text).expanduser()
    if not path.is_file():
        raise ValueError(
            f"There are no weights {text!r}: it is neither a file nor the name of public weights. "
            f"Names: {catalog.names}."
        )
    return path


def download_weights(
    entry: CatalogEntry,
    *,
    folder: Path,
    catalog: WeightsCatalog,
    progress: ByteProgress | None = None,
    limits: DownloadLimits = DownloadLimits(),  # noqa: B008 (frozen)
    drive: str = DRIVE,
) -> Path:
    """Download public weights, which must then load into their network; see :func:`download`.

    Raises:
        CheckpointError: what came are no such weights.
        DownloadError: they cannot be had.
        NoSpaceError: the disk is too full.
    """
    path = folder / entry.file_name
    if entry.url is None:
        raise DownloadError(f"No file of {entry.name} is published. {entry.obtain}")
    number = drive_id(entry.url)
    try:
        received = download(
            entry.url,
            path,
            size=entry.size,
            sha256=entry.sha256,
            locate=None if number is None else drive_locator(number, server=drive),
            check=lambda part: _check_content(part, entry),
            progress=progress,
            limits=limits,
        )
    except DownloadError as error:
        raise DownloadError(
            f"{error} Or download {entry.url} in a browser and save it as {path}."
        ) from error
    except CheckpointError as error:
        raise CheckpointError(
            f"What {entry.url} gave are not the weights {entry.name}; it was not kept. {error}"
        ) from error
    _record(entry, received, catalog=catalog)
    return path


def _checked(entry: CatalogEntry, folder: Path, *, catalog: WeightsCatalog) -> Path:
    """Weights that are there, if they are still those that came.

    Raises:
        ValueError: they are not.
        CheckpointError: a file that was put there by hand does not hold them.
    """
    path = folder / entry.file_name
    expected, found = entry.sha256 or _recorded(path), sha256_of(path)
    if expected is not None and found != expected:
        origin = "the catalog tells" if entry.sha256 else "was recorded when it came"
        raise ValueError(
            f"{path}: expected SHA-256 {expected}, which {origin}, got {found}. The file was "
            "changed or damaged: remove it, and it is downloaded again."
        )
    if _recorded(path) is None:
        _check_content(path, entry)
        _record(entry, Received(path, path.stat().st_size, found), catalog=catalog)
    return path


def _check_content(path: Path, entry: CatalogEntry) -> None:
    check_pretrained(path, MVDConfig.preset(entry.preset))


def _record_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _recorded(path: Path) -> str | None:
    """SHA-256 of a file when it came; None where nobody has noted it."""
    try:
        return str(read_json(_record_path(path))["sha256"])
    except (FileNotFoundError, KeyError, ValueError):
        return None


def _record(entry: CatalogEntry, received: Received, *, catalog: WeightsCatalog) -> None:
    """Note what came, beside the file: the authors of the weights publish no checksums."""
    content = {
        "name": entry.name,
        "url": entry.url,
        "size": received.size,
        "sha256": received.sha256,
        "recorded": datetime.now(UTC).isoformat(timespec="seconds"),
        "licence": catalog.licence,
        "licence_url": catalog.licence_url,
    }
    write_json(_record_path(received.path), content, indent=1)
