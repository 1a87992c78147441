"""Small labelled mouse videos, drawn: for the demo, for tests and for trying things out."""

from __future__ import annotations

from mouse_ar.synthetic.baseline import (
    EnergyBaseline,
    EnergyThreshold,
    fit_energy_threshold,
    motion_energy,
    motion_energy_baseline,
)
from mouse_ar.synthetic.config import GROOMING, TWITCH, SyntheticConfig
from mouse_ar.synthetic.dataset import write_dataset, write_video
from mouse_ar.synthetic.disturbance import DISTURBANCES
from mouse_ar.synthetic.generate import SyntheticVideo, make_video

__all__ = [
    "DISTURBANCES",
    "GROOMING",
    "TWITCH",
    "EnergyBaseline",
    "EnergyThreshold",
    "SyntheticConfig",
    "SyntheticVideo",
    "fit_energy_threshold",
    "make_video",
    "motion_energy",
    "motion_energy_baseline",
    "write_dataset",
    "write_video",
]
