from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from doubles.files import FILE_ID, FileServer
from mouse_ar.data.answers import DownloadError
from mouse_ar.data.download import DownloadLimits
from mouse_ar.mvd import MVD, CheckpointError, MVDConfig
from mouse_ar.mvd.catalog import CatalogEntry, WeightsCatalog, load_catalog
from mouse_ar.pipelines import weights
from mouse_ar.pipelines.weights import (
    catalog_path,
    download_weights,
    local_weights,
    resolve_weights,
    weights_folder,
)

QUICK = DownloadLimits(attempts=3, first_pause_seconds=0.01, read_seconds=1)
PAGE = f"https://drive.google.com/file/d/{FILE_ID}/view?usp=sharing"


def saved(preset: str = "vit_tiny") -> bytes:
    model = MVD(MVDConfig.preset(preset))
    encoder = {
        f"encoder.{key}": value
        for key, value in model.state_dict().items()
        if not key.startswith(("head", "fc_norm"))
    }
    file = io.BytesIO()
    torch.save({"model": encoder}, file)
    return file.getvalue()


CONTENT = saved()
SHA256 = hashlib.sha256(CONTENT).hexdigest()
ENTRY = CatalogEntry("tiny_public", "Tiny", "vit_tiny", PAGE, "")
LOST = CatalogEntry("tiny_lost", "Tiny, lost", "vit_tiny", None, "Ask the authors.")


def catalog_of(*entries: CatalogEntry) -> WeightsCatalog:
    return WeightsCatalog("https://example.org/", "CC BY-NC 4.0", "https://l.org/", True, entries)


CATALOG = catalog_of(ENTRY, LOST)


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer(CONTENT) as started:
        yield started


def resolve(server: FileServer, folder: Path, text: str = ENTRY.name, **options: Any) -> Path:
    given = {"catalog": CATALOG, "limits": QUICK, **options}
    return resolve_weights(text, folder=folder, drive=server.url, **given)


def test_a_name_is_downloaded_once_and_recorded(server: FileServer, tmp_path: Path) -> None:
    assert local_weights(ENTRY, tmp_path) is None
    server.faults = [("cut", 1000)]
    told: list[tuple[int, int]] = []
    path = resolve(server, tmp_path, progress=lambda *at: told.append(at))
    assert path == tmp_path / "tiny_public.pth"
    assert path.read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT))
    record = json.loads((tmp_path / "tiny_public.pth.json").read_text())
    assert (record["sha256"], record["size"], record["url"]) == (SHA256, len(CONTENT), PAGE)
    assert record["licence"] == "CC BY-NC 4.0"
    here = local_weights(ENTRY, tmp_path)
    assert here is not None
    assert (here.size, here.sha256) == (len(CONTENT), SHA256)
    requests = len(server.seen)
    assert resolve(server, tmp_path) == path
    assert len(server.seen) == requests


def test_the_licence_is_accepted_before_anything_comes(server: FileServer, tmp_path: Path) -> None:
    def refuse(entry: CatalogEntry) -> None:
        raise ValueError(f"not accepted: {entry.name}")

    with pytest.raises(ValueError, match="not accepted: tiny_public"):
        resolve(server, tmp_path, accept=refuse)
    assert not server.seen
    resolve(server, tmp_path, accept=lambda _: None)
    resolve(server, tmp_path, accept=refuse)  # what is there is not asked about again


def test_a_file_that_has_changed_is_refused(server: FileServer, tmp_path: Path) -> None:
    path = resolve(server, tmp_path)
    path.write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(ValueError, match=f"expected SHA-256 {SHA256}, which was recorded when"):
        resolve(server, tmp_path)
    path.unlink()
    assert resolve(server, tmp_path).read_bytes() == CONTENT


def test_the_checksum_of_the_catalog_counts(server: FileServer, tmp_path: Path) -> None:
    right, wrong = replace(ENTRY, sha256=SHA256), replace(ENTRY, sha256="0" * 64)
    with pytest.raises(DownloadError, match=f"expected {'0' * 64} as SHA-256"):
        resolve(server, tmp_path, catalog=catalog_of(wrong))
    assert local_weights(wrong, tmp_path) is None
    resolve(server, tmp_path, catalog=catalog_of(right))
    with pytest.raises(ValueError, match="which the catalog tells"):
        resolve(server, tmp_path, catalog=catalog_of(wrong))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"no weights at all", r"are not the weights tiny_public; it was not kept.*is damaged"),
        (CONTENT[: len(CONTENT) // 2], "are not the weights tiny_public; it was not kept"),
    ],
)
def test_what_is_no_weights_is_not_kept(
    server: FileServer, tmp_path: Path, content: bytes, told: str
) -> None:
    server.content = content
    with pytest.raises(CheckpointError, match=told):
        resolve(server, tmp_path)
    assert local_weights(ENTRY, tmp_path) is None


def test_weights_of_another_network_are_not_kept(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="does not fit the model"):
        resolve(server, tmp_path, catalog=catalog_of(replace(ENTRY, preset="vit_small")))
    assert local_weights(ENTRY, tmp_path) is None


def test_a_refusal_says_how_to_do_it_by_hand(server: FileServer, tmp_path: Path) -> None:
    server.drive = "quota"
    with pytest.raises(DownloadError, match=r"Or download .* in a browser and save it as"):
        resolve(server, tmp_path)
    (tmp_path / "tiny_public.pth").write_bytes(CONTENT)
    here = local_weights(ENTRY, tmp_path)
    assert here is not None
    assert here.sha256 is None
    resolve(server, tmp_path)
    here = local_weights(ENTRY, tmp_path)
    assert here is not None
    assert here.sha256 == SHA256


def test_a_wrong_file_put_there_by_hand_is_told(server: FileServer, tmp_path: Path) -> None:
    path = tmp_path / "tiny_public.pth"
    path.write_bytes(b"<html>the page, not the file</html>")
    with pytest.raises(CheckpointError, match=r"tiny_public\.pth: .*or is damaged"):
        resolve(server, tmp_path)
    assert path.exists(), "a user's file is left alone"


def test_weights_without_a_file(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"No file of tiny_lost is published. Ask the authors"):
        download_weights(LOST, folder=tmp_path, catalog=CATALOG)
    with pytest.raises(DownloadError, match="Ask the authors"):
        resolve(server, tmp_path, LOST.name, accept=lambda _: pytest.fail("nothing to accept"))


def test_a_path_stays_a_path(server: FileServer, tmp_path: Path) -> None:
    file = tmp_path / "own.safetensors"
    file.touch()
    assert resolve(server, tmp_path / "models", str(file)) == file
    with pytest.raises(ValueError, match=r"neither a file nor .*Names: tiny_public, tiny_lost"):
        resolve(server, tmp_path, str(tmp_path / "none.pth"))
    with pytest.raises(ValueError, match="neither a file"):
        resolve(server, tmp_path, str(tmp_path))


def test_where_they_are_kept(tmp_path: Path, repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOUSE_AR_CACHE", str(tmp_path))
    assert weights_folder() == tmp_path / "weights"
    monkeypatch.delenv("MOUSE_AR_CACHE")
    assert weights_folder() == repo / "models"
    monkeypatch.setattr(weights, "_CHECKOUT", tmp_path / "installed")
    assert weights_folder().parts[-2:] == ("mouse-ar", "weights")


def test_which_catalog(tmp_path: Path, repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MOUSE_AR_CATALOG", raising=False)
    assert catalog_path() == repo / "models" / "catalog.yaml"
    monkeypatch.setattr(weights, "_CHECKOUT", tmp_path / "installed")
    assert catalog_path().parts[-3:] == ("share", "mouse-ar", "catalog.yaml")
    monkeypatch.setenv("MOUSE_AR_CATALOG", str(tmp_path / "own.yaml"))
    assert catalog_path() == tmp_path / "own.yaml"


def test_the_published_catalog(repo: Path) -> None:
    catalog = load_catalog(repo / "models" / "catalog.yaml")
    assert "NOT FOR COMMERCIAL USE" in catalog.terms
    assert "CC BY-NC 4.0" in catalog.terms
    offered = {entry.preset for entry in catalog.entries if entry.url}
    assert offered == {"vit_small", "vit_base", "vit_large"}
    with pytest.raises(ValueError, match="no public weights 'mvd_x'; there are mvd_s_from_b_k400"):
        catalog["mvd_x"]


def test_a_catalog_that_lacks_something(tmp_path: Path) -> None:
    (tmp_path / "catalog.yaml").write_text("licence: MIT\nmodels: []\n")
    with pytest.raises(ValueError, match=r"catalog\.yaml: a catalog of weights lacks 'source'"):
        load_catalog(tmp_path / "catalog.yaml")
