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
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from rat_clips import ACTIONS
from real_data import GROOMING
from window_scores import WindowScores, demo_videos, labelled_videos, steps

from mouse_ar.core.actions import ActionKind, ActionSet
from mouse_ar.core.aggregation import ScoreAccumulator
from mouse_ar.core.decoding import DecodingParams, StateDecoding, decode
from mouse_ar.core.details import ActionDetails, evaluate_details
from mouse_ar.core.metrics import VideoPair, evaluate
from mouse_ar.core.text import markdown_table
from mouse_ar.core.types import Bout, Ethogram, Interval, merge_intervals
from mouse_ar.core.windows import action_masks, class_targets

__all__ = ["earlier_way", "our_way", "table"]

DEFAULTS = DecodingParams.defaults(ACTIONS)
# What the defaults do against noise costs short bouts and short breaks.
PLAIN = DecodingParams(
    {GROOMING: StateDecoding(smooth_seconds=0, max_gap_seconds=0, min_bout_seconds=0)}
)
NOISES = (2.0, 4.0)  # standard deviation of the log-odds
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
