"""Results of treated and of control animals, compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mouse_ar.core.actions import ActionSet
from mouse_ar.core.comparison import Comparison, animal_values, compare
from mouse_ar.data.treatments import Treatments
from mouse_ar.pipelines.results_folder import ResultsFolder

__all__ = ["GroupComparison", "compare_results"]

Values = Mapping[str, Mapping[str, float | None]]


@dataclass(frozen=True)
class GroupComparison:
    """What was compared, and what came of it.

    Args:
        treatments: the groups, their animals and videos.
        actions: what was compared.
        primary: the measure that was tested.
        values: of each animal by action and measure, by group and animal.
        rows: every measure of every action.
        reviewed: videos of the groups that a person has checked.
        videos: all videos of the groups.
    """

    treatments: Treatments
    actions: ActionSet
    primary: str
    values: Mapping[str, Mapping[str, Values]]
    rows: tuple[Comparison, ...]
    reviewed: int
    videos: int


def compare_results(
    results: ResultsFolder, treatments: Treatments, *, primary: str, seed: int = 0
) -> GroupComparison:
    """Compare the two groups of a table.

    Args:
        results: with the videos of the table.
        treatments: the groups.
        primary: the one measure to test, see :data:`~mouse_ar.core.comparison.MEASURES`.
        seed: drives the bootstrap, and the test where it is not exact.

    Raises:
        ValueError: see :func:`~mouse_ar.core.comparison.compare`.
    """
    values = {
        group: {
            animal: animal_values(
                [(results.results[k].ethogram, results.results[k].edges_seconds) for k in keys],
                actions=results.actions,
            )
            for animal, keys in animals.items()
        }
        for group, animals in treatments.animals.items()
    }
    rows = compare(
        list(values[treatments.control].values()),
        list(values[treatments.treatment].values()),
        actions=results.actions,
        primary=primary,
        seed=seed,
    )
    keys = [k for animals in treatments.animals.values() for ks in animals.values() for k in ks]
    return GroupComparison(
        treatments=treatments,
        actions=results.actions,
        primary=primary,
        values=values,
        rows=tuple(rows),
        reviewed=sum(results.results[key].reviewed for key in keys),
        videos=len(keys),
    )
