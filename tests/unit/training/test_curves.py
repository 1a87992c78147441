from __future__ import annotations

from mouse_ar.training.curves import CHARTS, SHARES, TrainingCurves

START = {"event": "start", "epoch": 0, "epochs": 3, "steps_per_epoch": 10, "clips": {"idle": 4}}


def step(number: int, loss: float) -> dict[str, object]:
    return {
        "event": "step",
        "epoch": (number - 1) // 10,
        "step": number,
        "loss": loss,
        "lr": 0.1,
        "windows_per_second": 40.0,
        "eta_seconds": 12.0,
    }


def validation(epoch: int, score: float) -> dict[str, object]:
    f1 = {"frames": {"f1": 0.5}, "bouts": {"f1": None}}
    return {"event": "validation", "epoch": epoch, "score": score, "metrics": {"twitch": f1}}


def test_what_a_run_says() -> None:
    curves = TrainingCurves([START, step(10, 1.0), validation(0, 0.2), step(20, 0.5)])
    assert curves.lines("loss") == {"loss": [(1.0, 1.0), (2.0, 0.5)]}
    assert curves.lines("frames") == {"twitch": [(1.0, 0.5)]}
    assert curves.lines("bouts") == {}, "what is not defined is no point"
    assert (curves.epoch, curves.windows_per_second, curves.eta_seconds) == ((2, 3), 40.0, 12.0)
    assert curves.best == (1.0, 0.2)
    assert curves.log == ["Training on clips: idle: 4", "Validation after epoch 1: score 0.200"]


def test_what_a_continued_run_repeats_counts_once() -> None:
    curves = TrainingCurves([START, step(10, 1.0), validation(0, 0.2), step(20, 0.5)])
    curves.add(validation(1, 0.9))
    curves.add({"event": "resume", "epoch": 1})
    assert curves.lines("loss") == {"loss": [(1.0, 1.0)]}
    assert curves.best == (1.0, 0.2)
    curves.add(step(20, 0.4))
    assert curves.lines("loss") == {"loss": [(1.0, 1.0), (2.0, 0.4)]}


def test_events_of_later_versions_are_passed_over() -> None:
    curves = TrainingCurves()
    assert not curves.add({"event": "gradient_norm", "value": 3})
    assert curves.add({"event": "validation", "epoch": 0, "score": 0.4, "metrics": {"f1": 0.4}})
    assert curves.lines("frames") == {}
    assert curves.best == (1.0, 0.4)


def test_many_points_are_thinned_and_the_last_is_kept() -> None:
    curves = TrainingCurves([START | {"steps_per_epoch": 10_000}])
    for number in range(1, 3000):
        curves.add(step(number, 1 / number))
    points = curves.lines("loss")["loss"]
    assert len(points) < 500
    assert points[-1][1] == 1 / 2999


def test_windows_and_what_the_machine_does_have_charts() -> None:
    facts = {"grad_norm": 2.5, "data_wait": 0.04, "memory_mb": 900, "windows_per_second": 40.0}
    curves = TrainingCurves([START, step(10, 1.0) | facts])
    metrics = {"loss": 0.7, "macro_f1": 0.6, "average_precision": {"twitch": 0.4, "idle": None}}
    assert curves.add({"event": "validation_windows", "epoch": 0, "metrics": metrics})
    assert curves.lines("windows") == {
        "macro F1": [(1.0, 0.6)],
        "average precision: twitch": [(1.0, 0.4)],
    }
    assert curves.lines("loss") == {
        "loss": [(1.0, 1.0)],
        "loss of held-out windows": [(1.0, 0.7)],
    }
    for chart, value in (("grad_norm", 2.5), ("data_wait", 0.04), ("memory", 900.0)):
        assert curves.lines(chart) == {chart: [(1.0, value)]}
    assert curves.lines("throughput") == {"throughput": [(1.0, 40.0)]}
    assert curves.log[-1] == "Held-out windows after epoch 1: loss 0.700, macro f1 0.600"
    curves.add({"event": "resume", "epoch": 0})
    assert curves.lines("windows") == {}


def test_charts_of_shares_are_charts() -> None:
    assert set(CHARTS) >= SHARES
