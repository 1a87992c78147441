"""The whole pipeline on synthetic mice, from labelled videos to annotated ones, with controls."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import yaml

from mouse_ar.console import ProgressView, TrainView, out
from mouse_ar.core.actions import ActionSet
from mouse_ar.core.metrics import Evaluation
from mouse_ar.core.types import Ethogram
from mouse_ar.data.config_files import load_actions
from mouse_ar.data.files import write_text
from mouse_ar.data.training_data import TrainingData, VideoRecord, open_training_data
from mouse_ar.detection.background import BackgroundSubtraction
from mouse_ar.pipelines.config import PreprocessConfig
from mouse_ar.pipelines.evaluate import EvaluatedVideos, evaluate_videos
from mouse_ar.pipelines.infer import infer
from mouse_ar.pipelines.model_facts import model_facts
from mouse_ar.pipelines.predictor import load_predictor
from mouse_ar.pipelines.preprocess import preprocess
from mouse_ar.report.demo_page import demo_page, demo_picture
from mouse_ar.report.ethogram import plot_ethograms
from mouse_ar.report.evaluation import write_evaluation
from mouse_ar.report.page.html import write_page
from mouse_ar.report.page.sections import report_sections
from mouse_ar.report.runs import evaluate_text, infer_text, preprocess_text
from mouse_ar.report.tables import markdown_table
from mouse_ar.synthetic import GROOMING, TWITCH, SyntheticConfig, motion_energy
from mouse_ar.synthetic import motion_energy_baseline as energy_baseline
from mouse_ar.synthetic.dataset import write_dataset
from mouse_ar.training.config import TrainConfig
from mouse_ar.training.run import train
from mouse_ar.video.overlay import write_overlay
from mouse_ar.video.reader import iter_frames

__all__ = ["DemoConfig", "run_demo"]

CPU = torch.device("cpu")
SHUFFLED = "shuffled_labels"


@dataclass(frozen=True)
class DemoConfig:
    """Settings of the demo; ``configs/demo.yaml`` holds the same values with comments."""

    synthetic: Mapping[str, Any] = field(
        default_factory=lambda: {
            "num_videos": 48,
            "seconds_per_video": 20.0,
            "grooming_bouts_per_minute": 8.0,
            "grooming_seconds": [1.5, 4.5],
            "twitches_per_minute": 18.0,
            "twitch_degrees": [24.0, 40.0],
        }
    )
    preprocess: Mapping[str, Any] = field(
        default_factory=lambda: {"test_videos": 8, "val_share": 0.17, "detect_every": 2}
    )
    train: Mapping[str, Any] = field(
        default_factory=lambda: {
            "model": "vit_tiny",
            "num_frames": 8,
            "sampling_rate": 1,
            "input_size": 32,
            "crop_padding": 0.25,
            "background_share": 0.4,
            "epochs": 24,
            "samples_per_epoch": 2400,
            "batch_size": 16,
            "lr": 0.032,
            "layer_decay": 1.0,
            "drop_path": 0.0,
            "warmup_epochs": 0.5,
            "ema_decay": 0.99,
            "flip": "dihedral",
            "color_jitter": 0.3,
            "reprob": 0.0,
            "mixup_prob": 0.0,
            "smoothing": 0.0,
            "val_interval": 12,
            "val_windows_interval": 0,
            "num_workers": 0,
            "cache_mb": 4096,
        }
    )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> DemoConfig:
        """Build from sections ``synthetic``, ``preprocess`` and ``train``.

        Raises:
            ValueError: on another section.
        """
        unknown = sorted(set(data) - {"synthetic", "preprocess", "train"})
        if unknown:
            raise ValueError(
                f"Unknown demo section(s) {unknown}; allowed: synthetic, preprocess, train."
            )
        return cls(**data)


def run_demo(output: Path, *, seed: int = 0, config: DemoConfig | None = None) -> dict[str, Any]:
    """Run everything and write it below ``output``.

    Args:
        output: folder; made anew for another seed, continued for the same.
        seed: of the videos, the splits and the training.
        config: settings.

    Returns:
        The figures that ``report.json`` holds.
    """
    run = _Demo(output / f"seed{seed}", seed=seed, config=config or DemoConfig())
    return run.execute()


class _Demo:
    def __init__(self, folder: Path, *, seed: int, config: DemoConfig) -> None:
        self._folder, self._seed, self._config = folder, seed, config
        self._actions: ActionSet = load_actions()
        self._seconds: dict[str, float] = {}

    def execute(self) -> dict[str, Any]:
        synthetic = SyntheticConfig(**{**self._config.synthetic, "seed": self._seed})
        self._step("Synthetic mouse videos", lambda: self._synthesise(synthetic))
        self._step("Preprocess", self._preprocess)
        data = open_training_data(self._folder / "data", actions=self._actions)
        checkpoint = self._step("Train, and a control on shuffled labels", self._train)
        result = self._step("Evaluate", lambda: self._evaluate(data, checkpoint, "evaluation"))
        self._step("Infer held-out videos", lambda: self._infer(data, checkpoint))
        self._picture(data, result)
        shuffled = self._step(
            "Control: the same model, trained on shuffled labels",
            lambda: self._evaluate(data, self._checkpoint(SHUFFLED), f"evaluation_{SHUFFLED}"),
        )
        energy = self._step("Control: a threshold on motion energy", lambda: self._energy(data))
        return self._report(result.evaluation, shuffled.evaluation, energy)

    def _step(self, title: str, work: Callable[[], Any]) -> Any:
        out.rule(title)
        start = time.monotonic()
        value = work()
        self._seconds[title] = round(time.monotonic() - start, 1)
        return value

    def _synthesise(self, config: SyntheticConfig) -> None:
        with ProgressView() as view:
            write_dataset(
                config,
                self._folder / "input",
                actions=self._actions,
                processes=os.cpu_count() or 1,
                progress=lambda done, total: view("drawing videos", done, total),
            )
        minutes = config.num_videos * config.seconds_per_video / 60
        out.print(f"{config.num_videos} labelled videos, {minutes:.1f} minutes")

    def _preprocess(self) -> None:
        settings = PreprocessConfig.from_dict({**self._config.preprocess, "seed": self._seed})
        with ProgressView() as view:
            report = preprocess(
                self._folder / "input",
                self._folder / "data",
                actions=self._actions,
                config=settings,
                detector=BackgroundSubtraction(),
                progress=view,
            )
        out.print(preprocess_text(report), markup=False)

    def _train(self) -> Path:
        """Train the model and, in a process of its own, the control; each takes one core."""
        settings = TrainConfig.from_dict({**self._config.train, "seed": self._seed})
        control_config = self._folder / f"{SHUFFLED}.yaml"
        write_text(control_config, yaml.safe_dump({**settings.to_dict(), "shuffle_labels": True}))
        command = ["train", str(self._folder / "data"), str(self._folder / f"run_{SHUFFLED}")]
        torch.set_num_threads(1)
        with (self._folder / f"{SHUFFLED}.log").open("w") as log:
            control = subprocess.Popen(
                [sys.executable, "-m", "mouse_ar.cli", *command, "--config", str(control_config)],
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            try:
                with TrainView() as view:
                    train(
                        self._folder / "data",
                        self._folder / "run",
                        config=settings,
                        actions=self._actions,
                        device=CPU,
                        emit=view,
                    )
                code = control.wait()
            finally:
                control.kill()
        if code != 0:
            raise RuntimeError(f"The control run failed, see {log.name}.")
        torch.set_num_threads(os.cpu_count() or 1)
        return self._checkpoint("")

    def _checkpoint(self, suffix: str) -> Path:
        run = f"run_{suffix}" if suffix else "run"
        return self._folder / run / "checkpoints" / "best.safetensors"

    def _evaluate(self, data: TrainingData, checkpoint: Path, name: str) -> EvaluatedVideos:
        predictor = load_predictor(checkpoint, device=CPU)
        with ProgressView() as view:
            result = evaluate_videos(data.test, predictor=predictor, progress=view)
        write_evaluation(
            self._folder / name,
            result,
            records=data.test,
            actions=self._actions,
            decoding=predictor.decoder,
        )
        sections = report_sections(
            result,
            records=data.test,
            actions=self._actions,
            model=model_facts(checkpoint, predictor),
            facts={"split": "test"},
        )
        page = self._folder / name / "evaluation.html"
        write_page(page, sections, title="Held-out videos of the demo")
        out.print(evaluate_text(result), markup=False)
        return result

    def _infer(self, data: TrainingData, checkpoint: Path) -> None:
        """As a user would: bare videos, without labels or boxes."""
        videos = self._folder / "held_out_videos"
        videos.mkdir(exist_ok=True)
        for record in data.test:
            target = videos / record.path.name
            if not target.exists():
                target.hardlink_to(record.path)
        with ProgressView() as view:
            report = infer(
                videos,
                self._folder / "predictions",
                predictor=load_predictor(checkpoint, device=CPU),
                detector=BackgroundSubtraction(),
                progress=view,
            )
            predicted = {Path(result.key).stem: result.ethogram for result in report.results}
            shown = _most_to_see(data.test)
            self._overlay(shown, predicted[shown.path.stem], view)
        out.print(infer_text(report), markup=False)

    def _overlay(self, record: VideoRecord, predicted: Ethogram, view: ProgressView) -> None:
        write_overlay(
            record.path,
            self._overlay_path(record),
            ethograms={"true": record.ethogram, "predicted": predicted},
            track=record.track,
            colors={action.name: action.color for action in self._actions.actions},
            progress=lambda done, total: view("drawing the overlay", done, total),
        )

    def _picture(self, data: TrainingData, result: EvaluatedVideos) -> None:
        """The video of the overlay and two more, with a frame."""
        shown = _most_to_see(data.test)
        records = [shown, *(record for record in data.test if record is not shown)][:3]
        chart = self._folder / "evaluation" / "ethogram_short.png"
        plot_ethograms(
            chart,
            predicted={record.key: result.predicted[record.key] for record in records},
            truth={record.key: record.ethogram for record in records},
            scores=result.scores,
            actions=self._actions,
        )
        demo_picture(
            self._folder / "demo.png",
            overlay=self._overlay_path(shown),
            predicted=result.predicted[shown.key],
            chart=chart,
        )

    def _overlay_path(self, record: VideoRecord) -> Path:
        return self._folder / "predictions" / "overlays" / f"{record.path.stem}.mp4"

    def _energy(self, data: TrainingData) -> dict[str, Any]:
        """Fitted on the val videos, as the model's decoding is, and judged on the test videos."""
        baseline = energy_baseline(
            [self._energy_of(record) for record in data.val],
            [self._energy_of(record) for record in data.test],
        )
        return {"threshold": str(baseline.fitted), "twitch_event_f1": baseline.test.f1}

    def _energy_of(self, record: VideoRecord) -> tuple[Any, Any]:
        frames = (frame_HWC for _, frame_HWC in iter_frames(record.path))
        return motion_energy(frames, record.track), record.ethogram

    def _report(
        self, model: Evaluation, shuffled: Evaluation, energy: dict[str, Any]
    ) -> dict[str, Any]:
        figures = {
            "seed": self._seed,
            "grooming_frame_f1": model.pooled[GROOMING].frames.f1,
            "grooming_bout_f1": model.pooled[GROOMING].bouts.f1,
            "twitch_event_f1": model.pooled[TWITCH].bouts.f1,
            "shuffled_grooming_frame_f1": shuffled.pooled[GROOMING].frames.f1,
            "shuffled_twitch_event_f1": shuffled.pooled[TWITCH].bouts.f1,
            "energy_twitch_event_f1": energy["twitch_event_f1"],
            "seconds": self._seconds,
            "seconds_total": round(sum(self._seconds.values()), 1),
        }
        rows = [
            ["this model", figures["grooming_frame_f1"], figures["twitch_event_f1"]],
            [
                "the same, trained on shuffled labels",
                figures["shuffled_grooming_frame_f1"],
                figures["shuffled_twitch_event_f1"],
            ],
            ["threshold on motion energy", None, figures["energy_twitch_event_f1"]],
        ]
        table = markdown_table(
            ("held-out test videos", "grooming frame F1", "twitch event F1"),
            [[str(n), *("–" if v is None else f"{v:.3f}" for v in values)] for n, *values in rows],
        )
        out.rule("Result")
        out.print(table, markup=False)
        out.print(f"{figures['seconds_total']:.0f} s in all", highlight=False)
        write_text(self._folder / "report.json", json.dumps(figures, indent=1) + "\n")
        page = demo_page(self._folder, table=table, figures=figures)
        out.print(f"Everything is in {self._folder}; start with {page}", markup=False)
        return figures


def _most_to_see(records: Sequence[VideoRecord]) -> VideoRecord:
    """The video with the most labelled bouts."""
    return max(records, key=lambda record: len(record.ethogram.bouts))
