"""Full precision unless less is allowed."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mouse_ar.mvd import MVD, PRESETS
from mouse_ar.pipelines import precision
from mouse_ar.pipelines.precision import autocast, pick_precision

CPU = torch.device("cpu")


def tiny_model(**changes: object) -> MVD:
    return MVD(replace(PRESETS["vit_tiny"], image_size=32, num_frames=4, **changes)).eval()


def test_the_cpu_computes_in_full_precision_by_default() -> None:
    assert pick_precision(None, model=tiny_model(), device=CPU) == "fp32"
    assert pick_precision("bf16", model=tiny_model(), device=CPU) == "bf16"
    with pytest.raises(ValueError, match="No precision 'int8'; expected one of auto, fp32"):
        pick_precision("int8", model=tiny_model(), device=CPU)


@pytest.mark.parametrize(("bf16", "expected"), [(0.5, "bf16"), (0.95, "fp32")])
def test_auto_takes_what_is_faster_and_measures_once(
    monkeypatch: pytest.MonkeyPatch, bf16: float, expected: str
) -> None:
    measured: list[str] = []

    def fake(block: object, tokens: object, name: str) -> float:
        measured.append(name)
        return {"fp32": 1.0, "bf16": bf16}[name]

    monkeypatch.setattr(precision, "_seconds", fake)
    monkeypatch.setattr(precision, "_measured", {})
    for _ in range(2):
        assert pick_precision("auto", model=tiny_model(), device=CPU) == expected
    assert measured == ["fp32", "bf16"]


def test_auto_really_measures() -> None:
    assert pick_precision("auto", model=tiny_model(depth=2), device=CPU) in {"fp32", "bf16"}


def test_autocast_is_off_in_full_precision() -> None:
    for name, kind in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        with autocast(name, device=CPU):
            assert torch.nn.Linear(2, 2)(torch.ones(1, 2)).dtype == kind
