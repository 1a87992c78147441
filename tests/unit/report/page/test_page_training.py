from __future__ import annotations

from mouse_ar.report.page.blocks import Figure
from mouse_ar.report.page.training import training_section


def test_loss_and_validation_over_the_epochs() -> None:
    section = training_section(
        [
            {"event": "start", "epochs": 2},
            {"event": "epoch", "epoch": 0, "loss": 1.0},
            {"event": "epoch", "epoch": 1, "loss": 0.25},
            {"event": "validation", "epoch": 1, "score": 0.5},
        ]
    )
    (figure,) = section.blocks
    assert isinstance(figure, Figure)
    loss, score = figure.plot["data"]
    assert (loss["x"], loss["y"]) == ([1, 2], [1.0, 0.25])
    assert (score["x"], score["y"]) == ([2], [0.5])
