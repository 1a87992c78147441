"""What the Train app's form asks for, and what it says on each setting.

The defaults are those of :class:`~mouse_ar.training.config.TrainConfig`, which also says what
cannot be; limits here only keep the arrows where values make sense. Titles carry a setting's name
in the text where it could not be guessed, for messages speak of that name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["FIRST", "MORE", "Choice", "Number", "Setting", "Toggle"]


@dataclass(frozen=True)
class Setting:
    """A setting of the form.

    Args:
        title: what it is.
        help: what it does, in which unit, and what it costs.
    """

    title: str
    help: str


@dataclass(frozen=True)
class Number(Setting):
    """A number.

    Args:
        title: what it is.
        help: what it does, in which unit, and what it costs.
        step: of the arrows.
        least: lowest value.
        most: highest value; None = no limit.
        digits: decimals.
    """

    step: float = 1
    least: float = 1
    most: float | None = None
    digits: int = 0


@dataclass(frozen=True)
class Choice(Setting):
    """One of several values.

    Args:
        title: what it is.
        help: what it does, in which unit, and what it costs.
        options: what the page calls each value.
    """

    options: Mapping[str, str]


@dataclass(frozen=True)
class Toggle(Setting):
    """On or off."""


def _share(title: str, help: str) -> Number:
    return Number(title, help, step=0.05, least=0, most=1, digits=2)


def _count(title: str, help: str, *, step: int = 1) -> Number:
    return Number(title, help, step=step, least=0)


def _real(title: str, help: str, *, step: float, digits: int = 2) -> Number:
    return Number(title, help, step=step, least=0, digits=digits)


FIRST: Mapping[str, Setting] = {
    "epochs": Number(
        "Epochs",
        "Passes over the clips. More take longer in proportion; the best checkpoint is kept, so "
        "too many do no harm.",
    ),
    "batch_size": Number(
        "Batch size",
        "Windows per step. It decides how much GPU memory is needed; lower it if memory is short.",
    ),
    "lr": Number(
        "Learning rate",
        "For a total batch of 256 windows; scaled to the real one. Lower it if the loss jumps, "
        "raise it if the loss hardly falls.",
        step=0.0001, least=0.00001, digits=5,
    ),
    "num_frames": Number(
        "Frames per window", "How many frames the model sees at a time.", step=2, least=2
    ),
    "sampling_rate": Number(
        "Sampling rate",
        "Step between these frames, in frames of the video. 1 shows twitches of a few frames "
        "best; a larger step shows more time.",
    ),
    "input_size": Number(
        "Picture size (pixels)",
        "Side of the square that the crop around the mouse is scaled to. Smaller is faster and "
        "shows less.",
        step=16, least=16,
    ),
    "seed": _count(
        "Random seed",
        "The same seed, data and settings give the same model on the same computer.",
    ),
}  # fmt: skip

_SCHEDULE: Mapping[str, Setting] = {
    "update_freq": Number(
        "Batches per step (update_freq)",
        "Adds up the gradients of so many batches before a step: works like a larger batch and "
        "needs no more memory.",
    ),
    "warmup_epochs": _real(
        "Warm-up epochs",
        "The learning rate rises over so many epochs and falls over the others.",
        step=0.5, digits=1,
    ),
    "layer_decay": _real(
        "Layer decay",
        "Each layer learns at this share of the rate of the one above it; 1 when training from "
        "scratch.",
        step=0.05,
    ),
    "drop_path": _share(
        "Drop path",
        "Leaves out parts of the network by chance, the last layers at this rate: more for "
        "larger models and few bouts; free.",
    ),
    "ema_decay": Number(
        "Averaging of weights (ema_decay)",
        "At, say, 0.999 averaged weights are validated and kept: steadier scores, late by some "
        "hundred steps; takes the memory of a copy of the weights. 0 for off.",
        step=0.001, least=0, most=1, digits=4,
    ),
    "smoothing": _share(
        "Label smoothing",
        "0.1, as in MVD, makes scores less extreme, for labels that are rough at the edges; free.",
    ),
    "weight_decay": _real(
        "Weight decay",
        "Pulls weights towards zero, except norms, biases and embeddings; free.",
        step=0.01, digits=3,
    ),
    "clip_grad": _real(
        "Gradient limit (clip_grad)",
        "Longer gradients are cut to this length, so that an odd batch does little harm; free.",
        step=0.5,
    ),
}  # fmt: skip

_RARE: Mapping[str, Setting] = {
    "background_share": _share(
        "Idle windows (background_share)",
        "Their share in an epoch. Less finds more bouts and raises more false alarms, more the "
        "other way round; free.",
    ),
    "hard_negatives": _share(
        "Hard negatives",
        "Share of the idle windows that the model was most wrong about, where preprocessing left "
        "idle clips to spare; a round costs about a third of an epoch. 0 where bouts may be "
        "unlabelled.",
    ),
    "logit_adjustment": _real(
        "Logit adjustment",
        "1 corrects the loss for rare classes: finds more of them, with more false alarms; free.",
        step=0.25,
    ),
    "focal_gamma": _real(
        "Focal loss (focal_gamma)",
        "2 turns to the windows that are still wrong, and makes wrong labels count more; free.",
        step=0.5,
    ),
}  # fmt: skip

_CHANGES: Mapping[str, Setting] = {
    "flip": Choice(
        "Flips",
        "All eight poses are for cameras straight from above or below; free.",
        {
            "none": "None",
            "horizontal": "Left and right (horizontal)",
            "dihedral": "All eight poses (dihedral)",
        },
    ),
    "jitter": _share(
        "Shift and scale (jitter)",
        "Share of the crop's side: makes up for boxes that sit badly, and never cuts the mouse; "
        "free.",
    ),
    "color_jitter": _share(
        "Brightness and contrast (color_jitter)",
        "Each up to this share: other lamps and exposures; costs a little time on the GPU.",
    ),
    "gamma_jitter": _real(
        "Shadows (gamma_jitter)",
        "Infrared and dark cages show more or less in the shadows; costs a little time on the GPU.",
        step=0.05,
    ),
    "saturation_jitter": _share(
        "Colours (saturation_jitter)",
        "Keeps colour video from being told by its bedding; nothing to grey (infrared) video; "
        "costs a little time on the GPU.",
    ),
    "temporal_jitter": _share(
        "Speed (temporal_jitter)",
        "Share by which the step between frames changes: faster and slower mice; at 0.25 from "
        "sampling rate 4 on; free.",
    ),
    "reprob": _share(
        "Random erasing (reprob)",
        "Share of windows with a rectangle blanked: bars and drinking spouts; more would hide "
        "heads; free.",
    ),
    "mixup_prob": _share(
        "Mixed windows (mixup_prob)",
        "Share of windows mixed with another one: steadies long trainings on few clips, and thins "
        "out twitches: 0 where they matter most; free.",
    ),
    "mixup": _real(
        "Blending (mixup)",
        "How mixed windows are blended: 0.2 mostly adds a faint second window, 0.8 often blends "
        "halves. 0 for never.",
        step=0.1,
    ),
    "cutmix": _real(
        "Swapped rectangles (cutmix)",
        "Mixed windows swap a rectangle instead, which is often the head. 0 for never.",
        step=0.1,
    ),
}  # fmt: skip

_VALIDATION: Mapping[str, Setting] = {
    "val_interval": Number(
        "Epochs between validations (val_interval)",
        "On whole videos, which takes time: they choose the best checkpoint.",
    ),
    "val_windows_interval": _count(
        "Epochs between quick validations (val_windows_interval)",
        "On 256 windows, for the chart only. 0 for none.",
    ),
    "early_stop": _count(
        "Early stop",
        "Ends the run after so many validations without a better one, to save time. 0 for never.",
    ),
}  # fmt: skip

_HARDWARE: Mapping[str, Setting] = {
    "amp": Choice(
        "Precision (amp)",
        "Half precision is faster and takes less memory on a GPU; the CPU stays at full precision.",
        {
            "auto": "What the GPU does best (auto)",
            "bf16": "bf16",
            "fp16": "fp16",
            "fp32": "Full (fp32)",
        },
    ),
    "grad_checkpointing": Toggle(
        "Checkpointing (grad_checkpointing)", "Less memory, about a third slower, the same result."
    ),
    "compile": Toggle(
        "Compile the model", "Minutes at the start, faster steps after: for runs of hours."
    ),
    "num_workers": _count(
        "Loading threads (num_workers)",
        "About one per core that is free; raise it if the chart shows time spent waiting for data.",
    ),
    "cache_mb": _count(
        "Memory for clips (cache_mb)",
        "MB per GPU that hold decoded clips; those that do not fit are decoded for each of their "
        "windows, which is slower and changes nothing else.",
        step=1024,
    ),
}  # fmt: skip

MORE: Mapping[str, Mapping[str, Setting]] = {
    "Schedule and regularisation": _SCHEDULE,
    "Rare actions": _RARE,
    "Random changes": _CHANGES,
    "Validation": _VALIDATION,
    "Hardware": _HARDWARE,
}
