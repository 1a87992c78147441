"""Runs on a real Ray cluster end as on one computer, also when computers and processes are lost."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

import tiny
from colour_checkpoint import write_colour_checkpoint
from colour_model import predictor
from fleet_parts import Watched, load, load_stopping, watched
from mouse_ar import cli
from mouse_ar.pipelines.config import PreprocessConfig
from mouse_ar.pipelines.fleet.cluster import Fleet, joined
from mouse_ar.pipelines.fleet.needs import FleetError, TaskNeeds
from mouse_ar.pipelines.fleet.tasks import FleetDetection, FleetWorkers
from mouse_ar.pipelines.infer import InferReport, infer
from mouse_ar.pipelines.meter import Meter
from mouse_ar.pipelines.preprocess import preprocess
from tiny import ACTIONS, GROOMING, TWITCH

pytestmark = pytest.mark.slow

# Only then does ray's own test helper start a cluster on one computer.
ray = pytest.importorskip("ray")
from ray.cluster_utils import Cluster  # noqa: E402

LABELS = [(GROOMING, 10, 40), (TWITCH, 60, 63)]
NAMES = ("a", "b", "c", "d", "e", "f")
NODE: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 100 * 2**20}
# Caches hold paths and times, and the lock is empty.
NOT_COMPARED = [".mouse_ar/hashes.json", ".mouse_ar/lock", ".mouse_ar/manifest.json"]


def ray_processes(folder: Path) -> list[psutil.Process]:
    """What the cluster of this folder has started, also where the one that started it is gone."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("RAY_TMPDIR") == str(folder) and process.pid != os.getpid():
                found.append(process)
    return found


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Its processes import the tests, keep tracks in a folder of their own, and report nothing."""
    folder = Path(tempfile.mkdtemp(prefix="fleet"))  # sockets have short paths
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("MOUSE_AR_CACHE", str(folder / "tracks"))
        patch.setenv("RAY_TMPDIR", str(folder))
        (folder / "ray").mkdir()
        made = Cluster()
        try:
            made.add_node(**NODE, include_dashboard=False)
            made.add_node(**NODE)
            yield made
        finally:
            ray.shutdown()
            made.shutdown()
            _, alive = psutil.wait_procs(ray_processes(folder), timeout=30)
            for process in alive:
                process.kill()
            psutil.wait_procs(alive)
            shutil.rmtree(folder, ignore_errors=True)
    assert not alive


@pytest.fixture
def fleet(cluster: Cluster) -> Iterator[Fleet]:
    cluster.wait_for_nodes()
    with joined(cluster.address, needs=TaskNeeds(cpus=1)) as joined_one:
        yield joined_one


@pytest.fixture
def board(tmp_path: Path) -> Path:
    (tmp_path / "board").mkdir()
    return tmp_path / "board"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOUSE_AR_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    # Other pixels in every test: computers keep the tracks that they have found.
    seed = int.from_bytes(os.urandom(1))
    for number, name in enumerate(NAMES):
        tiny.write_video(tmp_path / f"videos/{name}.mp4", LABELS, seed=seed + number)
    return tmp_path / "videos"


def infer_on(
    fleet: Fleet, videos: Path, output: Path, *, board: Path, loading: Any = load, **options: Any
) -> Any:
    detector = Watched(board)
    workers = FleetWorkers(
        fleet, loading, predictor(), partial(watched, board=board), detector.fingerprint
    )
    return infer(
        videos, output, predictor=predictor(), detector=detector, workers=workers, **options
    )


def plain(videos: Path, output: Path) -> InferReport:
    return infer(videos, output, predictor=predictor(), detector=tiny.BoxDetector())


def same(one: Path, other: Path, *, least: int = 10) -> bool:
    snapshots = [tiny.snapshot(path, exclude=NOT_COMPARED) for path in (one, other)]
    assert len(snapshots[0]) >= least
    return snapshots[0] == snapshots[1]


def by_age(paths: Iterable[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: path.stat().st_mtime)


def other_node() -> str:
    """The computer that is not this one."""
    here = ray.get_runtime_context().get_node_id()
    (other,) = [n["NodeID"] for n in ray.nodes() if n["Alive"] and n["NodeID"] != here]
    return str(other)


def wait_for(board: Path, pattern: str, seconds: float = 120) -> Path:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := sorted(board.glob(pattern)):
            return found[0]
        time.sleep(0.05)
    raise AssertionError(f"nothing like {pattern} in {sorted(board.iterdir())}")


def test_all_computers_work_and_give_what_one_gives(
    fleet: Fleet, videos: Path, tmp_path: Path, board: Path
) -> None:
    told: list[tuple[str, int, int]] = []
    meter = Meter()
    report = infer_on(
        fleet,
        videos,
        tmp_path / "fleet",
        board=board,
        progress=lambda *what: told.append(what),
        meter=meter,
    )
    assert report.failures == {}
    plain(videos, tmp_path / "plain")
    assert same(tmp_path / "fleet", tmp_path / "plain")
    assert len({path.name.split("-")[2] for path in board.glob("began-*")}) == 2
    assert ("annotating", 6, 6) in told
    assert ("scored 2/6 videos/b.mp4", tiny.NUM_FRAMES, tiny.NUM_FRAMES) in told
    assert meter.seconds_left == 0
    assert meter.shares()["decode"] > 0


def test_a_process_that_is_lost_once_is_no_failure_and_one_that_always_is_costs_one_video(
    fleet: Fleet,
    videos: Path,
    tmp_path: Path,
    board: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mouse_ar.pipelines.fleet.under_way._PAUSES_SECONDS", (0.5, 1.0, 2.0))
    for note in ("once-a.mp4", "die-b.mp4", "fail-c.mp4"):
        (board / note).touch()
    with caplog.at_level(logging.WARNING):
        report = infer_on(fleet, videos, tmp_path / "out", board=board)
    assert "lost 4 times" in report.failures["videos/b.mp4"]
    assert report.failures["videos/c.mp4"] == "no background"
    assert [result.key for result in report.results] == [f"videos/{n}.mp4" for n in "adef"]
    assert len(list(board.glob("began-a.mp4-*"))) == 2
    assert "videos/a.mp4: its process or computer was lost" in caplog.text


def test_a_long_video_goes_on_where_its_lost_process_was(
    fleet: Fleet, tmp_path: Path, board: Path
) -> None:
    (tmp_path / "long").mkdir()
    tiny.write_video(tmp_path / "long/a.mp4", LABELS, fps=0.1, seed=int.from_bytes(os.urandom(1)))
    (board / "hold").touch()

    def kill() -> None:
        held = wait_for(board, "held-*")
        psutil.Process(int(held.name.partition("-")[2])).kill()
        (board / "hold").unlink()

    killing = threading.Thread(target=kill)
    killing.start()
    loading = partial(load_stopping, board=board)
    report = infer_on(fleet, tmp_path / "long", tmp_path / "fleet", board=board, loading=loading)
    killing.join()
    assert report.failures == {}
    plain(tmp_path / "long", tmp_path / "plain")
    assert same(tmp_path / "fleet", tmp_path / "plain", least=5)
    first, second = (int(path.read_text()) for path in by_age(board.glob("windows-*")))
    assert 0 < first < tiny.NUM_FRAMES
    assert second < tiny.NUM_FRAMES  # a window begins at every frame


def test_stopping_ends_the_tasks(fleet: Fleet, videos: Path, tmp_path: Path, board: Path) -> None:
    (board / f"hold-{other_node()}").touch()

    def stop(what: str, done: int, total: int) -> None:
        if what == "annotating":
            wait_for(board, f"began-*-{other_node()}-*")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        infer_on(fleet, videos, tmp_path / "out", board=board, progress=stop)
    (held,) = board.glob(f"began-*-{other_node()}-*")
    process = int(held.name.rpartition("-")[2])
    until = time.monotonic() + 30
    while psutil.pid_exists(process) and time.monotonic() < until:
        time.sleep(0.1)
    assert not psutil.pid_exists(process)
    plain(videos, tmp_path / "plain")
    (board / f"hold-{other_node()}").unlink()
    report = infer_on(fleet, videos, tmp_path / "out", board=board)
    assert report.failures == {}
    assert len(report.resumed) >= 1
    assert same(tmp_path / "out", tmp_path / "plain")


def test_preprocessing_detects_on_the_cluster(fleet: Fleet, tmp_path: Path, board: Path) -> None:
    tiny.write_project(tmp_path / "input")
    (board / "once-a.mp4").touch()
    (board / "fail-g.mp4").touch()
    here = Watched(board)
    config = PreprocessConfig(detect_every=4)
    told: list[tuple[str, int, int]] = []

    def run(**options: Any) -> Any:
        return preprocess(
            tmp_path / "input", actions=ACTIONS, config=config, progress=told_to, **options
        )

    def told_to(*what: Any) -> None:
        told.append(what)

    on_cluster = FleetDetection(fleet, partial(watched, board=board), here.fingerprint)
    report = run(target=tmp_path / "fleet", detector=here, fleet=on_cluster)
    assert report.failures == {f"{tiny.DATASET}/g.mp4": "no background"}
    assert len(report.processed) == 6
    assert here.frames == 0
    assert ("detecting on the cluster", 7, 7) in told

    (board / "fail-g.mp4").unlink()
    assert run(target=tmp_path / "fleet", detector=here, fleet=on_cluster).failures == {}
    run(target=tmp_path / "plain", detector=tiny.BoxDetector())
    assert same(tmp_path / "fleet", tmp_path / "plain")


def test_another_detector_there_ends_the_run(
    fleet: Fleet, videos: Path, tmp_path: Path, board: Path
) -> None:
    workers = FleetWorkers(fleet, load, predictor(), partial(watched, board=board), "another")
    with pytest.raises(FleetError, match="the detector is another one there"):
        infer(
            videos,
            tmp_path / "out",
            predictor=predictor(),
            detector=Watched(board),
            workers=workers,
        )


def test_more_than_any_computer_has_is_refused(cluster: Cluster) -> None:
    cluster.wait_for_nodes()
    with (
        pytest.raises(FleetError, match=r"No computer .* \(8 CPU cores, 1 GPU\).*1 CPU cores"),
        joined(cluster.address, needs=TaskNeeds(cpus=8), device="cuda"),
    ):
        pass


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["mouse-ar", *map(str, arguments)])
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_commands(
    cluster: Cluster,
    videos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The three commands, from relative paths, write what they write without a cluster."""
    cluster.wait_for_nodes()
    monkeypatch.chdir(tmp_path)
    on_cluster = ["--ray", cluster.address, "--device", "cpu"]
    write_colour_checkpoint(Path("best.safetensors"))
    tiny.write_project(Path("input"))
    model = ["--checkpoint", "best.safetensors"]
    preparing = ["--test-videos", "2", "--set", "detect_every=4"]
    for where, options in (("fleet", on_cluster), ("plain", ["--device", "cpu"])):
        steps: list[list[str]] = [
            ["preprocess", "input", f"{where}/data", *preparing],
            ["evaluate", f"{where}/data", *model, "--out", f"{where}/evaluation"],
            ["infer", "videos", f"{where}/out", *model],
        ]
        for step in steps:
            assert call(monkeypatch, *step, *options) == 0, capsys.readouterr()
        assert ("Cluster: 2 computers, 2 videos at a time" in capsys.readouterr().out) == (
            where == "fleet"
        )
    for name in ("data", "out"):
        assert same(tmp_path / "fleet" / name, tmp_path / "plain" / name)
    # The page names the folder of the data.
    found = [
        tiny.snapshot(Path(where, "evaluation"), exclude=["evaluation.html"])
        for where in ("fleet", "plain")
    ]
    assert "evaluation.json" in found[0]
    assert found[0] == found[1]


def test_a_path_that_a_computer_does_not_see_is_named_before_anything_is_done(
    cluster: Cluster,
    videos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cluster.wait_for_nodes()
    monkeypatch.chdir(tmp_path)
    write_colour_checkpoint(Path("best.safetensors"))
    # The folder that a process is in: every process has its own.
    mine = Path("/proc/self/cwd")
    step = ["infer", mine / "videos", "out", "--checkpoint", "best.safetensors"]
    assert call(monkeypatch, *step, "--ray", cluster.address) == 1
    said = capsys.readouterr().out
    assert "cannot read /proc/self/cwd/videos/a.mp4 (No such file or directory)" in said
    assert "(5 more)" in said
    assert not list(Path("out").rglob("*.npz"))

    step = ["infer", "videos", mine / "out", "--checkpoint", "best.safetensors"]
    assert call(monkeypatch, *step, "--ray", cluster.address) == 1
    assert "cannot read /proc/self/cwd/out (No such" in capsys.readouterr().out


def test_a_computer_that_is_lost_costs_nothing_but_time(
    cluster: Cluster,
    fleet: Fleet,
    videos: Path,
    tmp_path: Path,
    board: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The last test: the cluster has one computer less afterwards."""
    victim = other_node()
    (board / f"hold-{victim}").touch()

    def kill() -> None:
        wait_for(board, f"began-*-{victim}-*")
        (node,) = [node for node in cluster.worker_nodes if node.node_id == victim]
        cluster.remove_node(node, allow_graceful=False)

    killing = threading.Thread(target=kill)
    killing.start()
    with caplog.at_level(logging.WARNING):
        report = infer_on(fleet, videos, tmp_path / "fleet", board=board)
    killing.join()
    assert report.failures == {}
    assert "was lost (NodeDiedError" in caplog.text
    until = time.monotonic() + 60
    while fleet.computers > 1 and time.monotonic() < until:
        time.sleep(0.2)
    assert fleet.computers == 1
    plain(videos, tmp_path / "plain")
    assert same(tmp_path / "fleet", tmp_path / "plain")
