"""Compares decoders for the two ways the library reads video.

    python scripts/bench_video.py VIDEO [VIDEO ...]

Per file it prints the CPU time of opening it (`probe` here, which counts the frames; decord reads
its index), of a sequential pass over the first 600 frames and of 20 random windows (16 frames in
steps of 2) for `mouse_ar.video` and decord (`pip install decord`), the passes with one decoder
thread, all in turns, and whether both returned the same: frame counts, or CRCs of whole frames.
"""

from __future__ import annotations

import argparse
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mouse_ar.video.probe import VideoMeta, probe
from mouse_ar.video.reader import iter_frames, open_video

WINDOW_FRAMES, STEP = 16, 2
NUM_FRAMES, NUM_WINDOWS, ROUNDS = 600, 20, 3


def windows(meta: VideoMeta) -> Iterator[NDArray[np.int64]]:
    """Random windows, the same for every decoder."""
    span = WINDOW_FRAMES * STEP
    rng = np.random.default_rng(0)
    for start in rng.integers(0, max(1, meta.num_frames - span), NUM_WINDOWS):
        yield np.minimum(np.arange(start, start + span, STEP), meta.num_frames - 1)


def first_frames(meta: VideoMeta) -> int:
    """How many frames the sequential pass reads."""
    return min(NUM_FRAMES, meta.num_frames)


def checksum(pictures: Iterable[NDArray[np.uint8]]) -> int:
    """CRC of every pixel, one picture or window after the other."""
    crc = 0
    for picture in pictures:
        crc = zlib.crc32(np.ascontiguousarray(picture), crc)
    return crc


def ours_open(meta: VideoMeta) -> int:
    """Number of frames."""
    return probe(meta.path).num_frames


def decord_open(meta: VideoMeta) -> int:
    """Number of frames."""
    import decord

    return len(decord.VideoReader(str(meta.path), num_threads=1))


def ours_sequential(meta: VideoMeta) -> int:
    """Checksum of the first frames."""
    frames = iter_frames(meta.path, stop=first_frames(meta), meta=meta, threads=1)
    return checksum(frame_HWC for _, frame_HWC in frames)


def ours_random(meta: VideoMeta) -> int:
    """Checksum of the random windows."""
    with open_video(meta.path, meta=meta, threads=1) as reader:
        return checksum(reader.get_batch(w) for w in windows(meta))


def decord_sequential(meta: VideoMeta) -> int:
    """Checksum of the first frames."""
    import decord

    reader = decord.VideoReader(str(meta.path), num_threads=1)
    return checksum(reader[i].asnumpy() for i in range(first_frames(meta)))


def decord_random(meta: VideoMeta) -> int:
    """Checksum of the random windows."""
    import decord

    reader = decord.VideoReader(str(meta.path), num_threads=1)
    return checksum(reader.get_batch(w).asnumpy() for w in windows(meta))


def timed(function: Callable[[VideoMeta], int], meta: VideoMeta) -> tuple[float, int]:
    """CPU seconds of one call and its result."""
    start = time.process_time()
    result = function(meta)
    return time.process_time() - start, result


def main() -> None:
    """Run the comparison and print one line per file and task."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("videos", nargs="+", type=Path)
    pairs = {
        "open": (ours_open, decord_open),
        "sequential": (ours_sequential, decord_sequential),
        "random": (ours_random, decord_random),
    }
    print(f"{'video':32} {'task':11} {'mouse_ar s':>10} {'decord s':>9} {'ratio':>6}  result")
    for path in parser.parse_args().videos:
        meta = probe(path)
        for task, functions in pairs.items():
            # Alternating, so that a busy machine slows both alike; the best of each counts.
            runs = [[timed(f, meta) for f in functions] for _ in range(ROUNDS)]
            (ours, ours_sum), (theirs, theirs_sum) = (min(column) for column in zip(*runs))
            verdict = "equal" if ours_sum == theirs_sum else "DIFFERENT"
            print(
                f"{path.name[:32]:32} {task:11} {ours:10.2f} {theirs:9.2f} "
                f"{theirs / ours:6.2f}  {verdict}"
            )


if __name__ == "__main__":
    main()
