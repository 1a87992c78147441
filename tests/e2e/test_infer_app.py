"""The Infer app, driven over HTTP against a double of an instance."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.driver import AppDriver
from e2e.infer_setting import (
    BOX,
    CHECKPOINT,
    DETECTOR,
    PREDICTIONS,
    PROJECT,
    VIDEOS,
    Setting,
    dataset,
    experiment,
    infer_setting,
)
from tiny import GROOMING, NUM_FRAMES, TWITCH

pytestmark = pytest.mark.timeout(240)

FIRST = "cohort a/Käfig 1.2/mouse 1.v2.mp4"
KEYS = {"/".join((*names, video)) for names, video in VIDEOS}


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[Setting]:
    with infer_setting(tmp_path) as made:
        yield made


def to_the_run(app: AppDriver, setting: Setting) -> None:
    """All steps with what is suggested, and the served detector."""
    app.click("videos_continue")
    app.click("model_continue")
    app.set("detector_kind", call="value_changed", value="other")
    app.set("detector_address", value=setting.detector_url)
    app.click("detector_continue")
    app.click("thresholds_continue")
    assert app.state("steps")["active_step"] == 5, app.log[-3000:]


def run(app: AppDriver, *, text: str = "videos annotated") -> None:
    app.click("run_start")
    app.wait(lambda a: a.notes("run_outcome") and not a.data("run_start")["disabled"], what="end")
    assert any(text in line for line in app.notes("run_outcome")), app.notes("run_outcome")


def tags(made: Any) -> list[tuple[str, Any]]:
    return [(tag["name"], tag["frames"]) for tag in made["tags"]]


@pytest.mark.parametrize("production", [False, True], ids=["development", "production"])
def test_every_step_to_the_project_of_predictions(setting: Setting, production: bool) -> None:
    double = setting.double
    before = double.dump(setting.project)
    task = double.add_task(module=None)
    identity = {"TASK_ID": str(task)} if production else {}
    with setting.app(production=production, **identity) as app:
        assert app.data("videos_project")["name"] == PROJECT
        assert "3 videos" in app.notes("videos_total")[0]
        app.click("videos_continue")
        assert app.state("model_experiment")["value"] == CHECKPOINT
        app.click("model_load")
        facts = {fact["name"]: fact["value"] for fact in app.data("model_facts")["facts"]}
        assert facts["Network"] == "MVD vit_tiny, 32 × 32 pixels"
        assert facts["Frame rate of its training"] == "10 frames/s"
        assert "bout F1 0.910" in facts["Score on validation videos"]
        assert "“all cages”" in facts["Trained as"]
        app.click("model_continue")
        app.set("detector_kind", call="value_changed", value="other")
        app.set("detector_address", value=setting.detector_url)
        app.click("detector_preview")
        assert len(app.data("detector_gallery")["pictures"]) == 4
        app.click("detector_continue")
        shown = app.data("thresholds_values")["actions"]
        assert [action["name"] for action in shown] == [GROOMING, TWITCH]
        assert shown[0]["origin"].startswith("Fitted values: fitted to 34 true bouts")
        assert shown[1]["origin"].startswith("Default values: only 7 true bouts")
        app.click("thresholds_continue")
        assert app.state("run_name")["value"] == PREDICTIONS
        run(app)
        assert app.notes("run_warnings") == []
        assert app.data("run_table")["total"] == 2
        links = {link["text"]: link["url"] for link in app.data("run_links")["links"]}
        assert set(links) == {"Report", "bouts.csv", "summary.csv", "ethogram.png"}
    assert double.dump(setting.project) == before, "the source is not changed"
    check_predictions(setting)
    if production:
        output = double.tasks[task]["meta"]["output"]
        assert output["project"]["id"] == setting.predictions
        assert output["general"]["title"] == "report.html"
    assert not list((setting.folder / "app/data").rglob("*.safetensors"))
    assert not list((setting.folder / "app/data").rglob("*.mp4"))


def check_predictions(setting: Setting) -> None:
    made = setting.dump()
    assert set(made["datasets"]) == {"cohort a", "cohort a/Käfig 1.2", "cohort b"}
    assert set(made["videos"]) == KEYS
    first = made["videos"][FIRST]
    assert tags(first) == [(TWITCH, [58, 63]), (GROOMING, [8, 41])]
    assert [tag["value"] for tag in first["tags"]] == [
        pytest.approx(1.0, abs=0.01),
        pytest.approx(0.971, abs=0.01),
    ]
    assert tags(made["videos"]["cohort a/Käfig 1.2/小鼠.mp4"]) == []
    for video in made["videos"].values():
        figures = [figure for item in video["objects"] for figure in item["figures"]]
        assert sorted(figure["frame"] for figure in figures) == list(range(NUM_FRAMES))
        for figure in figures:
            corners = figure["geometry"]["points"]["exterior"]
            for corner, expected in zip(corners, BOX, strict=True):
                assert corner == pytest.approx(expected, abs=1)
    files = setting.double.files(f"/mouse-action-recognition/predictions/{setting.predictions}/")
    named = {path.rsplit("/", 1)[-1]: content for path, content in files.items()}
    bouts = named["bouts.csv"].decode().splitlines()
    assert any(f"{FIRST},{GROOMING},8,41,0.800,4.200,3.400" in line for line in bouts)
    assert len(bouts) == 4
    assert len(named["summary.csv"].decode().splitlines()) == 7
    page = named["report.html"].decode()
    assert FIRST in page
    assert "data:image/png" in page


def test_a_second_run_does_nothing_twice_and_leaves_reviewed_videos(setting: Setting) -> None:
    double = setting.double
    with setting.app() as app:
        to_the_run(app, setting)
        run(app)
        made, frames = setting.dump(), setting.detector.frames
        run(app, text="3 from an earlier run")
        assert setting.dump() == made
        assert setting.detector.frames == frames

        video = double.videos(setting.predictions or 0)[FIRST]
        meta = double.call("projects.meta", {"id": setting.predictions})
        assert "reviewed" in [tag["name"] for tag in meta["tags"]]
        double.add_tag(video, "reviewed")
        double.add_tag(video, TWITCH, (3, 5), value=1)
        reviewed = setting.dump()
        downloads = len(double.called("videos.download"))
        app.click("thresholds_change")
        values = app.state("thresholds_values")["values"]
        values["a0"]["min_bout_seconds"] = 30.0
        app.set("thresholds_values", values=values)
        app.click("thresholds_continue")
        assert "min_bout_seconds = 30" in app.notes("thresholds_note")[0]
        app.set("run_tag_source", checked=True)
        run(app, text="3 from an earlier run")
        after = setting.dump()
        assert after["videos"][FIRST] == reviewed["videos"][FIRST]
        assert tags(after["videos"]["cohort b/mouse 1.v2.mp4"]) == []
        assert len(double.called("videos.download")) == downloads
        assert any("reviewed" in line for line in app.notes("run_warnings"))

        app.click("thresholds_change")
        app.click("thresholds_reset")
        app.click("thresholds_continue")
        run(app)
    source = double.dump(setting.project)["videos"]["cohort b/mouse 1.v2.mp4"]
    assert sorted(name for name, _ in tags(source)) == [GROOMING, f"{GROOMING} (predicted)"]


def decode_again(app: AppDriver, *, text: str, **changes: float) -> float:
    """With these values of the first action, or those of the model; how long it took in seconds."""
    app.click("thresholds_change")
    app.click("thresholds_reset")
    values = app.state("thresholds_values")["values"]
    values["a0"].update(changes)
    app.set("thresholds_values", values=values)
    app.click("thresholds_continue")
    began = time.monotonic()
    app.click("run_again")
    app.wait_for_note("run_outcome", text)
    app.wait(lambda a: not a.data("run_again")["disabled"], what="end")
    return time.monotonic() - began


def grooming_rows(setting: Setting) -> int:
    folder = f"/mouse-action-recognition/predictions/{setting.predictions}/"
    return setting.double.files(folder)[f"{folder}bouts.csv"].decode().count(f",{GROOMING},")


def test_finished_results_are_decoded_again_without_model_and_videos(setting: Setting) -> None:
    double = setting.double
    with setting.app() as app:
        to_the_run(app, setting)
        assert app.data("run_again_offer")["hide"]
        run(app)
        assert not app.data("run_again_offer")["hide"]
        made, frames = setting.dump(), setting.detector.frames
        # Whoever needed one of these now would fail.
        double.call("file-storage.bulk.remove", {"teamId": double.team, "paths": [CHECKPOINT]})
        double.fail("videos.download", status=403)
        downloads = len(double.called("videos.download"))

        seconds = decode_again(
            app,
            text=f"3 videos decoded again: 0 {GROOMING} (2 before), 1 {TWITCH} (as before).",
            min_bout_seconds=30.0,
        )
        assert seconds < 20
        fewer = setting.dump()
        assert tags(fewer["videos"][FIRST]) == [(TWITCH, [58, 63])]
        assert fewer["videos"][FIRST]["tags"][0]["value"] == pytest.approx(1.0, abs=0.01)
        for key in KEYS:
            assert fewer["videos"][key]["objects"] == made["videos"][key]["objects"]
        assert app.data("run_table")["total"] == 2
        assert grooming_rows(setting) == 0
        links = {link["text"] for link in app.data("run_links")["links"]}
        assert links == {"Report", "bouts.csv", "summary.csv", "ethogram.png"}

        other = double.videos(setting.predictions or 0)["cohort b/mouse 1.v2.mp4"]
        double.add_tag(other, "reviewed")
        double.add_tag(other, TWITCH, (3, 5), value=1)
        reviewed = setting.dump()["videos"]["cohort b/mouse 1.v2.mp4"]
        app.set("run_tag_source", checked=True)
        decode_again(app, text=f"2 videos decoded again: 1 {GROOMING} (0 before)")
        after = setting.dump()
        assert after["videos"]["cohort b/mouse 1.v2.mp4"] == reviewed
        assert tags(after["videos"][FIRST]) == tags(made["videos"][FIRST])
        values = [tag["value"] for tag in after["videos"][FIRST]["tags"]]
        assert values == [tag["value"] for tag in made["videos"][FIRST]["tags"]]
        assert any("reviewed" in line for line in app.notes("run_warnings"))
        assert grooming_rows(setting) == 1
        source = double.dump(setting.project)["videos"][FIRST]
        assert {name for name, _ in tags(source)} == {
            f"{GROOMING} (predicted)",
            f"{TWITCH} (predicted)",
        }
        assert len(double.called("videos.download")) == downloads
        assert setting.detector.frames == frames
        assert not list((setting.folder / "app/data").rglob("*.npz"))

        app.set("run_name", value="elsewhere")
        app.click("run_again")
        assert "are others than in the run" in app.notes("run_outcome")[0]
        assert setting.dump() == after


def test_what_goes_wrong_in_decoding_again_is_shown(setting: Setting) -> None:
    double = setting.double
    with setting.app() as app:
        to_the_run(app, setting)
        run(app)
        made = setting.dump()
        kept = [path for path in double.files("/mouse-action-recognition/") if "mouse_1" in path]
        assert kept, list(double.files("/mouse-action-recognition/"))
        double.call("file-storage.bulk.remove", {"teamId": double.team, "paths": kept[:1]})
        decode_again(app, text="2 videos decoded again", min_bout_seconds=30.0)
        (warning,) = app.notes("run_warnings")
        assert "failed: its scores are not in Team Files" in warning
        changed = setting.dump()["videos"]
        same = [key for key in KEYS if changed[key] == made["videos"][key] and tags(changed[key])]
        assert len(same) == 1

        double.fail("projects.info", status=403)
        decode_again(app, text="right to do this")
        assert setting.dump()["videos"] == changed
        double.faults.clear()


@pytest.mark.slow
def test_killed_in_mid_run_another_process_goes_on(setting: Setting) -> None:
    double = setting.double
    with setting.app("whole") as app:
        to_the_run(app, setting)
        run(app)
    expected = setting.dump()
    remove_predictions(setting)

    with setting.app("first") as app:
        to_the_run(app, setting)
        double.fail("videos.download", kinds="stall", count=1, skip=1, seconds=20.0)
        app.click("run_start")
        app.wait(lambda _: finished(setting) == 1, what="the first video")
        app.kill()
    double.faults.clear()
    with setting.app("second") as app:
        assert "1 of them is annotated already" in app.notes("videos_total")[0]
        to_the_run(app, setting)
        run(app, text="1 from an earlier run")
    assert setting.dump() == expected


def finished(setting: Setting) -> int:
    """How many videos have their prediction."""
    if setting.predictions is None:
        return 0
    videos = setting.double.state.project_videos(setting.predictions)
    return sum("mouse_ar" in video.custom_data for video in videos)


def remove_predictions(setting: Setting) -> None:
    double = setting.double
    paths = list(double.files("/mouse-action-recognition/"))
    double.call("file-storage.bulk.remove", {"teamId": double.team, "paths": paths})
    double.call("projects.archive", {"id": setting.predictions})


def test_stopped_it_keeps_what_is_finished_and_goes_on(setting: Setting) -> None:
    with setting.app() as app:
        to_the_run(app, setting)
        setting.double.fail("videos.download", kinds="stall", count=1, skip=1, seconds=3.0)
        app.click("run_start")
        app.wait(lambda _: finished(setting) == 1, what="the first video")
        app.click("run_stop")
        app.wait_for_note("run_outcome", "Stopped.")
        assert finished(setting) == 1
        run(app, text="1 from an earlier run")
    check_predictions(setting)


def autorun(setting: Setting, **more: str) -> dict[str, str]:
    values = {
        "autorun": "1",
        "checkpoint": CHECKPOINT,
        "detector": setting.detector_url,
        "detector_confidence": "0.5",
        **more,
    }
    return {f"modal.state.{name}": value for name, value in values.items()}


def test_without_a_user_it_runs_and_ends_the_task(setting: Setting) -> None:
    task = setting.double.add_task(module=None)
    environment = autorun(
        setting,
        datasets=json.dumps(["cohort a"]),
        thresholds=json.dumps({"twitch.threshold": 0.99, f"{GROOMING}.min_bout_seconds": 1.0}),
        name="night / 1",
        tag_source="true",
    )
    with setting.app(production=True, **environment, TASK_ID=str(task)) as app:
        assert app.ended(120) == 0, app.log[-3000:]
    names = {p.name: p.id for p in setting.double.state.projects.values()}
    made = setting.double.dump(names["night / 1"])
    assert set(made["videos"]) == {key for key in KEYS if key.startswith("cohort a/")}
    source = setting.double.dump(setting.project)["videos"][FIRST]
    assert {name for name, _ in tags(source)} <= {
        f"{GROOMING} (predicted)",
        f"{TWITCH} (predicted)",
    }
    assert setting.double.tasks[task]["meta"]["output"]["project"]["title"] == "night / 1"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"checkpoint": "/notes.txt"}, "/notes.txt"),
        ({"checkpoint": "/none.safetensors"}, "There is no /none.safetensors"),
        ({"detector_class": "rat"}, "rat"),
        ({"thresholds": '{"Rearing.on_threshold": 0.5}'}, "names no known action"),
        ({"datasets": '["cohort z"]'}, "has no dataset 'cohort z'"),
        ({"name": "taken"}, "holds no predictions. Choose another name"),
        ({"name": PROJECT}, "need a project with another name"),
    ],
    ids=["checkpoint", "missing", "class", "threshold", "dataset", "taken", "itself"],
)
@pytest.mark.slow
def test_what_cannot_be_done_is_told_and_nothing_written(
    setting: Setting, changes: dict[str, str], problem: str
) -> None:
    double = setting.double
    double.add_file("/notes.txt", b"not a model")
    taken = double.add_project("taken")
    double.add_video(dataset(double, taken, ("d",)), setting.folder / "0.mp4", name="a.mp4")
    task = double.add_task(module=None)
    before = double.dump()["projects"]
    environment = autorun(setting, **changes)
    with setting.app(production=True, **environment, TASK_ID=str(task)) as app:
        assert app.ended(120) == 1, app.log[-3000:]
    assert double.dump()["projects"] == before
    assert problem in json.dumps(double.tasks[task]["meta"]["output"], ensure_ascii=False)


def test_a_page_tells_what_a_project_lacks(setting: Setting) -> None:
    double = setting.double
    data = {"name": "pictures", "workspaceId": double.workspace, "type": "images"}
    pictures = double.call("projects.add", data)["id"]
    empty = double.add_project("empty")
    double.add_file(f"{CHECKPOINT}.json", b"{}")
    double.add_file("/experiments/5_mice/7_MVD/experiment_info.json", b"{")
    missing = json.dumps({**experiment(), "experiment_name": "gone"}).encode()
    double.add_file("/experiments/5_mice/6_MVD/experiment_info.json", missing)
    for number, (project, text) in enumerate(
        [(pictures, "expected a project of type 'videos'"), (empty, "has no videos")]
    ):
        with setting.app(f"app{number}", PROJECT_ID=str(project)) as app:
            app.click("videos_continue")
            assert text in app.notes("videos_note")[0]
            assert app.state("steps")["active_step"] == 1
            problems = app.notes("model_problems")
            assert any("7_MVD" in line for line in problems)
            assert any("gone" in line for line in problems)


def test_a_session_is_used_and_a_wrong_number_told_in_its_place(setting: Setting) -> None:
    double = setting.double
    session = double.add_task(setting.detector_url)
    with setting.app(**{"modal.state.slyDatasetId": "7"}) as app:
        app.click("videos_continue")
        assert "has no dataset '7'" in app.notes("videos_note")[0]
    number = next(d.id for d in double.state.datasets_of(setting.project) if d.name == "cohort b")
    with setting.app("second", **{"modal.state.slyDatasetId": str(number)}) as app:
        assert app.state("videos_datasets")["value"] == [str(number)]
        app.click("videos_continue")
        app.set("model_kind", value="file")
        app.click("model_continue")
        assert "enter the path" in app.notes("model_note")[0]
        app.set("model_path", value=CHECKPOINT)
        app.click("model_continue")
        app.set("detector_kind", call="value_changed", value="session")
        app.click("detector_session_refresh")
        assert app.state("detector_session")["value"] == str(session)
        app.click("detector_continue")
        values = app.state("thresholds_values")["values"]
        values["a0"]["off_threshold"] = 0.9
        app.set("thresholds_values", values=values)
        app.click("thresholds_continue")
        assert "“Score to go on (0 to 1)” must not be above" in app.notes("thresholds_note")[0]
        app.click("thresholds_reset")
        app.click("thresholds_continue")
        run(app, text="1 videos annotated")
        assert double.tasks[session]["status"] == "started", "it is not ours to stop"
    assert set(setting.dump()["videos"]) == {"cohort b/mouse 1.v2.mp4"}


def test_a_session_that_was_started_for_the_run_ends_with_it(setting: Setting) -> None:
    """Also after a stop, and after an error."""
    double = setting.double
    with setting.app() as app:
        app.click("videos_continue")
        app.click("model_continue")
        app.set("detector_kind", call="value_changed", value="deploy")
        app.set("detector_checkpoint", value=f"{DETECTOR}checkpoints/best.pth")
        app.click("detector_continue")
        app.click("thresholds_continue")
        double.fail("videos.download", kinds="stall", count=1, seconds=3.0)
        app.click("run_start")
        app.wait(lambda _: double.called("videos.download"), what="a download")
        app.click("run_stop")
        app.wait_for_note("run_outcome", "Stopped.")
        assert len(double.called("tasks.stop")) == 1

        double.fail("videos.download", status=403)
        run(app, text="right to do this")
        assert len(double.called("tasks.stop")) == 2

        double.faults.clear()
        run(app)
        assert len(double.called("tasks.stop")) == 3
    started = [task["status"] for task in double.tasks.values()]
    assert started == ["stopped"] * 3
    check_predictions(setting)
