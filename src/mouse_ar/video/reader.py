"""Frames by index: a sequential stream for long videos and random access for windows.

Both run on the same decoder (PyAV; measured against decord in ``scripts/bench_video.py``), so they
return identical pixels for the same index, which are those that decord decodes in sequence.
A file that breaks off is read up to the damage. Where single frames in the middle are damaged, the
last good picture before them is repeated and a warning logged, so that later frames keep index and
time; more than a second of that is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from mouse_ar.video._decoder import FrameDecoder
from mouse_ar.video.probe import VideoMeta, probe

__all__ = ["Picture", "RandomAccessReader", "iter_frames", "iter_pictures", "open_video"]

# A decoded frame; called, it gives the frame_HWC (uint8 RGB).
Picture = Callable[[], NDArray[np.uint8]]


def iter_frames(
    path: Path | str,
    *,
    start: int = 0,
    stop: int | None = None,
    step: int = 1,
    meta: VideoMeta | None = None,
    threads: int = 2,
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Stream frames in order; memory stays flat however long the video is.

    Args:
        path: the video.
        start: first frame.
        stop: end, exclusive; None is the end of the video.
        step: distance between delivered frames; those between are decoded only where the codec
            needs them and never converted to RGB.
        meta: result of :func:`probe`, to save probing again.
        threads: decoder threads; 0 takes every core.

    Yields:
        Frame index and frame_HWC (uint8 RGB).

    Raises:
        VideoError: the file cannot be read.
        ValueError: the range is not within the video.
    """
    pictures = iter_pictures(path, start=start, stop=stop, step=step, meta=meta, threads=threads)
    for index, picture in pictures:
        yield index, picture()


def iter_pictures(
    path: Path | str,
    *,
    start: int = 0,
    stop: int | None = None,
    step: int = 1,
    meta: VideoMeta | None = None,
    threads: int = 2,
) -> Generator[tuple[int, Picture], None, None]:
    """Like :func:`iter_frames`, for those who do not need every frame in RGB.

    Yields:
        Frame index and the frame, which is converted when it is called.
    """
    meta = meta or probe(path)
    stop = meta.num_frames if stop is None else stop
    if not 0 <= start <= stop <= meta.num_frames or step < 1:
        raise ValueError(
            f"{meta.path}: got frames [{start}, {stop}) in steps of {step}, expected "
            f"0 <= start <= stop <= {meta.num_frames} and step >= 1."
        )
    decoder = FrameDecoder(meta, threads=threads)
    try:
        for index in range(start, stop, step):
            yield index, decoder.picture(index)
    finally:
        decoder.close()


class RandomAccessReader:
    """Batches of frames in any order. One reader serves one thread at a time.

    Args:
        meta: the probed video.
        threads: decoder threads; 0 takes every core. The default 1 suits data loaders, which
            already run one reader per worker.
    """

    def __init__(self, meta: VideoMeta, *, threads: int = 1) -> None:
        self._meta = meta
        self._decoder = FrameDecoder(meta, threads=threads)

    @property
    def meta(self) -> VideoMeta:
        """Facts about the video."""
        return self._meta

    def __len__(self) -> int:
        return self._meta.num_frames

    def get_batch(self, indices: Sequence[int] | NDArray[np.integer]) -> NDArray[np.uint8]:
        """Frames by index, in the order asked for; repeats are allowed.

        Args:
            indices: N frame indices within ``0 .. len(self) - 1``.

        Returns:
            uint8 (N, H, W, 3) RGB.

        Raises:
            IndexError: an index lies outside the video.
            TypeError: an index is no integer.
            VideoError: a frame cannot be decoded.
        """
        given = np.asarray(indices)
        if given.size and not np.issubdtype(given.dtype, np.integer):
            raise TypeError(f"{self._meta.path}: got indices of {given.dtype}, expected integers.")
        wanted = given.astype(np.int64)
        outside = wanted[(wanted < 0) | (wanted >= len(self))]
        if len(outside):
            raise IndexError(
                f"{self._meta.path}: got frame {outside[0]}, expected 0..{len(self) - 1}."
            )
        batch = np.empty((len(wanted), self._meta.height, self._meta.width, 3), dtype=np.uint8)
        unique, places = np.unique(wanted, return_inverse=True)
        for number, index in enumerate(unique):
            batch[places == number] = self._decoder.read(int(index))
        return batch

    def close(self) -> None:
        """Release the file."""
        self._decoder.close()

    def __enter__(self) -> RandomAccessReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_video(
    path: Path | str, *, meta: VideoMeta | None = None, threads: int = 1
) -> RandomAccessReader:
    """Open a video for random access.

    Args:
        path: the video.
        meta: result of :func:`probe`, to save probing again.
        threads: decoder threads; 0 takes every core.

    Raises:
        VideoError: the file cannot be read.
    """
    return RandomAccessReader(meta or probe(path), threads=threads)
