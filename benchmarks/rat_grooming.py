"""Learning on real video: grooming against rearing in clips of rats, every date held out in turn.

    python benchmarks/rat_grooming.py DATA OUT

DATA is laid out as its own README says. The clips go through import and preprocessing as a lab's
videos do; the network is trained from scratch on two dates and judged on the third, beside the same
network on shuffled labels and two logistic regressions. A second call continues where the first one
stopped. All figures with the score of every clip are in OUT/rat_grooming.json, the table in
OUT/rat_grooming.md.

The settings were chosen by ``--inner`` alone: trained on 6/20, judged on 6/22, and the other way
round. The date 6/23 had no part in it.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from rat_clips import ACTIONS, RatClips, clip_window, make_clips, training_project
from rat_linear import linear_scores, reference_scores
from sklearn.metrics import f1_score

from mouse_ar.data.files import write_json, write_text
from mouse_ar.data.pixels import normalise
from mouse_ar.mvd import load_checkpoint
from mouse_ar.report.tables import markdown_table
from mouse_ar.training.config import TrainConfig
from mouse_ar.training.run import train

DATES = ("date_6_20", "date_6_22", "date_6_23")
# Dates to train on and the date that is judged.
OUTER = tuple((tuple(d for d in DATES if d != held), held) for held in DATES)
INNER = ((("date_6_20",), "date_6_22"), (("date_6_22",), "date_6_20"))
SETTINGS = TrainConfig(
    model="vit_tiny",
    num_frames=16,
    sampling_rate=1,
    input_size=96,
    crop_padding=0.1,
    epochs=30,
    samples_per_epoch=256,
    batch_size=16,
    lr=0.032,
    layer_decay=1.0,
    drop_path=0.0,
    warmup_epochs=1.0,
    ema_decay=0.98,
    # No clip is spared to choose a checkpoint with: the last epoch's weights count.
    val_interval=1000,
    val_windows_interval=0,
    smoothing=0.0,
    cache_mb=4000,
)
DRAWS = 2000


@dataclass(frozen=True)
class Scored:
    """Held-out clips with a probability of grooming each: (N,)."""

    clips: RatClips
    score_N: np.ndarray

    def macro_f1(self, keep_N: np.ndarray | None = None) -> float:
        """Macro F1 of grooming and not grooming at 0.5, of all clips or those of ``keep_N``."""
        chosen = slice(None) if keep_N is None else keep_N
        return _macro_f1(self.clips.grooming_N[chosen], self.score_N[chosen])


def _macro_f1(truth_N: np.ndarray, score_N: np.ndarray) -> float:
    return float(f1_score(truth_N, score_N >= 0.5, average="macro", zero_division=0.0))


def bootstrap(scores: Sequence[Scored]) -> list[np.ndarray]:
    """Macro F1 of each model with recordings drawn anew, the same ones for all: (DRAWS,) each."""
    rng = np.random.default_rng(0)
    group_N = scores[0].clips.group_N
    members = [np.flatnonzero(group_N == group) for group in np.unique(group_N)]
    found = np.zeros((len(scores), DRAWS))
    for draw in range(DRAWS):
        chosen = np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))])
        for index, scored in enumerate(scores):
            found[index, draw] = _macro_f1(scored.clips.grooming_N[chosen], scored.score_N[chosen])
    return list(found)


def network_scores(
    source: Path, clips: RatClips, folder: Path, *, train_N: np.ndarray, config: TrainConfig
) -> tuple[np.ndarray, float]:
    """Train on some clips, or go on with it, and score all others.

    Returns:
        Probability of grooming of each clip that was not trained on, and minutes that it took.
    """
    keys = {record.key for record in clips.part(train_N).records}
    project = training_project(source, folder / "data", keep=keys.__contains__)
    start = time.perf_counter()
    result = train(
        project,
        folder / "run",
        config=config,
        actions=ACTIONS,
        device=torch.device("cpu"),
        emit=lambda event: print(_line(event), flush=True) if event["event"] == "epoch" else None,
    )
    minutes = (time.perf_counter() - start) / 60
    return clip_scores(result.checkpoint, clips.part(~train_N)), minutes


def _line(event: Mapping[str, Any]) -> str:
    return f"epoch {event['epoch']}: loss {event['loss']:.3f}"


@torch.inference_mode()
def clip_scores(checkpoint: Path, clips: RatClips) -> np.ndarray:
    """Probability of grooming in the one window of each clip: (N,)."""
    loaded = load_checkpoint(checkpoint)
    scores = []
    for record in clips.records:
        frames = torch.from_numpy(clip_window(record, spec=loaded.spec))
        logits_NK = loaded.model(normalise(frames[None]))
        scores.append(float(logits_NK.softmax(dim=1)[0, 1]))
    return np.array(scores)


def run_fold(
    data: Path,
    source: Path,
    clips: RatClips,
    folder: Path,
    *,
    train_dates: Sequence[str],
    held_out: str,
    config: TrainConfig,
) -> dict[str, Scored]:
    """Scores of the held-out date by every model; those on disk are not made again."""
    train_N = np.isin(clips.date_N, train_dates)
    test_N = clips.date_N == held_out
    used = clips.part(train_N | test_N)
    train_N = np.isin(used.date_N, train_dates)
    train, test = used.part(train_N), used.part(~train_N)
    path = folder / "scores.json"
    keys = [record.key for record in test.records]
    known = json.loads(path.read_text()) if path.is_file() else {}
    if known.get("config") != config.to_dict() or known.get("clips") != keys:
        known = {"config": config.to_dict(), "clips": keys, "minutes": {}, "scores": {}}
    scores = known["scores"]
    spec = config.clip_spec()
    scores["LR, same crops"] = linear_scores(train, test, spec=spec).tolist()
    scores["LR, boxes of the data"] = reference_scores(train, test, data=data).tolist()
    for name, shuffle in (("MVD", False), ("MVD, labels shuffled", True)):
        if name in scores:
            continue
        print(f"{held_out}: {name}", flush=True)
        found, minutes = network_scores(
            source,
            used,
            folder / ("shuffled" if shuffle else "labels"),
            train_N=train_N,
            config=replace(config, shuffle_labels=shuffle),
        )
        scores[name], known["minutes"][name] = found.tolist(), round(minutes, 1)
        write_json(path, known)
    return {name: Scored(test, np.array(values)) for name, values in sorted(scores.items())}


def pooled(folds: Sequence[dict[str, Scored]]) -> dict[str, Scored]:
    """The held-out clips of all folds together."""
    return {
        name: Scored(
            RatClips(
                tuple(r for fold in folds for r in fold[name].clips.records),
                tuple(v for fold in folds for v in fold[name].clips.videos),
            ),
            np.concatenate([fold[name].score_N for fold in folds]),
        )
        for name in folds[0]
    }


def figures(scored: Mapping[str, Scored]) -> dict[str, dict[str, Any]]:
    """Macro F1 of each model: pooled with its interval, by date and by cage."""
    draws = dict(zip(scored, bootstrap(list(scored.values())), strict=True))
    found = {}
    for name, model in scored.items():
        clips = model.clips
        ahead_D = draws["MVD"] - draws[name]
        parts = {date: clips.date_N == date for date in DATES if date in clips.date_N}
        parts |= {cage: clips.cage_N == cage for cage in np.unique(clips.cage_N)}
        found[name] = {
            "macro_f1": model.macro_f1(),
            "interval": np.percentile(draws[name], [2.5, 97.5]).tolist(),
            "mvd_ahead_by": np.percentile(ahead_D, [2.5, 97.5]).tolist(),
            **{str(part): model.macro_f1(keep_N) for part, keep_N in parts.items()},
        }
    return found


def table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """The figures as Markdown."""
    parts = [key for key in found["MVD"] if key.startswith(("date", "cage"))]
    rows = [
        [name, f"{row['macro_f1']:.3f}", _interval(row["interval"])]
        + [f"{row[part]:.3f}" for part in parts]
        + ["" if name == "MVD" else _interval(row["mvd_ahead_by"])]
        for name, row in found.items()
    ]
    return markdown_table(("model", "macro F1", "95 %", *parts, "MVD ahead by (95 %)"), rows)


def _interval(values: Sequence[float]) -> str:
    return f"{values[0]:.3f} to {values[1]:.3f}"


def main() -> None:
    """Train what is missing, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("data", type=Path, help="folder of the videos and their tables")
    parser.add_argument("out", type=Path, help="folder of everything that is made")
    parser.add_argument("--inner", action="store_true", help="the split that settings are for")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="sets")
    options = parser.parse_args()
    overrides = {k: yaml.safe_load(v) for k, _, v in (text.partition("=") for text in options.sets)}
    config = TrainConfig.from_dict(SETTINGS.to_dict() | overrides)
    source, clips = make_clips(options.data, options.out)
    folds = []
    for train_dates, held_out in INNER if options.inner else OUTER:
        folder = options.out / ("inner" if options.inner else "outer") / held_out
        folds.append(
            run_fold(
                options.data, source, clips, folder,
                train_dates=train_dates, held_out=held_out, config=config,
            )
        )  # fmt: skip
    found = figures(pooled(folds))
    name = "rat_grooming_inner" if options.inner else "rat_grooming"
    write_json(options.out / f"{name}.json", {"config": config.to_dict(), "figures": found})
    write_text(options.out / f"{name}.md", table(found) + "\n")
    print(table(found))


if __name__ == "__main__":
    main()
