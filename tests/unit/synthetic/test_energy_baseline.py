from __future__ import annotations

import numpy as np
import pytest

from mouse_ar.core.types import Bout, Ethogram, Interval, Track
from mouse_ar.synthetic import (
    TWITCH,
    SyntheticConfig,
    fit_energy_threshold,
    make_video,
    motion_energy,
    motion_energy_baseline,
)


def labelled(peaks: dict[int, float], truth: list[int]) -> tuple[np.ndarray, Ethogram]:
    energy_T = np.full(500, 1.0, dtype=np.float32)
    for frame, height in peaks.items():
        energy_T[frame] = height
    bouts = tuple(Bout(Interval(t, t + 3), TWITCH) for t in truth)
    return energy_T, Ethogram(num_frames=500, fps=25.0, bouts=bouts)


def test_a_threshold_that_separates_is_found_and_carried_over() -> None:
    train = labelled({50: 9.0, 120: 4.0, 300: 8.0, 450: 3.5}, [49, 299])
    test = labelled({20: 8.5, 90: 4.0}, [19])
    result = motion_energy_baseline([train], [test])
    assert result.train.f1 == 1.0
    assert (result.test.tp, result.test.fp, result.test.fn) == (1, 0, 0)


def test_inseparable_events_stay_so() -> None:
    train = labelled({50: 5.0, 120: 9.0, 300: 5.0, 450: 9.0}, [49, 299])
    f1 = motion_energy_baseline([train], [train]).test.f1
    assert f1 == pytest.approx(2 / 3)


def test_peaks_at_the_edges_and_empty_truth() -> None:
    edge = labelled({0: 9.0, 499: 9.0}, [0, 497])
    assert motion_energy_baseline([edge], [edge]).test.f1 == 1.0
    nothing = labelled({}, [])
    assert motion_energy_baseline([nothing], [nothing]).test.tp == 0
    with pytest.raises(ValueError, match="at least one video"):
        fit_energy_threshold([])


def test_energy_is_measured_in_the_box() -> None:
    still = np.zeros((3, 40, 40, 3), dtype=np.uint8)
    still[1, 10:20, 10:20] = 100
    still[2, 10:20, 10:20] = 100
    still[2, 30:, 30:] = 255  # outside
    boxes_T4 = np.tile(np.array([10, 10, 20, 20], dtype=np.float32), (3, 1))
    track = Track(boxes_T4=boxes_T4, observed_T=np.ones(3, dtype=bool))
    np.testing.assert_allclose(motion_energy(iter(still), track), [0, 100, 0])
    with pytest.raises(ValueError):
        motion_energy(iter(still[:2]), track)


def test_energy_alone_does_not_find_twitches() -> None:
    """The point of the distractors: even fitted on the tested videos, a threshold fails."""
    config = SyntheticConfig(seed=11, seconds_per_video=40.0)
    videos = [make_video(config, index) for index in (0, 1, 2)]
    data = [(motion_energy(v.frames(), v.track), v.ethogram) for v in videos]
    result = motion_energy_baseline(data, data)
    assert result.test.f1 is not None
    assert 0.2 < result.test.f1 < 0.7
