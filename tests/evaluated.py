"""A small evaluation whose every error is known, for tests of what shows it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import tiny
from mouse_ar.core.decoding_params import DecodingParams
from mouse_ar.core.details import evaluate_details
from mouse_ar.core.metrics import VideoPair, evaluate
from mouse_ar.core.types import ActionScores, Bout, Box, ClipSpec, Ethogram, Interval, Track
from mouse_ar.data.second_labels import SecondLabels
from mouse_ar.data.training_data import VideoRecord
from mouse_ar.pipelines.evaluate import EvaluatedVideos, beside_human
from mouse_ar.pipelines.human import operating_thresholds
from mouse_ar.pipelines.model_facts import ModelFacts
from tiny import ACTIONS, FPS, GROOMING, NUM_FRAMES, SIDE, TWITCH

# One twitch is missed and one is false; one grooming is false.
FIRST, SECOND = "test/<a> & co.mp4", "test/b.mp4"
TRUE: tiny.Labels = {
    FIRST: [(GROOMING, 10, 40), (TWITCH, 60, 63)],
    SECOND: [(GROOMING, 30, 55), (TWITCH, 70, 73)],
}
PREDICTED: dict[str, tuple[tuple[str, int, int, float], ...]] = {
    FIRST: ((GROOMING, 12, 40, 0.9), (TWITCH, 20, 23, 0.4)),
    SECOND: ((GROOMING, 30, 55, 0.95), (GROOMING, 2, 14, 0.8), (TWITCH, 70, 73, 0.7)),
}
DECODING = DecodingParams.defaults(ACTIONS)


@dataclass(frozen=True, eq=False)
class Evaluated:
    result: EvaluatedVideos
    records: list[VideoRecord]
    model: ModelFacts

    @property
    def pairs(self) -> dict[str, VideoPair]:
        predicted = self.result.predicted
        return {r.key: VideoPair(predicted[r.key], r.ethogram, r.ignored) for r in self.records}


def ethogram(bouts: tuple[Bout, ...]) -> Ethogram:
    return Ethogram(NUM_FRAMES, FPS, bouts)


def scores(predicted: Ethogram) -> ActionScores:
    rng = np.random.default_rng(0)
    score_TK = rng.uniform(0.01, 0.2, (predicted.num_frames, 3)).astype(np.float32)
    for number, action in enumerate(ACTIONS.names, start=1):
        score_TK[predicted.mask(action), number] += 2
    return ActionScores(score_TK / score_TK.sum(1, keepdims=True), ACTIONS.classes, predicted.fps)


def evaluated(folder: Path, *, with_videos: bool = True) -> Evaluated:
    """Two videos (written to ``folder``, or missing there) and one that could not be scored."""
    records = []
    for number, (key, labels) in enumerate(TRUE.items()):
        path = folder / f"{number}.mp4"
        if with_videos:
            tiny.write_video(path, labels)
        box = Box(12, 8, 52, 56)
        records.append(
            VideoRecord(
                key=key,
                dataset="test",
                path=path,
                source=key,
                width=SIDE,
                height=SIDE,
                ethogram=ethogram(tiny.bouts(labels)),
                track=Track.from_boxes(NUM_FRAMES, dict.fromkeys(range(NUM_FRAMES), box)),
                ignored=(Interval(40, 45),) if number else (),
            )
        )
    predicted = {
        key: ethogram(tuple(Bout(Interval(a, b), name, sure) for name, a, b, sure in bouts))
        for key, bouts in PREDICTED.items()
    }
    by_key = {key: scores(found) for key, found in predicted.items()}
    pairs = {r.key: VideoPair(predicted[r.key], r.ethogram, r.ignored) for r in records}
    figures = evaluate(pairs, actions=ACTIONS, scores=by_key)
    result = EvaluatedVideos(
        evaluation=figures,
        predicted=predicted,
        scores=by_key,
        timestamps_seconds={FIRST: np.arange(NUM_FRAMES) / FPS},
        failures={"test/broken.mp4": "no video stream"},
        details=evaluate_details(
            pairs,
            evaluation=figures,
            actions=ACTIONS,
            scores=by_key,
            thresholds=operating_thresholds(DECODING),
        ),
    )
    return Evaluated(result, records, MODEL)


def beside_second(found: Evaluated, *, alone: bool = False) -> Evaluated:
    """The same with a second annotator of the first video, who sees no twitch."""
    second = SecondLabels(
        {FIRST: ethogram(tiny.bouts([(GROOMING, 11, 41)]))},
        ignored={},
        missing=(SECOND,),
        notes=("a note",),
    )
    result = beside_human(
        None if alone else found.result, second, found.records, source="x.csv", actions=ACTIONS
    )
    return replace(found, result=result)


MODEL = ModelFacts(
    file="best.safetensors",
    sha256="ab" * 32,
    network="vit_tiny (12 blocks, width 192)",
    spec=ClipSpec(num_frames=16, sampling_rate=2),
    training_fps=25.0,
    code_version="0.0.9",
    stored=DECODING,
    decoding=DECODING,
    metadata={
        "epoch": 4,
        "val_score": 0.8125,
        "data_fingerprint": "cd" * 32,
        "train_config": {"model": "vit_tiny", "pretrained": None, "lr": 0.003},
        "decoding_report": {
            "report": [
                {"action": GROOMING, "fitted": True, "reason": "40 bouts"}
                | {"f1_before": 0.7, "f1_after": 0.75},
                {"action": TWITCH, "fitted": False, "reason": "only 6 true bouts"}
                | {"f1_before": None, "f1_after": None},
            ]
        },
    },
)
