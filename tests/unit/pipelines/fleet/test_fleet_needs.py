"""What tasks ask for, and how many of them a computer takes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mouse_ar.pipelines.fleet.needs import TaskNeeds, described

GB = 1024**3


@given(
    cpus=st.integers(1, 8), gpus=st.integers(0, 2), memory_gb=st.integers(0, 8),
    has_cpus=st.integers(0, 32), has_gpus=st.integers(0, 8), has_gb=st.integers(0, 64),
)  # fmt: skip
def test_as_many_tasks_as_all_resources_hold(
    cpus: int, gpus: int, memory_gb: int, has_cpus: int, has_gpus: int, has_gb: int
) -> None:
    needs = TaskNeeds(cpus=cpus, gpus=gpus, memory_gb=memory_gb)
    tasks = needs.at_once({"CPU": has_cpus, "GPU": has_gpus, "memory": has_gb * GB})

    def hold(number: int) -> bool:
        asked = (number * cpus, number * gpus, number * memory_gb)
        return all(of <= has for of, has in zip(asked, (has_cpus, has_gpus, has_gb)))

    assert hold(tasks)
    assert not hold(tasks + 1)


def test_a_computer_without_a_resource_takes_no_task() -> None:
    assert TaskNeeds(gpus=1).at_once({"CPU": 8.0}) == 0


def test_ray_is_asked_for_memory_only_where_the_user_does() -> None:
    assert TaskNeeds().options() == {"num_cpus": 1.0, "num_gpus": 0.0}
    assert TaskNeeds(memory_gb=2).options()["memory"] == 2 * GB


@pytest.mark.parametrize("wrong", [{"cpus": 0}, {"gpus": -1}, {"memory_gb": -1}])
def test_nonsense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="A task needs more than 0 CPUs"):
        TaskNeeds(**wrong)


def test_words() -> None:
    needs = TaskNeeds(cpus=2, gpus=1, memory_gb=4)
    assert str(needs) == "2 CPU cores, 1 GPU, 4 GB of memory"
    assert described({"CPU": 4.0, "memory": 3 * GB}) == "4 CPU cores, 0 GPU, 3.0 GB of memory"
