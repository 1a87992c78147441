"""Decoding and calibration fitted to a cross-validation's out-of-fold scores.

Every clip was scored by a model that has not seen its source, so all labelled bouts may be fitted
to, not only those of the few val videos. Clips are not whole videos, though. The noise floor is a
property of a whole video and is left out of the fit; how much of a video an action fills is taken
from the labels of the val videos, or there is no calibration. Test videos are not touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import yaml

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.calibration import fit_calibration
from mouse_ar.core.decoding_params import DecodingParams
from mouse_ar.core.fitting import MIN_BOUTS, ActionFit, FittedDecoding, fit_decoding
from mouse_ar.core.metrics import ignored_mask
from mouse_ar.core.platt import Calibration, Platt
from mouse_ar.core.types import ActionScores, ClipSpec
from mouse_ar.data.training_data import TrainingData, VideoRecord
from mouse_ar.pipelines.results import load_scores

__all__ = ["OutOfFold", "fit_out_of_fold", "out_of_fold_scores"]

_FLOOR = "noise_sigmas"

_HEADER = """\
# Decoding fitted in a cross-validation: to {clips} clips of {sources} source videos (or groups),
# each scored by the model that has not seen its source. It is for the option --config of
# mouse-ar infer, evaluate and decode.
# Clips are cut around actions, so false bouts are rarer on them than in whole videos. Where there
# are val videos, compare first: mouse-ar evaluate ... --split val, with and without this file.
# What is not set here keeps its value; so does the noise floor ({floor}), which belongs to
# whole videos.
"""


@dataclass(frozen=True)
class OutOfFold:
    """What was fitted to the held-out clips of all folds.

    Args:
        fitted: decoding and how each action came by it; the noise floor is the default.
        calibration: map from scores to probabilities.
        priors: share of the val videos' frames with an action, by name, where it is known.
        clips: how many were fitted to.
        sources: of how many source videos or groups.
    """

    fitted: FittedDecoding
    calibration: Calibration
    priors: Mapping[str, float]
    clips: int
    sources: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "clips": self.clips,
            "sources": self.sources,
            "decoding": self.fitted.to_dict(),
            "calibration": self.calibration.to_dict(),
            "priors": dict(self.priors),
        }

    def overrides(self) -> str:
        """The decoding as YAML for ``--config``: ``action.parameter: number``, and why."""
        blocks = [_HEADER.format(clips=self.clips, sources=self.sources, floor=_FLOOR)]
        by_action = self.fitted.params.to_dict()
        blocks += [_block(fit, by_action[fit.action]) for fit in self.fitted.report]
        return "\n".join(blocks)


def _block(fit: ActionFit, parameters: Mapping[str, Any]) -> str:
    """Lines of one action; only a comment where too few bouts say anything."""
    comment = " ".join(f"# {fit.action}: {fit.reason}".split()) + "\n"
    if fit.true_bouts < MIN_BOUTS:
        return comment.replace(": defaults: ", ": not set: ")
    values = {
        f"{fit.action}.{name}": value
        for name, value in parameters.items()
        if name not in ("kind", _FLOOR)
    }
    return comment + yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def out_of_fold_scores(output: Path) -> dict[str, ActionScores]:
    """Scores of every clip by the model that has not seen its source, by key.

    Args:
        output: folder of a cross-validation.

    Raises:
        ValueError: a file of scores cannot be read.
    """
    found = {}
    for path in sorted((output / "scores").glob("*.npz")):
        scores, _, header = load_scores(path)
        found[str(header["video"])] = scores
    return found


def fit_out_of_fold(
    data: TrainingData,
    scores: Mapping[str, ActionScores],
    *,
    spec: ClipSpec,
    actions: ActionSet,
) -> OutOfFold:
    """Fit decoding and calibration once to the held-out clips of all folds.

    Args:
        data: the clips with their labels, and the val videos.
        scores: of :func:`out_of_fold_scores`; clips that could not be scored are missing.
        spec: the model's window at the training frame rate.
        actions: classes.

    Raises:
        ValueError: scores and labels of a clip differ in length.
    """
    clips = [clip for clip in data.clips if clip.key in scores]
    known = [(scores[clip.key], clip.ethogram) for clip in clips]
    ignored = [clip.ignored for clip in clips]
    priors = _priors(data.val, actions=actions)
    defaults = DecodingParams.defaults(
        actions, spec=spec, fps=float(median(clip.fps for clip in data.clips))
    )
    fitted = fit_decoding(
        known,
        actions=actions,
        defaults=_with_floor(defaults, dict.fromkeys(actions.names, 0.0)),
        ignored=ignored,
        groups=[clip.source for clip in clips],
        fixed={_FLOOR},
    )
    floors = {name: defaults[name].noise_sigmas for name in actions.names}
    calibration = fit_calibration(known, actions=actions, ignored=ignored, priors=priors)
    return OutOfFold(
        fitted=replace(fitted, params=_with_floor(fitted.params, floors)),
        calibration=_where_known(calibration, priors, with_val=bool(data.val)),
        priors=priors,
        clips=len(clips),
        sources=len({clip.source for clip in clips}),
    )


def _with_floor(params: DecodingParams, sigmas: Mapping[str, float]) -> DecodingParams:
    return params.with_overrides({f"{name}.{_FLOOR}": value for name, value in sigmas.items()})


def _priors(videos: Sequence[VideoRecord], *, actions: ActionSet) -> dict[str, float]:
    """Share of the judged frames of whole videos with each action, where it tells anything."""
    seen = [~ignored_mask(video.ignored, num_frames=video.num_frames) for video in videos]
    total = sum(int(seen_T.sum()) for seen_T in seen)
    found = {}
    for name in actions.names:
        pairs = zip(videos, seen, strict=True)
        frames = sum(int((video.ethogram.mask(name) & seen_T).sum()) for video, seen_T in pairs)
        if 0 < frames < total:
            found[name] = frames / total
    return found


def _where_known(
    calibration: Calibration, priors: Mapping[str, float], *, with_val: bool
) -> Calibration:
    """Without the maps of actions whose share of a whole video is not known."""
    cause = "no val video tells" if with_val else "there are no val videos that would tell"
    unknown = Platt(reason=f"the score as it is: {cause} how much of a whole video it fills")
    return Calibration(
        {
            name: found if found.is_identity or name in priors else unknown
            for name, found in calibration.by_action.items()
        }
    )
