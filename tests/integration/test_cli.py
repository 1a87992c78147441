"""The command line from a folder of videos and a table to annotated videos, and its errors."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch

import tiny
from mouse_ar import cli
from mouse_ar.data.local_project import LocalProject
from mouse_ar.mvd import load_checkpoint
from tiny import ACTIONS, GROOMING, TWITCH

Command = Callable[..., tuple[int, str]]
TINY_TRAINING = """\
model: vit_tiny
num_frames: 4
sampling_rate: 1
input_size: 32
samples_per_epoch: 16
layer_decay: 1.0
num_workers: 0
"""


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Run the command line in this process; its exit code."""
    monkeypatch.setattr(sys, "argv", ["mouse-ar", *map(str, arguments)])
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    def run(*arguments: object) -> tuple[int, str]:
        capsys.readouterr()
        code = call(monkeypatch, *arguments)
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every step once, each reading what the one before it wrote."""
    root = tmp_path_factory.mktemp("lab")
    with (root / "labels.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["video", "action", "start_frame", "end_frame"])
        for name, labels in tiny.SEVEN.items():
            tiny.write_video(root / "videos" / name, labels)
            table.writerows(
                [name, {GROOMING: "grooming", TWITCH: "HTR"}[action], start, stop - 1]
                for action, start, stop in labels
            )
    (root / "train.yaml").write_text(TINY_TRAINING)
    project, data, run = root / "project", root / "data", root / "run"
    steps: list[list[object]] = [
        ["import-annotations", root / "videos", root / "labels.csv", "--project", project],
        ["preprocess", project, data, "--test-videos", "1", "--set", "detect_every=4"],
        ["train", data, run, "--config", root / "train.yaml", "--set", "epochs=1"],
    ]
    checkpoint = run / "checkpoints/best.safetensors"
    steps += [
        ["evaluate", data, "--checkpoint", checkpoint, "--out", root / "evaluation"],
        ["infer", root / "videos", root / "out", "--checkpoint", checkpoint, "--detect-every", "4"],
    ]
    with pytest.MonkeyPatch.context() as monkeypatch:
        for step in steps:
            assert call(monkeypatch, *step) == 0, step
    return root


def test_labels_of_the_table_become_tags(lab: Path) -> None:
    project = LocalProject.open(lab / "project")
    for video in project.videos():
        expected = sorted(tiny.bouts(tiny.SEVEN[video.name]))
        assert sorted(project.read(video).bouts) == expected


def test_training_data_are_complete(lab: Path) -> None:
    data = LocalProject.open(lab / "data")
    assert data.datasets() == sorted([*ACTIONS.datasets, "test", "val"])
    assert not data.incomplete()


def test_checkpoint_has_the_settings_of_file_and_command_line(lab: Path) -> None:
    checkpoint = load_checkpoint(lab / "run/checkpoints/best.safetensors")
    settings = checkpoint.metadata["train_config"]
    assert (settings["samples_per_epoch"], settings["epochs"]) == (16, 1)
    assert (lab / "run/hyperparameters.yaml").is_file()
    kinds = [json.loads(line)["event"] for line in (lab / "run/events.jsonl").open()]
    assert next(kind for kind in kinds if kind not in {"checking", "data", "warning"}) == "start"
    assert kinds[-1] == "end"


def test_data_that_cannot_be_trained_on_are_counted(
    lab: Path, command: Command, tmp_path: Path
) -> None:
    train = ["train", lab / "data", tmp_path, "--config", lab / "train.yaml"]
    code, said = command(*train, "--set", "batch_size=500")
    assert code == 1
    assert "| source video" in said
    assert "fewer than the 500 windows of a batch" in said.strip().splitlines()[-1]
    assert "Traceback" not in said


def test_folds_are_trained_and_reported(lab: Path, command: Command, tmp_path: Path) -> None:
    train = ["train", lab / "data", tmp_path, "--config", lab / "train.yaml", "--folds", "2"]
    train += ["--set", "epochs=1", "--set", "batch_size=4"]
    code, said = command(*train)
    assert code == 0, said
    assert "fold 2 of 2: training" in said
    assert "Over 2 folds, mean over actions: frame F1" in said
    assert "| mean over actions: frame F1" in said
    found = json.loads((tmp_path / "folds.json").read_text())
    assert found["finished"] == 2
    assert f"{GROOMING}/bout F1" in found["summary"]
    page = (tmp_path / "folds.html").read_text()
    for result in found["results"]:
        assert all(source in page for source in result["sources"])
    assert (tmp_path / "fold_2/checkpoints/best.safetensors").is_file()
    code, said = command(*train)
    assert code == 0
    assert said.count("finished before") == 2


def test_evaluation_is_written(lab: Path) -> None:
    result = json.loads((lab / "evaluation/evaluation.json").read_text())
    assert set(result["pooled"]) == set(ACTIONS.names)
    assert (lab / "evaluation/evaluation.md").read_text().startswith("| video")
    assert (lab / "evaluation/ethogram.png").stat().st_size > 5000


def test_a_second_annotator_is_judged_beside_the_model(
    lab: Path, command: Command, tmp_path: Path
) -> None:
    checkpoint = lab / "run/checkpoints/best.safetensors"
    out = tmp_path / "out"
    both = ["evaluate", lab / "data", "--checkpoint", checkpoint, "--out", out]
    code, said = command(*both, "--against", lab / "labels.csv")
    assert code == 0, said
    assert "Second annotator (" in said
    found = json.loads((out / "evaluation.json").read_text())
    assert found["against"]["human"]["macro_bout_f1"] == 1.0  # the very same labels
    assert found["against"]["model"]["pooled"] == found["pooled"]
    assert found["details"]["actions"][GROOMING]["curves"]["thresholds"]
    assert "| second annotator" in (out / "evaluation.md").read_text()
    page = (out / "evaluation.html").read_text()
    for heading in ("The model", "How good it is", "Bouts over time", "The worst errors"):
        assert f"<h2>{heading}</h2>" in page

    code, said = command(
        *("evaluate", lab / "data", "--against", lab / "project", "--out", tmp_path / "human")
    )
    assert code == 0, said
    found = json.loads((tmp_path / "human/evaluation.json").read_text())
    assert found["macro_bout_f1"] == 1.0
    assert found["against"]["model"] is None
    page = (tmp_path / "human/evaluation.html").read_text()
    assert "a second annotator on test videos" in page
    assert "<h2>The model</h2>" not in page

    (tmp_path / "typo.csv").write_text("video,action,start_frame,end_frame\na.mp4,gromming,1,2\n")
    code, said = command(*both, "--against", tmp_path / "typo.csv")
    assert code == 1
    assert "'gromming'; known are" in said
    assert "classifying" not in said  # told before the model runs


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "expected --checkpoint, --against, or both"),
        (["--against", "x.csv", "--set", "twitch.threshold=0.5"], "settings of a model"),
        (["--checkpoint", "m.safetensors", "--actions", "a.yaml"], "brings its actions"),
        (["--against", "x.csv", "--split", "train"], "must be test or val"),
    ],
)
def test_options_of_evaluate_that_do_not_go_together(
    command: Command, tmp_path: Path, options: list[str], told: str
) -> None:
    code, said = command("evaluate", tmp_path, "--out", tmp_path, *options)
    assert code == 2
    assert told in " ".join(said.replace("│", " ").split())


def test_inference_is_written(lab: Path) -> None:
    assert len(list((lab / "out/scores").glob("*.npz"))) == 7
    with (lab / "out/summary.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 14
    assert (lab / "out/bouts.csv").read_text().startswith("video,action,start_frame,end_frame")
    assert len(LocalProject.open(lab / "out/project").videos()) == 7


def test_real_sdk_opens_training_data_and_predictions(
    sly: ModuleType, lab: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sly.logger.addHandler(caplog.handler)
    for path in (lab / "data", lab / "out/project"):
        ours = LocalProject.open(path)
        project = sly.VideoProject(str(path), sly.OpenMode.READ)
        names = set()
        for dataset in project.datasets:
            for name in dataset:
                annotation = sly.VideoAnnotation.load_json_file(
                    dataset.get_ann_path(name), project.meta
                )
                annotation.validate_figures_bounds()
                assert dataset.get_item_info(name).custom_data["mouse_ar"]["kind"]
                names.add(f"{dataset.name}/{name}")
                if path.name == "project":
                    assert all(0 <= tag.value <= 1 for tag in annotation.tags)
        assert names == {video.key for video in ours.videos()}
    sly.logger.removeHandler(caplog.handler)
    # The SDK looks for a dataset in every folder, also in the hidden one with our state.
    assert not [line for line in caplog.text.splitlines() if "/.mouse_ar" not in line]


def test_repeated_commands_say_that_nothing_is_new(lab: Path, command: Command) -> None:
    code, said = command(
        *("preprocess", lab / "project", lab / "data", "--test-videos", "1"),
        *("--set", "detect_every=4"),
    )
    assert code == 0
    assert "Nothing new: all 7 videos are up to date." in said
    checkpoint = lab / "run/checkpoints/best.safetensors"
    code, said = command(
        *("infer", lab / "videos", lab / "out", "--checkpoint", checkpoint, "--detect-every", "4")
    )
    assert code == 0
    assert "7 videos annotated (7 from an earlier run)" in said


def test_decoding_can_be_overridden(lab: Path, command: Command, tmp_path: Path) -> None:
    checkpoint = lab / "run/checkpoints/best.safetensors"

    def predicted(threshold: float) -> list[int]:
        settings = ["grooming.off_threshold=0.01", f"grooming.on_threshold={threshold}"]
        settings += ["grooming.noise_sigmas=0", "twitch.threshold=1.0"]
        code, _ = command(
            *("evaluate", lab / "data", "--checkpoint", checkpoint, "--out", tmp_path),
            *("--split", "val", *(word for s in settings for word in ("--set", s))),
        )
        assert code == 0
        pooled = json.loads((tmp_path / "evaluation.json").read_text())["pooled"]
        return [part["predicted_count"] for part in pooled.values()]

    assert predicted(1.0) == [0, 0]
    assert sum(predicted(0.01)) > 0


def test_kept_scores_are_decoded_again(lab: Path, command: Command, tmp_path: Path) -> None:
    results = tmp_path / "out"
    shutil.copytree(lab / "out", results)
    before = (results / "bouts.csv").read_text()
    loose = ("--set", "twitch.threshold=0.01", "--set", "twitch.prominence=0.001")
    loose += ("--set", "twitch.noise_sigmas=0")

    picture = (results / "ethogram.png").read_bytes()
    code, said = command("decode", "--scores", results, "--set", "twitch.threshold=1.0")
    assert code == 0
    assert "| Head/Body TWITCH |" in said
    assert "Head/Body TWITCH" not in (results / "bouts.csv").read_text()
    code, said = command("decode", "--scores", results, *loose)
    assert code == 0
    assert (results / "bouts.csv").read_text().count("Head/Body TWITCH") > before.count("TWITCH")
    assert (results / "ethogram.png").read_bytes() != picture
    # The model's own values give what inference gave.
    checkpoint = lab / "run/checkpoints/best.safetensors"
    assert command("decode", "--scores", results, "--checkpoint", checkpoint)[0] == 0
    assert (results / "bouts.csv").read_text() == before

    # Scores of an evaluation have no project: tables only.
    evaluation = shutil.copytree(lab / "evaluation", tmp_path / "evaluation")
    tables = ("decode", "--scores", evaluation, "--out", tmp_path / "tables")
    assert command(*tables)[0] == 0
    own = (tmp_path / "tables/bouts.csv").read_text()
    (evaluation / "run.json").unlink()
    code, said = command(*tables)
    assert code == 1
    assert "Name the model with --checkpoint." in said
    assert command(*tables, "--checkpoint", checkpoint)[0] == 0
    assert (tmp_path / "tables/bouts.csv").read_text() == own
    code, said = command(
        *("decode", "--scores", evaluation / "scores", "--out", tmp_path / "tables"),
        *("--checkpoint", checkpoint, "--bin-minutes", "0.05"),
    )
    assert code == 0
    assert (tmp_path / "tables/bins.csv").is_file()
    code, said = command("decode", "--scores", lab / "evaluation", "--checkpoint", checkpoint)
    assert code == 1
    assert "name a folder with --out" in said


def test_broken_video_among_good_ones_ends_with_code_1(
    lab: Path, command: Command, tmp_path: Path
) -> None:
    project = tiny.write_project(tmp_path / "in", {"a.mp4": tiny.SEVEN["a.mp4"]})
    tiny.annotate(project, "bad.mp4", [(GROOMING, 5, 20)])
    project.video(tiny.DATASET, "bad.mp4").video_path.write_bytes(b"no video")

    code, said = command("preprocess", tmp_path / "in", tmp_path / "data")
    assert code == 1
    assert "1 videos processed" in said
    assert f"FAILED: {tiny.DATASET}/bad.mp4: " in said

    checkpoint = lab / "run/checkpoints/best.safetensors"
    code, said = command("infer", tmp_path / "in", tmp_path / "out", "--checkpoint", checkpoint)
    assert code == 1
    assert "1 videos annotated" in said
    assert f"FAILED: {tiny.DATASET}/bad.mp4: " in said


def test_evaluation_of_a_broken_video_ends_with_code_1(
    lab: Path, command: Command, tmp_path: Path
) -> None:
    shutil.copytree(lab / "data", tmp_path / "data", copy_function=shutil.copy2)
    (video,) = (tmp_path / "data/test/video").iterdir()
    video.write_bytes(b"no video")
    checkpoint = lab / "run/checkpoints/best.safetensors"

    code, said = command(
        *("evaluate", tmp_path / "data", "--checkpoint", checkpoint, "--out", tmp_path / "out")
    )

    assert code == 1
    assert f"FAILED: test/{video.name}: " in said
    written = json.loads((tmp_path / "out/evaluation.json").read_text())
    assert list(written["failures"]) == [f"test/{video.name}"]


def test_groups_file_keeps_animals_together(lab: Path, command: Command, tmp_path: Path) -> None:
    lines = [
        f"{name},{'m1' if name < 'c' else name},{'test' * (name == 'a.mp4')}\n"
        for name in tiny.SEVEN
    ]
    lines.append("not-there.mp4,m9,test\n")
    (tmp_path / "groups.csv").write_text("file,group,split\n" + "".join(lines))
    code, said = command(
        *("preprocess", lab / "project", tmp_path / "data", "--groups", tmp_path / "groups.csv"),
        *("--set", "detect_every=20"),
    )
    assert code == 0
    assert "1 rows name no video: not-there.mp4" in said
    manifest = json.loads((tmp_path / "data/.mouse_ar/manifest.json").read_text())
    splits = {video["key"].split("/")[-1]: video["split"] for video in manifest["videos"]}
    assert splits["a.mp4"] == splits["b.mp4"] == "test"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("preprocess NOWHERE OUT", "NOWHERE is no Supervisely project: there is no such folder."),
        ("preprocess LAB/videos OUT", "it has no meta.json. Export the project"),
        ("preprocess LAB/project OUT --set sped=1", "Unknown preprocess setting(s) ['sped']"),
        ("preprocess LAB/project OUT --set seed", "--set expects NAME=VALUE, got 'seed'"),
        ("preprocess LAB/project OUT --set crf=fine", "Setting crf expects int, got 'fine'"),
        ("preprocess LAB/project OUT --set crf=[1", "--set crf: not readable as YAML"),
        ("preprocess LAB/project OUT --test-videos many", "Setting test_videos expects"),
        ("preprocess LAB/project OUT --config NOWHERE", "No such file or directory: 'NOWHERE'"),
        ("preprocess LAB/project OUT --config LAB/list.yaml", "expected NAME: VALUE lines"),
        ("preprocess LAB/project OUT --groups LAB/labels.csv", "expected columns 'file' and"),
        ("preprocess LAB/project LAB/videos", "exists and is no Supervisely project"),
        ("train NOWHERE OUT", "NOWHERE is no Supervisely project"),
        ("train LAB/project OUT", "holds no training clips"),
        ("train LAB/data OUT --set lerning_rate=1", "Unknown training setting(s)"),
        ("train LAB/data OUT --set model=vit_nano", "Unknown model 'vit_nano'; allowed:"),
        ("train LAB/data LAB/run --config LAB/train.yaml", "--restart to discard that run"),
        ("train LAB/data OUT --folds 9", "--folds 9 is impossible: allowed are 2 to"),
        ("evaluate LAB/data --checkpoint NOWHERE --out OUT", "NOWHERE: no such file"),
        (
            "evaluate LAB/data --checkpoint LAB/labels.csv --out OUT",
            "cannot be read as safetensors",
        ),
        ("infer LAB/videos OUT --checkpoint LAB/run/checkpoints/last.pt", "is a PyTorch file, not"),
        ("infer NOWHERE OUT --checkpoint BEST", "NOWHERE does not exist"),
        ("infer LAB/videos OUT --checkpoint BEST --set x.y=1", "Error: "),
        ("infer LAB/videos OUT --checkpoint BEST --set twitch.threshold=high", "expects a number"),
        ("infer LAB/videos OUT --checkpoint BEST --device cuda:9", "no CUDA device is available"),
    ],
)
def test_what_users_can_put_right_is_one_clear_line(
    lab: Path,
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: str,
    message: str,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    (lab / "list.yaml").write_text("- 1\n")
    best = lab / "run/checkpoints/best.safetensors"
    parts = [
        part.replace("LAB", str(lab)).replace("BEST", str(best)).replace("OUT", str(tmp_path / "o"))
        for part in arguments.split()
    ]

    code, said = command(*parts)

    assert code == 1
    assert message in said
    lines = [line for line in said.splitlines() if line.strip()]
    assert len([line for line in lines if line.startswith("Error: ")]) == 1
    assert lines[-1].startswith("Error: ")
    assert "Traceback" not in said


def one_video(root: Path, *rows: str) -> list[Path]:
    """A folder with one video of eight seconds, and a table for it."""
    tiny.write_video(root / "videos" / "a.mp4")
    (root / "labels.csv").write_text("\n".join([*rows, ""]))
    return [root / "videos", root / "labels.csv"]


def test_ignored_label_comes_on_top_of_uncertain(command: Command, tmp_path: Path) -> None:
    tables = one_video(
        tmp_path, "video,action,start_frame,end_frame", "a,uncertain,0,4", "a,hidden,10,14"
    )
    code, said = command(
        "import-annotations", *tables, "--project", tmp_path / "p", "--ignore-label", "Hidden"
    )
    assert code == 0
    assert "uncertain: 2 added" in said


def test_units_can_be_told(command: Command, tmp_path: Path) -> None:
    tables = one_video(tmp_path, "video,action,start,end", "a,grooming,2,4")
    begin = ["import-annotations", *tables, "--project"]
    code, said = command(*begin, tmp_path / "frames")
    assert code == 0
    assert "say so with --units seconds" in said
    assert command(*begin, tmp_path / "seconds", "--units", "seconds")[0] == 0
    for name, expected in (("frames", (2, 4)), ("seconds", (20, 39))):
        project = LocalProject.open(tmp_path / name)
        (bout,) = project.read(project.videos()[0]).bouts
        assert bout.interval.inclusive == expected


SEVERAL = '"player #1:/d/a.mp4;/d/b.mp4","8.0;8.0"'
AGGREGATED = f"""\
Observation id,Source,Media duration (s),Subject,Behavior,Behavior type,Start (s),Stop (s),\
Media file name
obs,{SEVERAL},m,grooming,STATE,1.0,3.0,/d/a.mp4
obs,{SEVERAL},m,twitch,POINT,6.0,6.0,/d/a.mp4
obs,{SEVERAL},m,grooming,STATE,9.0,10.0,/d/b.mp4
"""
TABULAR = f"""\
Observation id,Source,Media duration (s),Subject,Behavior,Behavior type,Time,Media file name
obs,{SEVERAL},m,grooming,START,1.0,/d/a.mp4
obs,{SEVERAL},m,grooming,STOP,3.0,/d/a.mp4
obs,{SEVERAL},m,twitch,POINT,6.0,/d/a.mp4
obs,{SEVERAL},m,grooming,START,9.0,/d/b.mp4
obs,{SEVERAL},m,grooming,STOP,10.0,/d/b.mp4
"""


@pytest.mark.parametrize("text", [AGGREGATED, TABULAR], ids=["aggregated", "tabular"])
def test_boris_exports_become_tags(command: Command, tmp_path: Path, text: str) -> None:
    tables = one_video(tmp_path, *text.splitlines())
    tiny.write_video(tmp_path / "videos" / "b.mp4")
    assert command("import-annotations", *tables, "--project", tmp_path / "p")[0] == 0
    project = LocalProject.open(tmp_path / "p")
    found = {
        video.name: [(b.action, b.interval.inclusive) for b in project.read(video).bouts]
        for video in project.videos()
    }
    assert found == {
        "a.mp4": [(GROOMING, (10, 29)), (TWITCH, (59, 60))],
        "b.mp4": [(GROOMING, (10, 19))],
    }


def test_broken_video_fails_the_import(command: Command, tmp_path: Path) -> None:
    tables = one_video(tmp_path, "video,action,start_frame,end_frame", "a,grooming,2,4")
    (tmp_path / "videos/bad.mp4").write_bytes(b"no video")
    code, said = command("import-annotations", *tables, "--project", tmp_path / "p")
    assert code == 1
    assert "left out" in said
    assert "videos/a.mp4: 1 added" in said


def test_missing_table_is_told(lab: Path, command: Command) -> None:
    code, said = command("import-annotations", lab / "project", lab / "nothing.csv")
    assert code == 1
    assert "nothing.csv" in said
    assert "Traceback" not in said


def test_diverged_training_is_one_clear_line(lab: Path, command: Command, tmp_path: Path) -> None:
    code, said = command(
        *("train", lab / "data", tmp_path / "run", "--config", lab / "train.yaml"),
        *("--set", "lr=1e30", "--set", "warmup_epochs=0", "--set", "epochs=2"),
    )
    assert code == 1
    assert "Lower lr" in said.splitlines()[-1]


def test_third_action_goes_all_the_way(command: Command, repo: Path, tmp_path: Path) -> None:
    third = "  - {name: Scratching, kind: state, aliases: [scratch]}\n"
    (tmp_path / "actions.yaml").write_text((repo / "configs/actions.yaml").read_text() + third)
    (tmp_path / "train.yaml").write_text(TINY_TRAINING)
    lines = ["video,action,start_frame,end_frame"]
    for name, labels in {k: tiny.SEVEN[k] for k in ("a.mp4", "b.mp4", "c.mp4")}.items():
        tiny.write_video(tmp_path / "videos" / name, labels)
        lines += [f"{name},{action},{start},{stop - 1}" for action, start, stop in labels]
        lines.append(f"{name},scratch,{labels[-1][2] + 2},{labels[-1][2] + 8}")
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")
    actions = ["--actions", tmp_path / "actions.yaml"]
    project, data, run = tmp_path / "project", tmp_path / "data", tmp_path / "run"
    train = ["train", data, run, "--config", tmp_path / "train.yaml", "--set", "epochs=1"]
    tables = [tmp_path / "videos", tmp_path / "labels.csv"]

    assert command("import-annotations", *tables, "--project", project, *actions)[0] == 0
    assert command("preprocess", project, data, "--set", "detect_every=20", *actions)[0] == 0
    code, said = command(*train)
    assert code == 1
    assert "Pass the same --actions file" in said
    assert command(*train, *actions)[0] == 0
    best = run / "checkpoints/best.safetensors"
    assert load_checkpoint(best).actions.names == (*ACTIONS.names, "Scratching")
    assert command("infer", tmp_path / "videos", tmp_path / "out", "--checkpoint", best)[0] == 0
    with (tmp_path / "out/summary.csv").open(newline="") as file:
        assert "Scratching" in {row["action"] for row in csv.DictReader(file)}


def test_restart_sets_the_run_aside(lab: Path, command: Command, tmp_path: Path) -> None:
    train = ["train", lab / "data", tmp_path, "--config", lab / "train.yaml"]
    assert command(*train, "--set", "epochs=1")[0] == 0
    assert command(*train, "--set", "epochs=1", "--set", "seed=1")[0] == 1
    before = (tmp_path / "checkpoints/best.safetensors").read_bytes()
    assert command(*train, "--set", "epochs=1", "--set", "seed=1", "--restart")[0] == 0
    assert len([e for e in (tmp_path / "events.jsonl").open() if '"start"' in e]) == 1
    assert (tmp_path / "earlier/checkpoints/best.safetensors").read_bytes() == before
    code, said = command("train", tmp_path / "mistyped", tmp_path, "--restart")
    assert (code, "no such folder" in said) == (1, True)
    assert (tmp_path / "checkpoints/best.safetensors").is_file()
    assert (tmp_path / "earlier/checkpoints/best.safetensors").read_bytes() == before
