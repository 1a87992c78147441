"""Settings of a training run; names follow MVD where users know them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mouse_ar.core.settings import build_settings
from mouse_ar.core.types import ClipSpec
from mouse_ar.mvd import PRESETS

__all__ = ["TrainConfig", "start_settings"]

FLIPS = ("none", "horizontal", "dihedral")
AMP = ("auto", "bf16", "fp16", "fp32")
_NOT_NEGATIVE = (
    "samples_per_epoch",
    "num_workers",
    "cache_mb",
    "warmup_epochs",
    "min_lr",
    "mixup",
    "cutmix",
    "gamma_jitter",
    "logit_adjustment",
    "focal_gamma",
    "val_windows_interval",
    "early_stop",
    "save_minutes",
)
_BELOW_ONE = (
    "drop_path",
    "ema_decay",
    "background_share",
    "smoothing",
    "jitter",
    "color_jitter",
    "saturation_jitter",
    "temporal_jitter",
)


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides the result of a training run.

    Args:
        model: preset of the MVD transformer (``vit_tiny``, ``vit_small``, ``vit_base``, …).
        num_frames: frames per window.
        sampling_rate: step between them in frames of the training videos.
        input_size: side of the square model input in pixels.
        crop_padding: padding around the mouse, share of the larger side of its box.
        epochs: passes over ``samples_per_epoch`` windows.
        samples_per_epoch: windows per epoch; 0 = four per clip.
        batch_size: windows per step; below 6 the gradient is noisy, use ``update_freq``.
        update_freq: steps whose gradients are accumulated.
        lr: learning rate for a total batch of 256; scaled linearly to the real one.
        min_lr: share of ``lr`` at the end of the cosine.
        warmup_epochs: linear warm-up.
        weight_decay: AdamW weight decay; norms, biases and embeddings have none.
        layer_decay: factor per layer from the head down; 1 = same rate everywhere (from scratch).
        drop_path: stochastic depth rate.
        ema_decay: decay of the averaged weights that are evaluated; 0 = none.
        clip_grad: gradient norm limit.
        background_share: share of idle windows in an epoch.
        flip: ``none``, ``horizontal``, or ``dihedral``: also vertical flips and quarter turns,
            for cameras from above or below.
        jitter: random shift and scale of the crop, share of its side; the mouse's boxes stay
            inside.
        color_jitter: random brightness and contrast, each by up to this share.
        motion_init: from scratch, start with filters that respond to motion.
        pretrained: path of public MVD weights or of an own checkpoint; None = from scratch.
        betas: AdamW's two decay rates, as text like ``0.9, 0.999``.
        smoothing: label smoothing: share of the target spread over all classes.
        mixup_prob: share of windows that are mixed in pairs (mixup or cutmix); 0 = none.
        mixup: alpha of mixup's Beta distribution; 0 = only cutmix.
        cutmix: alpha of cutmix's Beta distribution; 0 = only mixup.
        reprob: share of windows of which a rectangle (2-20 % of the picture) is erased in all
            frames.
        gamma_jitter: random gamma, exponent from ``1 / (1 + x)`` to ``1 + x``.
        saturation_jitter: random saturation, share; no effect on grey (infrared) video.
        temporal_jitter: random change of the step between frames, share; 0 = none. Steps stay
            whole, so 0.25 has an effect from ``sampling_rate`` 4 on.
        logit_adjustment: strength (tau) of the class-prior adjustment of the loss; 0 = none.
        focal_gamma: exponent of the focal loss; 0 = plain cross-entropy.
        hard_negatives: share of the idle windows that is drawn from those the model confused most
            in the round before, where there are more idle frames than the balance needs.
        amp: precision on the accelerator: ``auto`` (bf16 where it is native, else fp16; fp32 on
            CPU), ``bf16``, ``fp16`` or ``fp32``.
        grad_checkpointing: recompute activations in the backward pass: less memory, a third slower.
        compile: compile the model with ``torch.compile``: minutes at the start, faster steps.
        val_windows_interval: epochs between cheap validations on windows only; 0 = none.
        early_stop: validations without improvement after which the run ends; 0 = never.
        save_minutes: minutes between states to resume from within an epoch; 0 = each epoch only.
        val_interval: epochs between validations; the last epoch is always validated.
        num_workers: threads that load ahead; 0 loads when a batch is asked for. The result does
            not depend on it.
        cache_mb: decoded clips kept in memory per training process; those that do not fit are
            decoded for each window, with the same result.
        shuffle_labels: permute the targets among the windows of each epoch: a control that must
            fail on real labels' task.
        seed: drives sampling, augmentation and initial weights.
    """

    model: str = "vit_small"
    num_frames: int = 16
    sampling_rate: int = 2
    input_size: int = 224
    crop_padding: float = 0.1
    epochs: int = 30
    samples_per_epoch: int = 0
    batch_size: int = 8
    update_freq: int = 1
    lr: float = 5e-4
    min_lr: float = 0.01
    warmup_epochs: float = 2.0
    weight_decay: float = 0.05
    layer_decay: float = 0.75
    drop_path: float = 0.1
    ema_decay: float = 0.0
    clip_grad: float = 1.0
    background_share: float = 0.5
    flip: str = "horizontal"
    jitter: float = 0.1
    color_jitter: float = 0.2
    motion_init: bool = True
    pretrained: str | None = None
    betas: str = "0.9, 0.999"
    smoothing: float = 0.1
    mixup_prob: float = 0.1
    mixup: float = 0.2
    cutmix: float = 0.0
    reprob: float = 0.1
    gamma_jitter: float = 0.2
    saturation_jitter: float = 0.2
    temporal_jitter: float = 0.25
    logit_adjustment: float = 0.0
    focal_gamma: float = 0.0
    hard_negatives: float = 0.25
    amp: str = "auto"
    grad_checkpointing: bool = False
    compile: bool = False
    val_windows_interval: int = 1
    early_stop: int = 0
    save_minutes: float = 10.0
    val_interval: int = 5
    num_workers: int = 4
    cache_mb: int = 4096
    shuffle_labels: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.model not in PRESETS:
            raise ValueError(f"Unknown model {self.model!r}; allowed: {', '.join(PRESETS)}.")
        for name in ("epochs", "batch_size", "update_freq", "val_interval"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}.")
        for name in ("lr", "layer_decay", "clip_grad"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}.")
        for name in _BELOW_ONE:
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(f"{name} must be within [0, 1), got {getattr(self, name)}.")
        for name in ("mixup_prob", "reprob", "hard_negatives"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must be within [0, 1], got {getattr(self, name)}.")
        for name in _NOT_NEGATIVE:
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}.")
        for name, allowed in (("flip", FLIPS), ("amp", AMP)):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}."
                )
        if self.mixup_prob and not self.mixup and not self.cutmix:
            raise ValueError("mixup_prob needs mixup or cutmix above 0: both are 0.")
        _ = self.adam_betas
        self._check_fits_model()
        self.clip_spec()

    def _check_fits_model(self) -> None:
        preset = PRESETS[self.model]
        for name, unit in (
            ("input_size", preset.patch_size),
            ("num_frames", preset.tubelet_size),
        ):
            value = getattr(self, name)
            if value < 1 or value % unit:
                below = max(unit, value // unit * unit)
                raise ValueError(
                    f"{name} must be a multiple of {unit} for {self.model}, got {value}: use "
                    f"{below} or {below + unit}."
                )

    @property
    def adam_betas(self) -> tuple[float, float]:
        """``betas`` as numbers."""
        try:
            first, second = (float(part) for part in self.betas.split(","))
        except ValueError:
            first = second = -1.0
        if not (0 <= first < 1 and 0 <= second < 1):
            raise ValueError(
                f"betas are two numbers within [0, 1), like '0.9, 0.999', got {self.betas!r}."
            )
        return first, second

    def clip_spec(self) -> ClipSpec:
        """The ClipSpec that the checkpoint carries."""
        return ClipSpec(
            num_frames=self.num_frames,
            sampling_rate=self.sampling_rate,
            input_size=self.input_size,
            crop_padding=self.crop_padding,
        )

    @property
    def total_batch(self) -> int:
        """Windows per optimiser step of one process."""
        return self.batch_size * self.update_freq

    def to_dict(self) -> dict[str, Any]:
        """Plain values for YAML and checkpoints."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TrainConfig:
        """Build from overrides of the defaults.

        Raises:
            ValueError: on an unknown name, with the allowed ones, or a value of the wrong type.
        """
        return build_settings(cls, data, what="training")


def start_settings(*, model: str, scratch: bool) -> dict[str, Any]:
    """Settings that suit what a training starts from, where nobody has a better idea.

    Pre-trained lower layers need smaller steps than the head; without them every layer has
    everything to learn, and at a higher rate.

    Args:
        model: preset.
        scratch: whether it starts without weights.
    """
    settings: dict[str, Any] = (
        {"layer_decay": 1.0, "lr": 0.01} if scratch else {"layer_decay": 0.75, "lr": 5e-4}
    )
    preset = PRESETS[model]
    return settings | {"input_size": preset.image_size, "num_frames": preset.num_frames}
