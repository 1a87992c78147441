"""The MVD video transformer as a fine-tuning network."""

from __future__ import annotations

from mouse_ar.mvd.checkpoint import (
    Checkpoint,
    CheckpointInfo,
    load_checkpoint,
    read_checkpoint_info,
    save_checkpoint,
)
from mouse_ar.mvd.config import PRESETS, MVDConfig
from mouse_ar.mvd.errors import CheckpointError
from mouse_ar.mvd.model import MVD
from mouse_ar.mvd.motion_init import motion_init
from mouse_ar.mvd.pretrained import LoadReport, check_pretrained, load_pretrained
from mouse_ar.mvd.registry import register_timm

__all__ = [
    "MVD",
    "PRESETS",
    "Checkpoint",
    "CheckpointError",
    "CheckpointInfo",
    "LoadReport",
    "MVDConfig",
    "check_pretrained",
    "load_checkpoint",
    "load_pretrained",
    "motion_init",
    "read_checkpoint_info",
    "register_timm",
    "save_checkpoint",
]
