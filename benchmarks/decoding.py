"""The same window scores as bouts, decoded the earlier app's way and ours.

    python benchmarks/decoding.py DATA
    python benchmarks/decoding.py --demo demo/seed0 demo/seed1

DATA is laid out as its own README says. Its labels are real, the scores are made of them: those of
a window classifier that is always right (the target that windows are trained on), and of one whose
log-odds carry noise. ``--demo`` takes finished folders of ``mouse-ar demo``: the scores are those
of its model on its test videos.

The earlier app joined the windows whose likeliest class is the action, where they touch. Both ways
get the same scores of the same windows, those over the video's edges included, which the earlier
app left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rat_clips import ACTIONS
from real_data import GROOMING, LABELS, NATURAL, TIMELINE, Video, read_videos
from scipy import ndimage, special

from mouse_ar.core.actions import ActionKind, ActionSet
from mouse_ar.core.aggregation import ScoreAccumulator
from mouse_ar.core.decoding import DecodingParams, StateDecoding, decode
from mouse_ar.core.details import ActionDetails, evaluate_details
from mouse_ar.core.metrics import VideoPair, evaluate
from mouse_ar.core.text import markdown_table
from mouse_ar.core.types import Bout, ClipSpec, Ethogram, Interval, Window, merge_intervals
from mouse_ar.core.windows import action_masks, central_half, class_targets, plan_windows
from mouse_ar.data.pixels import normalise
from mouse_ar.data.stream import iter_groups
from mouse_ar.data.training_data import VideoRecord, open_training_data
from mouse_ar.pipelines.precision import autocast
from mouse_ar.pipelines.predictor import Predictor, load_predictor
from mouse_ar.pipelines.scoring import default_stride
from mouse_ar.video.probe import probe

__all__ = ["WindowScores", "demo_videos", "earlier_way", "labelled_videos", "our_way", "table"]

# Three cameras saw the same bouts: one of them counts.
_SAME_BOUTS = ("mouse_cylinder/camU_31500.mp4", "mouse_cylinder/camL_31500.mp4")
REAL = [TIMELINE, *(file for file in NATURAL if file not in _SAME_BOUTS)]
DEFAULTS = DecodingParams.defaults(ACTIONS)
# What the defaults do against noise costs short bouts and short breaks.
PLAIN = DecodingParams(
    {GROOMING: StateDecoding(smooth_seconds=0, max_gap_seconds=0, min_bout_seconds=0)}
)
NOISES = (2.0, 4.0)  # standard deviation of the log-odds
DRAWS = 20  # of the noise, for every video
LIKELIEST = 0.98  # even the classifier that is about to get noise is never surer
BATCH_SIZE = 16
IOUS = (0.1, 0.3, 0.5)
COLUMNS = (
    "scores",
    "action (true bouts)",
    "step",
    *(f"F1, IoU {iou}" for iou in IOUS),
    "F1, centres within 0.25 s",
    "count error",
    "duration error, s",
)

Scorer = Callable[[Sequence[Window]], np.ndarray]
"""Probabilities (N, K) of some windows, background first."""


@dataclass(frozen=True, eq=False)
class WindowScores:
    """A labelled video with the scores of its windows.

    Args:
        truth: its labels.
        ignored: frames that are not scored.
        spec: of the windows.
        classes: of the scores.
        by_start: probabilities (K,) of each window by its first frame.
    """

    truth: Ethogram
    ignored: tuple[Interval, ...]
    spec: ClipSpec
    classes: tuple[str, ...]
    by_start: Mapping[int, np.ndarray]

    @classmethod
    def of(
        cls,
        truth: Ethogram,
        *,
        ignored: tuple[Interval, ...],
        spec: ClipSpec,
        classes: tuple[str, ...],
        scorer: Scorer,
    ) -> WindowScores:
        """Score the windows of all :func:`steps` once."""
        windows = {
            window.interval.start: window
            for step in steps(spec)
            for window in plan_windows(truth.num_frames, spec=spec, stride_frames=step)
        }
        starts = sorted(windows)
        scores_NK = scorer([windows[start] for start in starts])
        return cls(truth, ignored, spec, classes, dict(zip(starts, scores_NK, strict=True)))

    def at(self, step: int) -> tuple[list[Window], np.ndarray]:
        """The windows at a step, and their probabilities (N, K)."""
        windows = plan_windows(self.truth.num_frames, spec=self.spec, stride_frames=step)
        return windows, np.stack([self.by_start[window.interval.start] for window in windows])


def steps(spec: ClipSpec) -> tuple[int, int]:
    """The earlier app's step, half a window, and our default."""
    return spec.window_frames // 2, default_stride(spec)


def earlier_way(video: WindowScores, *, step: int) -> Ethogram:
    """Union of the windows whose likeliest class is the action, merged where they touch.

    The earlier app took the frame after a window's last for its end: 33 frames for 16 x 2.
    """
    windows, scores_NK = video.at(step)
    whole = Interval(0, video.truth.num_frames)
    winner_N = scores_NK.argmax(axis=1)
    bouts = []
    for index, action in enumerate(video.classes[1:], start=1):
        found = (
            Interval(window.interval.start, window.interval.stop + 1).clip(whole)
            for window, winner in zip(windows, winner_N, strict=True)
            if winner == index
        )
        merged = merge_intervals(part for part in found if part is not None)
        bouts += [Bout(interval, action) for interval in merged]
    return Ethogram(whole.stop, video.truth.fps, tuple(bouts))


def our_way(
    video: WindowScores, *, step: int, actions: ActionSet, decoding: DecodingParams
) -> Ethogram:
    """Per-frame scores, decoded per action."""
    windows, scores_NK = video.at(step)
    scores = ScoreAccumulator(video.truth.num_frames, classes=video.classes, fps=video.truth.fps)
    scores.add(windows, scores_NK)
    return decode(scores.result(), actions=actions, params=decoding)


def table(
    videos: Mapping[str, WindowScores], *, name: str, actions: ActionSet, decoding: DecodingParams
) -> list[list[str]]:
    """Rows of :data:`COLUMNS`: each action at each step, cells "earlier / ours"."""
    rows = []
    (spec,) = {video.spec for video in videos.values()}
    for action in actions.actions:
        for step in steps(spec):
            earlier = {key: earlier_way(video, step=step) for key, video in videos.items()}
            ours = {
                key: our_way(video, step=step, actions=actions, decoding=decoding)
                for key, video in videos.items()
            }
            figures = [
                _figures(videos, found, actions=actions, action=action.name)
                for found in (earlier, ours)
            ]
            true = sum(len(video.truth.of(action.name)) for video in videos.values())
            cells = [" / ".join(pair) for pair in zip(*figures, strict=True)]
            rows.append([name, f"{action.name} ({true})", str(step), *cells])
    return rows


def _figures(
    videos: Mapping[str, WindowScores],
    found: Mapping[str, Ethogram],
    *,
    actions: ActionSet,
    action: str,
) -> list[str]:
    pairs = {key: VideoPair(found[key], v.truth, v.ignored) for key, v in videos.items()}
    evaluation = evaluate(pairs, actions=actions)
    details: ActionDetails = evaluate_details(
        pairs, evaluation=evaluation, actions=actions
    ).actions[action]
    at_iou = [details.bouts.counts[details.bouts.ious.index(iou)].f1 for iou in IOUS]
    is_point = actions[action].kind is ActionKind.POINT
    return [
        *(_number(f1, digits=3) for f1 in at_iou),
        _number(evaluation.pooled[action].bouts.f1 if is_point else None, digits=3),
        _number(details.count.mean_absolute_error, digits=2),
        _number(details.duration.mean_absolute_error, digits=2),
    ]


def _number(value: float | None, *, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def labelled_videos(data: Path, *, noise: float) -> dict[str, WindowScores]:
    """Videos of the data, their scores made of their labels.

    Args:
        data: folder of the videos and their tables.
        noise: standard deviation of the noise in the log-odds; 0 for a classifier that is right.
    """
    videos = read_videos(data)
    found = {}
    for number, file in enumerate(REAL):
        meta = probe(data / file)
        truth, ignored = _labels(videos[file], num_frames=meta.num_frames, fps=meta.fps)
        for draw in range(DRAWS if noise else 1):
            rng = np.random.default_rng([number, draw])
            found[f"{file}#{draw}"] = WindowScores.of(
                truth,
                ignored=ignored,
                spec=ClipSpec(),
                classes=ACTIONS.classes,
                scorer=label_scorer(truth, noise=noise, rng=rng),
            )
    return found


def _labels(video: Video, *, num_frames: int, fps: float) -> tuple[Ethogram, tuple[Interval, ...]]:
    """The grooming bouts, and the frames of which nobody knows what they show."""
    known_T = np.zeros(num_frames, dtype=bool)
    bouts = []
    for frames, name in video.labels:
        if name in LABELS:
            known_T[frames.start : frames.stop] = True
        if name == GROOMING:
            bouts.append(Bout(frames, GROOMING))
    first, count = ndimage.label(~known_T)
    unknown = (parts[0] for parts in ndimage.find_objects(first, max_label=count))
    ignored = tuple(Interval(part.start, part.stop) for part in unknown)
    return Ethogram(num_frames, fps, tuple(bouts)), ignored


def label_scorer(truth: Ethogram, *, noise: float, rng: np.random.Generator) -> Scorer:
    """Probabilities of grooming as a window classifier would give them that knows the labels.

    Noise is drawn per frame and averaged over the central half of a window, so windows that share
    frames share their errors, as those of a network do.
    """
    masks_TK = action_masks(truth, actions=ACTIONS)
    half = central_half(Interval(0, ClipSpec().window_frames)).length
    white_F = rng.normal(size=truth.num_frames + 4 * half)
    smooth_F = ndimage.uniform_filter1d(white_F, size=half) * np.sqrt(half)

    def score(windows: Sequence[Window]) -> np.ndarray:
        grooming_N = np.array([class_targets(window, masks_TK)[1] for window in windows])
        if noise:
            middles_N = [int(window.interval.center) + 2 * half for window in windows]
            odds_N = special.logit(np.clip(grooming_N, 1 - LIKELIEST, LIKELIEST))
            grooming_N = special.expit(odds_N + noise * smooth_F[middles_N])
        return np.stack([1 - grooming_N, grooming_N], axis=1)

    return score


def demo_videos(folder: Path) -> tuple[dict[str, WindowScores], Predictor]:
    """Test videos of a finished demo, scored by its model."""
    predictor = load_predictor(
        folder / "run" / "checkpoints" / "best.safetensors", device=torch.device("cpu")
    )
    records = open_training_data(folder / "data", actions=predictor.actions).test
    return {record.key: scored_record(record, predictor=predictor) for record in records}, predictor


def scored_record(record: VideoRecord, *, predictor: Predictor) -> WindowScores:
    """A video with what the model says of its windows."""
    meta = probe(record.path)
    spec = predictor.spec_for(meta)

    @torch.inference_mode()
    def score(windows: Sequence[Window]) -> np.ndarray:
        rows = {window.interval.start: row for row, window in enumerate(windows)}
        scores_NK = np.zeros((len(windows), len(predictor.actions.classes)), dtype=np.float32)
        scores_NK[:, 0] = 1.0  # windows without the mouse stay background
        groups = {n: windows[n : n + BATCH_SIZE] for n in range(0, len(windows), BATCH_SIZE)}
        for group in iter_groups(
            record.path,
            groups=groups,
            track=record.track,
            spec=spec,
            meta=meta,
            skip_empty=bool(record.track.present_T.any()),
        ):
            if group.windows:
                with autocast(predictor.precision, device=predictor.device):
                    logits_NK = predictor.model(normalise(torch.from_numpy(group.pixels)))
                chosen = [rows[window.interval.start] for window in group.windows]
                scores_NK[chosen] = logits_NK.float().softmax(dim=1).numpy()
        return scores_NK

    return WindowScores.of(
        record.ethogram,
        ignored=record.ignored,
        spec=spec,
        classes=predictor.actions.classes,
        scorer=score,
    )


def real_rows(data: Path) -> Iterable[list[str]]:
    """The real labels with every kind of scores."""
    for noise in (0.0, *NOISES):
        videos = labelled_videos(data, noise=noise)
        wrong = 100 * _share_wrong(videos.values())
        name = f"noise {noise:g}, {wrong:.0f} % wrong" if noise else "perfect"
        for words, decoding in (("", DEFAULTS), ("; ours plain", PLAIN)):
            yield from table(videos, name=name + words, actions=ACTIONS, decoding=decoding)


def _share_wrong(videos: Iterable[WindowScores]) -> float:
    """Share of the windows at our step whose likeliest class covers less of the central half."""
    wrong = []
    for video in videos:
        masks_TK = action_masks(video.truth, actions=ACTIONS)
        windows, scores_NK = video.at(steps(video.spec)[1])
        targets_NK = np.stack([class_targets(window, masks_TK) for window in windows])
        wrong.append(scores_NK.argmax(axis=1) != targets_NK.argmax(axis=1))
    return float(np.concatenate(wrong).mean())


def demo_rows(folders: Iterable[Path]) -> Iterable[list[str]]:
    """Finished demos, decoded with what was fitted on their validation videos."""
    for folder in folders:
        videos, predictor = demo_videos(folder)
        yield from table(
            videos, name=folder.name, actions=predictor.actions, decoding=predictor.decoding
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("data", type=Path, nargs="?", help="folder of the videos and their tables")
    parser.add_argument("--demo", type=Path, nargs="+", default=[], help="finished demos")
    options = parser.parse_args()
    if options.data is None and not options.demo:
        parser.error("nothing to decode: give DATA, or --demo with folders of finished demos.")
    rows = [*(real_rows(options.data) if options.data else ()), *demo_rows(options.demo)]
    print('Cells: "earlier / ours".\n')
    print(markdown_table(COLUMNS, rows))


if __name__ == "__main__":
    main()
