"""Treatment against control as tables, a picture and a short text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import matplotlib.figure
import numpy as np
from matplotlib.axes import Axes

from mouse_ar.core.comparison import MEASURES, Comparison, mean_interval, smallest_p
from mouse_ar.core.text import markdown_table, some_names
from mouse_ar.data.files import write_text
from mouse_ar.pipelines.comparison import GroupComparison
from mouse_ar.pipelines.results import Column, Row, csv_text

__all__ = ["ANIMAL_COLUMNS", "COMPARISON_COLUMNS", "comparison_text", "write_comparison"]

_CONTROL_COLOR = "#7f7f7f"

ANIMAL_COLUMNS = (
    Column("group", "as in the table of groups"),
    Column("animal", "as in the table of groups; the video where that names no animals"),
    Column("videos", "number of its videos, which are pooled", 0),
    Column("action", "name of the action"),
    *(Column(name, text, 3) for name, text in MEASURES.items()),
)
COMPARISON_COLUMNS = (
    Column("action", "name of the action"),
    Column("measure", "what is compared; a column of animals.csv"),
    Column("control_animals", "control animals that have a value", 0),
    Column("treatment_animals", "treated animals that have a value", 0),
    Column("control_mean", "mean of the control animals", 3),
    Column("treatment_mean", "mean of the treated animals", 3),
    Column("difference", "treatment_mean less control_mean", 3),
    Column("difference_low", "lower end of its 95 % bootstrap interval", 3),
    Column("difference_high", "upper end of it", 3),
    Column("hedges_g", "difference in standard deviations, corrected for small samples", 3),
    Column("hedges_g_low", "lower end of its 95 % interval (noncentral t)", 3),
    Column("hedges_g_high", "upper end of it", 3),
    Column("p", "of the permutation test; the primary measure alone is tested", 4),
    Column("p_holm", "p corrected for the number of actions (Holm)", 4),
)


def write_comparison(folder: Path, comparison: GroupComparison) -> None:
    """Write ``animals.csv``, ``comparison.csv``, ``comparison.png`` and ``comparison.md``."""
    write_text(folder / "animals.csv", csv_text(ANIMAL_COLUMNS, _animal_rows(comparison)))
    rows = [_row(row) for row in comparison.rows]
    write_text(folder / "comparison.csv", csv_text(COMPARISON_COLUMNS, rows))
    write_text(folder / "comparison.md", comparison_text(comparison))
    _plot(folder / "comparison.png", comparison)


def _animal_rows(comparison: GroupComparison) -> list[Row]:
    return [
        {
            "group": group,
            "animal": animal,
            "videos": len(comparison.treatments.animals[group][animal]),
            "action": action,
            **values[action],
        }
        for group, animals in comparison.values.items()
        for animal, values in animals.items()
        for action in comparison.actions.names
    ]


def _row(row: Comparison) -> Row:
    difference, g = row.difference_interval or (None, None), row.g_interval or (None, None)
    return {
        "action": row.action,
        "measure": row.measure,
        "control_animals": len(row.control),
        "treatment_animals": len(row.treatment),
        "control_mean": fmean(row.control) if row.control else None,
        "treatment_mean": fmean(row.treatment) if row.treatment else None,
        "difference": row.difference,
        "difference_low": difference[0],
        "difference_high": difference[1],
        "hedges_g": row.g,
        "hedges_g_low": g[0],
        "hedges_g_high": g[1],
        "p": row.p,
        "p_holm": row.p_holm,
    }


def comparison_text(comparison: GroupComparison) -> str:
    """What was compared, how, and what came of it, in words; Markdown."""
    groups = comparison.treatments
    sizes = {name: len(groups.animals[name]) for name in (groups.control, groups.treatment)}
    named = " and ".join(f"{n} animals of *{name}*" for name, n in sizes.items())
    lines = [
        f"# {groups.treatment} against {groups.control}",
        "",
        f"{named}, {comparison.videos} videos; a person has checked {comparison.reviewed} of them.",
    ]
    if groups.one_video_each:
        lines.append(
            "The table names no animals, so **every video counts as an animal of its own**. That "
            "is right only where no animal was filmed twice."
        )
    if groups.left_out:
        lines.append(f"Left out: {some_names(groups.left_out)}.")
    tested = [row for row in comparison.rows if row.measure == comparison.primary]
    lines += ["", *(f"- {_sentence(row, comparison)}" for row in tested), ""]
    table = [_cells(row) for row in comparison.rows]
    header = ("action", "measure", groups.control, groups.treatment, "difference", "Hedges' g", "p")
    lines += [markdown_table(header, table), ""]
    return "\n".join([*lines, *_method(comparison, sizes[groups.control], sizes[groups.treatment])])


def _sentence(row: Comparison, comparison: GroupComparison) -> str:
    what = f"**{row.action}**, {MEASURES[row.measure]}"
    if row.difference is None or row.difference_interval is None:
        return f"{what}: too few animals have a value to compare."
    means = f"{fmean(row.treatment):.3g} in {comparison.treatments.treatment} against "
    means += f"{fmean(row.control):.3g} in {comparison.treatments.control}"
    low, high = row.difference_interval
    tested = "" if row.p_holm is None else f", p = {_p(row.p_holm)} (corrected)"
    return f"{what}: {means}, a difference of {row.difference:.3g} [{low:.3g}, {high:.3g}]{tested}."


def _cells(row: Comparison) -> list[str]:
    def spread(value: float | None, interval: tuple[float, float] | None) -> str:
        if value is None:
            return "–"
        ends = "" if interval is None else f" [{interval[0]:.3g}, {interval[1]:.3g}]"
        return f"{value:.3g}{ends}"

    def group(values: Sequence[float]) -> str:
        return f"{fmean(values):.3g} (n = {len(values)})" if values else "–"

    p = "" if row.p is None or row.p_holm is None else f"{_p(row.p_holm)} (uncorrected {_p(row.p)})"
    return [
        row.action,
        MEASURES[row.measure],
        group(row.control),
        group(row.treatment),
        spread(row.difference, row.difference_interval),
        spread(row.g, row.g_interval),
        p,
    ]


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _method(comparison: GroupComparison, control: int, treatment: int) -> list[str]:
    least = smallest_p(control, treatment)
    lines = [
        "Each animal is one value; its videos are pooled. Brackets are 95 % intervals: of the "
        "difference of means by bootstrap over the animals, of Hedges' g by the noncentral t "
        "distribution.",
        f"One measure was chosen for the test: {MEASURES[comparison.primary]}. The test is a "
        "two-sided permutation test of the difference of means; its p is corrected for the "
        f"{len(comparison.actions.names)} actions (Holm). The other measures are described, not "
        "tested: choose the measure before you look, with --primary.",
        "Length and latency exist only for animals that showed the action; the table says how "
        "many. A latency that such animals alone have is too short on average.",
    ]
    if least > 0.05:
        lines.append(
            f"With {control} and {treatment} animals p cannot be below {least:.3f}, whatever the "
            "difference: read the effect sizes."
        )
    return ["\n\n".join(lines), ""]


def _plot(path: Path, comparison: GroupComparison) -> None:
    names, measures = comparison.actions.names, list(MEASURES)
    size = (3.1 * len(measures), 2.9 * len(names))
    figure = matplotlib.figure.Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(names), len(measures), squeeze=False)
    for axis, row in zip(axes.ravel(), comparison.rows, strict=True):
        color = tuple(c / 255 for c in comparison.actions[row.action].color)
        _dots(axis, row.control, 0, _CONTROL_COLOR)
        _dots(axis, row.treatment, 1, color)
        axis.set_xlim(-0.6, 1.6)
        axis.set_ylim(bottom=0)
        axis.set_xticks([0, 1], [comparison.treatments.control, comparison.treatments.treatment])
        axis.set_title(f"{row.action}\n{MEASURES[row.measure]}", fontsize=8)
        axis.tick_params(labelsize=8)
        axis.spines[["top", "right"]].set_visible(False)
        if row.p_holm is not None:
            text = f"p = {_p(row.p_holm)}"
            axis.text(0.5, 0.98, text, transform=axis.transAxes, ha="center", va="top", fontsize=8)
    figure.supxlabel("dots: animals; line and bar: mean and its 95 % interval", fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)


def _dots(axis: Axes, values: Sequence[float], at: int, color: str | tuple[float, ...]) -> None:
    """One dot per animal, spread evenly in their order, with mean and interval."""
    if not values:
        axis.text(at, 0, "none", ha="center", va="bottom", fontsize=8)
        return
    spread = np.linspace(-0.18, 0.18, len(values)) if len(values) > 1 else [0.0]
    axis.scatter(at + np.asarray(spread), values, s=18, color=color, linewidth=0, zorder=3)
    axis.hlines(fmean(values), at - 0.28, at + 0.28, color="black", linewidth=1.4)
    interval = mean_interval(values)
    if interval is not None:
        axis.vlines(at, *interval, color="black", linewidth=1.4)
