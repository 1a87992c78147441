"""The Train app against the double of an instance, driven through its widgets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import tiny
from doubles.files import FileServer
from e2e.driver import running_app
from e2e.train_setting import (
    APP,
    TINY,
    artifacts,
    autorun,
    environment,
    experiment,
    to_the_run,
    to_the_settings,
    trained,
    weights,
)
from mouse_ar.core.actions import ActionSet
from mouse_ar.mvd import MVD, MVDConfig, read_checkpoint_info
from mouse_ar.sly.lab_actions import ACTIONS_FILE
from mouse_ar.sly.saved_run import RunStore
from mouse_ar.sly.train_request import TrainRequest
from supervisely_double.double import Double, running


@pytest.fixture(scope="module")
def training_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Training Data project on disk; tests leave it as it is."""
    return tiny.write_training_data(tmp_path_factory.mktemp("training-data"))


@pytest.fixture
def double(tmp_path: Path) -> Iterator[Double]:
    with running(Double(tmp_path / "double")) as started:
        yield started


def test_all_steps_by_hand(double: Double, training_data: Path, tmp_path: Path) -> None:
    project = double.add_project("mice", folder=training_data)
    of_lab = ActionSet(tiny.ACTIONS.actions[::-1])
    double.add_file(ACTIONS_FILE, yaml.safe_dump(of_lab.to_dict()).encode())
    with running_app(APP, tmp_path / "app", environment=environment(double, project)) as app:
        app.click("data_continue")
        assert "clips to train on" in app.notes("data_note")[0]
        assert app.data("data_table")["columns"][-2:] == [f"{n} bouts" for n in of_lab.names]
        assert app.data("data_table")["total"] == 5
        assert any("only" in line for line in app.notes("data_warnings"))
        assert not double.called("videos.download")
        app.click("data_change")

        to_the_settings(app)
        assert app.state("params_lr")["value"] == 0.01
        assert "layer_decay: 1.0" in app.state("params_yaml")["text"]
        app.set("params_batch_size", call="value_changed", value=4)
        assert "batch_size: 4" in app.state("params_yaml")["text"]
        assert any("noisy gradients" in line for line in app.notes("params_message"))
        app.click("params_accumulate")
        assert "update_freq: 2" in app.state("params_yaml")["text"]
        assert app.data("params_accumulate")["hide"]

        app.set("params_yaml", text=yaml.safe_dump(TINY))
        app.click("params_apply")
        assert app.state("params_epochs")["value"] == 2
        by_form = {"smoothing": 0.05, "flip": "dihedral", "grad_checkpointing": True}
        for name, value in by_form.items():
            assert TINY[name] != value
            app.set(f"params_{name}", call="value_changed", value=value)
        app.set("params_more", value=["Random changes"])
        assert any("4 frames at a time, 0.40 s" in line for line in app.notes("params_message"))
        app.click("params_continue")
        assert app.state("experiment_name")["value"] == "mice vit_tiny"
        app.set("experiment_name", value="first try")
        app.click("experiment_continue")
        app.click("run_start")
        app.wait_for_note("run_outcome", "The best checkpoint")
        assert app.data("run_metrics")["total"] == 2
        charts = {name: app.data(f"run_chart_{name}")["series"] for name in ("loss", "bouts")}
        assert {s["name"] for s in charts["bouts"]} == {tiny.GROOMING, tiny.TWITCH}
        assert len(charts["loss"][0]["data"]) >= 2
        assert "windows/s" in app.notes("run_now")[0]
        assert "Training ended" in app.data("run_log")["lines"][-1]
        assert app.notes("found_note") == []
    info = experiment(double)
    assert info["experiment_name"] == "first try"
    saved = artifacts(double)
    used = yaml.safe_load(saved[info["artifacts_dir"] + info["hyperparameters"]])
    assert used.items() >= {**TINY, **by_form}.items()
    page = artifacts(double)[info["artifacts_dir"] + "report.html"].decode()
    assert "<h1>Experiment first try</h1>" in page
    parts = re.findall(r"<h2>(.+?)</h2>", page)
    assert parts[0] == "The model"
    assert parts[-1] == "The training"
    # The same for the platform, which opens template.vue by its number.
    folder = info["artifacts_dir"] + "visualizations/"
    files = {path: data for path, data in artifacts(double).items() if path.startswith(folder)}
    texts = [data.decode() for path, data in files.items() if path.endswith(".md")]
    assert {text[3:] for text in texts if text.startswith("## ")} == set(parts)
    (tmp_path / "best.safetensors").write_bytes(weights(double))
    assert read_checkpoint_info(tmp_path / "best.safetensors").actions == of_lab


def test_the_platform_is_told_of_a_run_without_a_user(
    double: Double, training_data: Path, tmp_path: Path
) -> None:
    project = double.add_project("mice", folder=training_data)
    task = double.add_task(module=None)
    given = {**environment(double, project, **autorun()), "TASK_ID": str(task)}
    with running_app(APP, tmp_path / "app", environment=given, production=True) as app:
        assert app.ended(120) == 0, app.log[-3000:]
    output = double.tasks[task]["meta"]["output"]
    told = output["experiment"]["data"]
    (path,) = [p for p in artifacts(double) if p.endswith("/experiment_info.json")]
    assert told.items() >= json.loads(artifacts(double)[path]).items()
    assert told["artifacts_dir"] == f"/experiments/{project}_mice/{task}_MVD/"
    assert told["project_preview"]
    found = double.call("file-storage.list", REPORTS)
    paths = {entry["id"]: entry["path"] for entry in found if not entry["isDir"]}
    folder = told["artifacts_dir"] + "visualizations/"
    assert paths[told["evaluation_report_id"]] == folder + "template.vue"
    link = folder + "Model Evaluation Report.lnk"
    opened = artifacts(double)[link].decode()
    assert opened == f"/model-benchmark?id={told['evaluation_report_id']}"
    assert output["general"]["title"] == "Report of by itself"
    assert read_by_the_sdk(double, told["artifacts_dir"]).model_name == "vit_tiny"


REPORTS = {"teamId": Double.team, "path": "/experiments/", "recursive": True}


def read_by_the_sdk(double: Double, folder: str) -> Any:
    """The experiment as the platform's own pickers see it."""
    import pylibmagic  # noqa: F401
    import supervisely
    from supervisely.nn.experiments import get_experiment_info_by_artifacts_dir

    api = supervisely.Api(double.url, double.token)
    info = get_experiment_info_by_artifacts_dir(api, Double.team, folder)
    assert info is not None
    return info


def test_stopping_keeps_an_evaluated_checkpoint(
    double: Double, training_data: Path, tmp_path: Path
) -> None:
    project = double.add_project("mice", folder=training_data)
    with running_app(APP, tmp_path / "app", environment=environment(double, project)) as app:
        to_the_run(app, epochs=500)
        app.click("run_start")
        app.wait(trained(2), what="two epochs")
        app.click("params_change")
        assert "A training goes on" in app.notes("params_note")[-1]
        app.click("run_stop")
        app.wait_for_note("run_outcome", "Stopped early; the best checkpoint so far")
        assert "was stopped before its last epoch" in app.notes("found_note")[0]
        assert app.data("run_metrics")["total"] == 2
    assert weights(double)
    assert experiment(double)["evaluation_metrics"].keys() >= {"bout F1"}


@pytest.mark.slow
def test_a_new_process_goes_on_where_a_killed_one_was(
    double: Double, training_data: Path, tmp_path: Path
) -> None:
    project = double.add_project("mice", folder=training_data)
    settings = autorun(epochs=10, samples_per_epoch=48, val_interval=4, smoothing=0.05)
    given = environment(double, project, **settings)
    with running_app(APP, tmp_path / "undisturbed", environment=given) as app:
        assert app.ended(150) == 0, app.log[-3000:]
    expected = weights(double)
    for path in artifacts(double):
        double.call("file-storage.bulk.remove", {"teamId": Double.team, "paths": [path]})

    with running_app(APP, tmp_path / "app", environment=given) as app:
        app.wait(trained(5), what="five epochs", seconds=100)
        app.kill()
    by_hand = {k: v for k, v in given.items() if k != "modal.state.autorun"}
    with running_app(APP, tmp_path / "app", environment=by_hand) as app:
        app.wait(lambda a: a.notes("found_note"), what="the run that was left")
        assert "“by itself” is not finished" in app.notes("found_note")[0]
        assert len(app.data("run_chart_loss")["series"][0]["data"]) >= 5
        assert app.state("params_epochs")["value"] == 10
        assert app.state("params_smoothing")["value"] == 0.05
        app.click("found_continue")
        app.wait_for_note("run_outcome", "The best checkpoint", seconds=150)
        assert any(line.startswith("Continuing after") for line in app.data("run_log")["lines"])
    assert weights(double) == expected

    with running_app(APP, tmp_path / "app", environment=by_hand) as app:
        app.click("data_continue")
        assert app.notes("found_note") == [], "what is done is not offered again"


@pytest.fixture
def public(tmp_path: Path) -> Iterator[FileServer]:
    """Public weights of the tiny model and of another, on a server of their own."""
    model = MVD(MVDConfig.preset("vit_tiny"))
    encoder = {f"encoder.{key}": value for key, value in model.state_dict().items()
               if not key.startswith(("head", "fc_norm"))}  # fmt: skip
    torch.save({"model": encoder}, tmp_path / "tiny.pth")
    with FileServer((tmp_path / "tiny.pth").read_bytes()) as server:
        models = [
            {"name": "tiny_public", "title": "Tiny, public", "preset": "vit_tiny"},
            {"name": "small_public", "title": "Small, public", "preset": "vit_small"},
        ]
        catalog = {
            **dict.fromkeys(("source", "licence_url"), "https://example.org/"),
            "licence": "CC BY-NC 4.0", "non_commercial": True,
            "models": [{**model, "url": server.file} for model in models],
        }  # fmt: skip
        (tmp_path / "catalog.yaml").write_text(yaml.safe_dump(catalog))
        yield server


def test_public_weights_are_fetched_at_the_start(
    double: Double, training_data: Path, tmp_path: Path, public: FileServer
) -> None:
    project = double.add_project("mice", folder=training_data)
    own = {"MOUSE_AR_CATALOG": str(tmp_path / "catalog.yaml")}
    with running_app(
        APP, tmp_path / "app", environment={**environment(double, project), **own}
    ) as app:
        app.click("data_continue")
        app.set("model_start", value="public")
        (licence,) = app.notes("model_licence_about")
        assert "CC BY-NC 4.0. NOT FOR COMMERCIAL USE" in licence
        assert [item["value"] for item in app.data("model_public")["items"]] == ["small_public"]
        app.set("model_preset", call="value_changed", value="vit_base")
        app.click("model_continue")
        assert "There are no public weights of this size" in app.notes("model_note")[0]
        app.set("model_preset", call="value_changed", value="vit_tiny")
        (link,) = app.data("model_catalog")["links"]
        assert link["about"] == "downloaded when the training starts"
        app.click("model_continue")
        assert app.notes("model_note") == ["Tiny, starting from tiny_public."]
        app.set("params_yaml", text=yaml.safe_dump(TINY))
        app.click("params_continue")
        app.click("experiment_continue")
        assert not public.seen
        public.always = "page"
        app.click("run_start")
        app.wait_for_note("run_outcome", "web page instead of the file")
        assert not artifacts(double)
        public.always, public.faults = None, [("cut", 1000)]
        app.click("found_continue")
        app.wait_for_note("run_outcome", "The best checkpoint")
        (bar,) = [row for row in app.data("run_progress")["rows"] if "weights" in row["title"]]
        assert (bar["detail"], bar["percent"]) == ("tiny_public (kB)", 100)
        assert any("tensors loaded" in line for line in app.data("run_log")["lines"])
    info = experiment(double)
    assert info["base_checkpoint"] == "tiny_public"
    report = artifacts(double)[info["artifacts_dir"] + "report.html"].decode()
    assert "tiny_public (CC BY-NC 4.0, not for commercial use; so is this model)" in report

    requests = len(public.seen)
    given = {**environment(double, project, **{**autorun(), "weights": "tiny_public"}), **own}
    with running_app(APP, tmp_path / "app", environment=given, production=True) as app:
        assert app.ended(120) == 0, app.log[-3000:]
    assert len(public.seen) == requests, "fetched once for all runs"
    infos = [path for path in artifacts(double) if path.endswith("/experiment_info.json")]
    assert len(infos) == 2


def test_what_was_left_of_another_project_is_not_gone_on_with(
    double: Double, training_data: Path, tmp_path: Path
) -> None:
    project = double.add_project("mice", folder=training_data)
    data = tmp_path / "app/data/train"
    for its_project, offered in ((project + 1, False), (project, True)):
        RunStore(data).begin(TrainRequest("left", tiny.TRAIN, "cpu"), project_id=its_project)
        with running_app(APP, tmp_path / "app", environment=environment(double, project)) as app:
            app.wait(lambda a: not a.data("data_continue")["disabled"], what="the project")
            if offered:
                app.wait_for_note("found_note", "“left” is not finished")
            assert bool(app.notes("found_note")) is offered


def test_what_cannot_be_is_told_in_its_place(
    double: Double, training_data: Path, tmp_path: Path
) -> None:
    project = double.add_project("mice", folder=training_data)
    with running_app(APP, tmp_path / "app", environment=environment(double, project)) as app:
        app.click("data_continue")
        app.set("model_start", value="file")
        app.click("model_continue")
        assert "Enter the path of the weights" in app.notes("model_note")[0]
        app.set("model_file", value="/models/none.pth")
        app.click("model_continue")
        assert "no file “/models/none.pth” in Team Files" in app.notes("model_note")[0]
        app.set("model_start", value="experiment")
        app.click("model_experiment_refresh")
        assert "no experiment of this app" in app.notes("model_experiment_note")[0]
        app.set("model_start", value="scratch")
        app.click("model_continue")

        for text, told in {
            "epochs: [": "not valid YAML in line",
            "epochs": "each line is like",
            "epoch: 3": "Unknown training setting(s) ['epoch']",
            "epochs: 0": "epochs must be at least 1, got 0",
            "input_size: 100": "multiple of 16 for vit_small, got 100: use 96 or 112",
            "model: vit_base": "chosen in the step “Model and weights”",
        }.items():
            app.set("params_yaml", text=text)
            app.click("params_apply")
            assert told in app.notes("params_message")[0]
            app.click("params_continue")
            assert told in app.notes("params_note")[0]
        app.set("params_yaml", text="")
        for name, value, told in (
            ("smoothing", 1, "smoothing must be within [0, 1), got 1"),
            ("flip", "up", "flip must be one of none, horizontal, dihedral"),
            ("compile", "maybe", "Setting compile expects bool, got 'maybe'"),
        ):
            before = app.state(f"params_{name}")["value"]
            app.set(f"params_{name}", call="value_changed", value=value)
            assert told in app.notes("params_message")[0]
            app.click("params_continue")
            assert told in app.notes("params_note")[0]
            app.set(f"params_{name}", call="value_changed", value=before)
        app.set("params_yaml", text="epochs: [")
        app.set("params_seed", call="value_changed", value=4)
        assert "Correct the text first" in app.notes("params_message")[0]


def test_a_project_without_training_data(
    double: Double, training_data: Path, tmp_path: Path
) -> None:
    project = double.add_project("labels", folder=training_data.parent / "input")
    with running_app(APP, tmp_path / "app", environment=environment(double, project)) as app:
        app.click("data_continue")
        (told,) = app.notes("data_note")
        assert "'labels'" in told
        assert "got cohort" in told
        assert "Preprocess for Mouse Action Recognition" in told
    task = double.add_task(module=None)
    given = {**environment(double, project, **autorun()), "TASK_ID": str(task)}
    with running_app(APP, tmp_path / "alone", environment=given, production=True) as app:
        assert app.ended(100) == 1, app.log[-3000:]
    assert "Step 1: Data is not complete" in json.dumps(double.tasks[task]["meta"]["output"])
