from __future__ import annotations

import subprocess
import sys

import pytest
from numbered_video import numbered_frame

from mouse_ar.video.writer import VideoWriter

HOUR_FRAMES = 25 * 3600

STREAM = """
import sys, psutil
from mouse_ar.video.reader import iter_frames
process, early = psutil.Process(), 0
for index, frame in iter_frames(sys.argv[1]):
    if index == 5000:
        early = process.memory_info().rss
print(index + 1, process.memory_info().rss - early)
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_stream_holds_memory_flat_on_an_hour_of_video(tmp_path):
    path = tmp_path / "hour.mp4"
    pictures = [numbered_frame(number, width=128, height=96) for number in range(64)]
    with VideoWriter(path, width=128, height=96, fps=25, preset="ultrafast") as writer:
        for number in range(HOUR_FRAMES):
            writer.write(pictures[number % 64])
    done = subprocess.run(
        [sys.executable, "-c", STREAM, str(path)], check=True, capture_output=True, text=True
    )
    num_frames, growth_bytes = map(int, done.stdout.split())
    assert num_frames == HOUR_FRAMES
    # All frames together are 3.3 GB; what may grow is the allocator's slack.
    assert growth_bytes < 20e6
