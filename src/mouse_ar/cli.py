"""The command line ``mouse-ar``: the pipelines on local projects."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from mouse_ar.cli_serve import serve_detector
from mouse_ar.console import ProgressView, TrainView, out
from mouse_ar.core.actions import ActionSet
from mouse_ar.core.manifest import slug
from mouse_ar.data.annotations import IGNORED_TAG
from mouse_ar.data.config_files import load_actions
from mouse_ar.data.files import write_json, write_text
from mouse_ar.data.folder import project_from_folder
from mouse_ar.data.groups import VideoGroups, read_groups
from mouse_ar.data.importers import DEFAULT_POINT_SECONDS, import_annotations
from mouse_ar.data.local_project import LocalProject
from mouse_ar.data.tables import Units
from mouse_ar.data.training_data import open_training_data
from mouse_ar.demo import DemoConfig, run_demo
from mouse_ar.detection.background import BackgroundSubtraction
from mouse_ar.detection.errors import DetectorUnavailableError
from mouse_ar.mvd import CheckpointError
from mouse_ar.pipelines.config import PreprocessConfig
from mouse_ar.pipelines.evaluate import evaluate_videos
from mouse_ar.pipelines.infer import infer as run_infer
from mouse_ar.pipelines.predictor import load_predictor, pick_device
from mouse_ar.pipelines.preprocess import preprocess as run_preprocess
from mouse_ar.pipelines.results import save_scores
from mouse_ar.pipelines.store import BusyError
from mouse_ar.report.ethogram import plot_ethograms
from mouse_ar.report.runs import evaluate_text, infer_text, preprocess_text
from mouse_ar.training.config import TrainConfig
from mouse_ar.training.run import train as run_train
from mouse_ar.training.state import ResumeError
from mouse_ar.video.probe import VideoError

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Finds self-grooming and head/body-twitch bouts in long videos of laboratory mice.",
)

ActionsOption = Annotated[
    Path | None, typer.Option("--actions", help="actions.yaml; the built-in set by default.")
]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="YAML with overrides.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="Override one setting: NAME=VALUE; repeatable.")
]
DeviceOption = Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, …; CUDA if present.")]


# What users can put right; anything else is a fault of the program and shows its traceback.
_EXPECTED = (
    ValueError,
    OSError,
    FloatingPointError,
    VideoError,
    CheckpointError,
    BusyError,
    ResumeError,
    DetectorUnavailableError,
)


app.command("serve-detector")(serve_detector)


def main() -> None:
    """Run the command line; expected errors become one clear line and exit code 1."""
    try:
        app()
    except _EXPECTED as error:
        out.print(f"[bold red]Error:[/] {type(error).__name__}: ", end="")
        out.print(str(error), markup=False)
        sys.exit(1)


@app.command("import-annotations")
def import_annotations_command(
    videos: Annotated[Path, typer.Argument(help="Project, or a plain folder of videos.")],
    tables: Annotated[list[Path], typer.Argument(help="CSV tables: BORIS exports or plain.")],
    project: Annotated[
        Path | None, typer.Option(help="Where to make the project, for a plain folder.")
    ] = None,
    actions: ActionsOption = None,
    ignore_label: Annotated[
        list[str] | None,
        typer.Option(help="Label to leave out of training and scoring, like uncertain."),
    ] = None,
    point_seconds: Annotated[
        float, typer.Option(help="Length given to a point event that has no end.")
    ] = DEFAULT_POINT_SECONDS,
    units: Annotated[
        Units, typer.Option(help="What start and end hold, where their columns do not say.")
    ] = "auto",
) -> None:
    """Turn CSV tables of labels into tags of a local project."""
    action_set = load_actions(actions)
    target, left_out = _project_for(videos, project, action_set)
    opened = LocalProject.create(target, actions=action_set)
    with ProgressView() as view:
        report = import_annotations(
            opened,
            tables,
            ignore_labels=[IGNORED_TAG, *(ignore_label or [])],
            point_seconds=point_seconds,
            units=units,
            progress=lambda done, total: view("importing", done, total),
        )
    out.print(report.to_text(), markup=False)
    out.print(f"project: {target}", markup=False)
    # Single rows that do not fit are for the user to read; a whole table or video is a failure.
    if left_out or any(problem.line == 0 for problem in report.problems):
        raise typer.Exit(1)


@app.command()
def preprocess(
    project: Annotated[Path, typer.Argument(help="Input Project in Supervisely video format.")],
    data: Annotated[Path, typer.Argument(help="Training Data project; created or continued.")],
    config: ConfigOption = None,
    actions: ActionsOption = None,
    overrides: SetOption = None,
    test_videos: Annotated[
        str | None, typer.Option(help="Test videos: a number (3) or a share (0.2).")
    ] = None,
    groups: Annotated[
        Path | None,
        typer.Option(
            help="CSV with columns file, group: groups are never split. A column split with train, "
            "val or test (or nothing) says what a video is used for."
        ),
    ] = None,
    remove_deleted: Annotated[
        bool, typer.Option(help="Remove the clips of videos that are no longer in the input.")
    ] = False,
) -> None:
    """Detect the mouse, cut clips, balance idle, split by video. Only what is new."""
    action_set = load_actions(actions)
    values = _settings(config, overrides)
    if test_videos is not None:
        values["test_videos"] = _value("--test-videos", test_videos)
    source = LocalProject.open(project, actions=action_set)
    table = read_groups(groups, source.videos()) if groups else VideoGroups({}, {})
    for note in table.notes:
        out.print(f"Note: {note}", markup=False)
    with ProgressView() as view:
        report = run_preprocess(
            source.path,
            data,
            actions=action_set,
            config=PreprocessConfig.from_dict(values),
            detector=BackgroundSubtraction(),
            groups=table.groups,
            splits=table.splits,
            remove_deleted=remove_deleted,
            progress=view,
        )
    out.print(preprocess_text(report), markup=False)
    if report.failures:
        raise typer.Exit(1)


@app.command()
def train(
    data: Annotated[Path, typer.Argument(help="Training Data project.")],
    run: Annotated[Path, typer.Argument(help="Folder of the run; an interrupted one continues.")],
    config: ConfigOption = None,
    actions: ActionsOption = None,
    overrides: SetOption = None,
    device: DeviceOption = None,
    restart: Annotated[bool, typer.Option(help="Discard an earlier run in this folder.")] = False,
) -> None:
    """Train a model; the best checkpoint is RUN/checkpoints/best.safetensors."""
    settings = TrainConfig.from_dict(_settings(config, overrides))
    with TrainView() as view:
        result = run_train(
            data,
            run,
            config=settings,
            actions=load_actions(actions),
            device=pick_device(device),
            emit=view,
            restart=restart,
        )
    out.print(f"best epoch {result.best_epoch + 1}, validation score {result.best_score:.3f}")
    out.print(f"checkpoint: {result.checkpoint}", markup=False)


@app.command()
def evaluate(
    data: Annotated[Path, typer.Argument(help="Training Data project with test videos.")],
    checkpoint: Annotated[Path, typer.Option(help="Trained model (.safetensors).")],
    output: Annotated[Path, typer.Option("--out", help="Folder of the results.")],
    split: Annotated[str, typer.Option(help="test or val.")] = "test",
    config: ConfigOption = None,
    overrides: SetOption = None,
    device: DeviceOption = None,
) -> None:
    """Frame- and bout-level precision, recall and F1 on full-length videos."""
    predictor = load_predictor(
        checkpoint, device=pick_device(device), overrides=_numbers(config, overrides)
    )
    training_data = open_training_data(data, actions=predictor.actions)
    if split not in {"test", "val"}:
        raise typer.BadParameter(f"--split must be test or val, got {split!r}.")
    records = training_data.test if split == "test" else training_data.val
    with ProgressView() as view:
        result = evaluate_videos(records, predictor=predictor, progress=view)
    text = evaluate_text(result)
    figures = {**result.evaluation.to_dict(), "failures": result.failures}
    write_json(output / "evaluation.json", figures, indent=1)
    write_text(output / "evaluation.md", text + "\n")
    for key, scores in result.scores.items():
        save_scores(
            output / "scores" / f"{slug(key)}.npz",
            scores,
            timestamps_seconds=result.timestamps_seconds[key],
            header={"video": key, "checkpoint_sha256": predictor.sha256},
        )
    if result.predicted:
        plot_ethograms(
            output / "ethogram.png",
            predicted=result.predicted,
            truth={record.key: record.ethogram for record in records},
            scores=result.scores,
            actions=predictor.actions,
        )
    out.print(text, markup=False)
    out.print(f"written to {output}", markup=False)
    if result.failures:
        raise typer.Exit(1)


@app.command()
def infer(
    source: Annotated[Path, typer.Argument(help="Video, folder of videos, or project.")],
    output: Annotated[Path, typer.Argument(help="Folder of the results.")],
    checkpoint: Annotated[Path, typer.Option(help="Trained model (.safetensors).")],
    config: ConfigOption = None,
    overrides: SetOption = None,
    device: DeviceOption = None,
    overlay: Annotated[bool, typer.Option(help="Also draw the bouts into the videos.")] = False,
    detect_every: Annotated[int, typer.Option(help="Frames between detections.")] = 1,
    batch_size: Annotated[int, typer.Option(help="Windows per forward pass.")] = 16,
) -> None:
    """Annotate videos: a project with predicted tags, tables, per-frame scores."""
    predictor = load_predictor(
        checkpoint, device=pick_device(device), overrides=_numbers(config, overrides)
    )
    with ProgressView() as view:
        report = run_infer(
            source,
            output,
            predictor=predictor,
            detector=BackgroundSubtraction(),
            detect_every=detect_every,
            batch_size=batch_size,
            overlay=overlay,
            progress=view,
        )
    if report.results:
        plot_ethograms(
            output / "ethogram.png",
            predicted={result.key: result.ethogram for result in report.results},
            actions=predictor.actions,
        )
    out.print(infer_text(report), markup=False)
    if report.failures:
        raise typer.Exit(1)


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--out", help="Folder of everything it makes.")] = Path(
        "demo"
    ),
    seed: Annotated[int, typer.Option(help="Drives the videos and the training.")] = 0,
    config: ConfigOption = None,
    show: Annotated[
        bool, typer.Option("--open/--no-open", help="Open its page; only when run in a terminal.")
    ] = True,
) -> None:
    """Make videos of synthetic mice, train on them, and annotate held-out ones."""
    run_demo(output, seed=seed, config=DemoConfig.from_dict(_settings(config, None)))
    if show and sys.stdout.isatty():
        typer.launch(str(output / f"seed{seed}" / "index.html"))


def _project_for(videos: Path, project: Path | None, actions: ActionSet) -> tuple[Path, int]:
    """The project to import into, and how many videos could not be taken into it."""
    if (videos / "meta.json").is_file():
        return videos, 0
    if project is None:
        raise typer.BadParameter(
            f"{videos} is a plain folder, not a project: say where to make one with --project DIR."
        )
    made = project_from_folder(videos, project, actions=actions)
    for path, cause in made.failed:
        out.print(f"left out {path}: {cause}", markup=False)
    return project, len(made.failed)


def _settings(config: Path | None, overrides: list[str] | None) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if config is not None:
        loaded = _value(str(config), config.read_text(encoding="utf-8")) or {}
        if not isinstance(loaded, dict):
            raise ValueError(f"{config}: expected NAME: VALUE lines, got {type(loaded).__name__}.")
        values.update(loaded)
    for item in overrides or []:
        name, value = _split(item)
        values[name] = _value(f"--set {name}", value)
    return values


def _value(name: str, text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(
            f"{name}: not readable as YAML ({' '.join(str(error).split())})."
        ) from None


def _numbers(config: Path | None, overrides: list[str] | None) -> Mapping[str, float]:
    values = _settings(config, overrides)
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"Setting {name} expects a number, got {value!r}.")
    return values


def _split(item: str) -> tuple[str, str]:
    name, equals, value = item.partition("=")
    if not equals:
        raise ValueError(f"--set expects NAME=VALUE, got {item!r}.")
    return name.strip(), value.strip()


if __name__ == "__main__":
    main()
