"""Windows cut out of frames that go by once, as soon as it is known where the mouse is."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mouse_ar.core.cropping import CropBox, crop_square
from mouse_ar.core.types import ClipSpec, Interval, Track, Window
from mouse_ar.data.pixels import crop_and_resize
from mouse_ar.video.probe import VideoMeta
from mouse_ar.video.reader import Picture

__all__ = ["WindowCutter", "WindowGroup"]

UInt8Array = NDArray[np.uint8]
FloatArray = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class WindowGroup:
    """Windows that go through the model together.

    Args:
        number: place of the group in the plan.
        windows: those with pixels.
        pixels: their frames, uint8 (N, num_frames, input_size, input_size, 3).
        empty: windows that were left out, as the mouse is in none of their frames.
    """

    number: int
    windows: tuple[Window, ...]
    pixels: UInt8Array
    empty: tuple[Window, ...] = ()


class WindowCutter:
    """Cuts windows out of frames that go by once, as soon as it is known where the mouse is.

    A frame is converted when the boxes of all windows that need it are known, cut for each of
    them, and forgotten. Groups are given in the order of their numbers. Where the boxes are not
    known for too long, the groups that wait for them are left for a second pass
    (:attr:`postponed`), so that memory stays bounded.

    Args:
        groups: windows by number of their group, in the order of the plan.
        meta: probe of the video.
        spec: of the windows.
        max_held: frames that may wait for their boxes.
        skip_empty: leave out windows without the mouse.
    """

    def __init__(
        self,
        groups: Mapping[int, Sequence[Window]],
        *,
        meta: VideoMeta,
        spec: ClipSpec,
        max_held: int,
        skip_empty: bool,
    ) -> None:
        self.postponed: list[int] = []
        self._meta, self._spec = meta, spec
        self._max_held, self._skip_empty = max_held, skip_empty
        plan = [(number, window) for number, windows in groups.items() for window in windows]
        # Mirrored windows at the end of a video reach further back than those before them.
        lows = np.minimum.accumulate([min(window.indices) for _, window in reversed(plan)])
        self._waiting = deque(
            (int(low), number, window)
            for low, (number, window) in zip(lows[::-1], plan, strict=True)
        )
        self._order = deque(groups)
        self._done: dict[int, WindowGroup] = {}
        self._left = {number: len(windows) for number, windows in groups.items()}
        self._cut: dict[int, list[_Cut]] = {number: [] for number in groups}
        self._open: list[_Cut] = []
        self._held: deque[tuple[int, Picture]] = deque()

    def advance(
        self, pictures: Iterable[tuple[int, Picture]], *, boxes_T4: FloatArray, settled: int
    ) -> Iterator[WindowGroup]:
        """Take the next frames and yield the groups that are complete with them.

        Args:
            pictures: frames that follow those given before.
            boxes_T4: boxes of all frames of the video.
            settled: so many of them, from the first one on, are known.
        """
        for item in pictures:
            self._held.append(item)
            yield from self._cut_held(boxes_T4, settled)
        yield from self._cut_held(boxes_T4, settled)

    def _cut_held(self, boxes_T4: FloatArray, settled: int) -> Iterator[WindowGroup]:
        while self._held:
            frame, picture = self._held[0]
            while self._waiting and self._waiting[0][0] <= frame:
                _, number, window = self._waiting[0]
                if _known_from(window, num_frames=self._meta.num_frames) > settled:
                    if len(self._held) <= self._max_held:
                        return
                    yield from self._postpone(number)
                    continue
                self._waiting.popleft()
                self._begin(number, window, boxes_T4)
                yield from self._complete(number)
            self._held.popleft()
            yield from self._cut_frame(frame, picture)

    def _begin(self, number: int, window: Window, boxes_T4: FloatArray) -> None:
        interval = _inside(window, num_frames=self._meta.num_frames)
        there_T = np.isfinite(boxes_T4[interval.start : interval.stop]).all(axis=1)
        cut = _Cut(number, window, frozenset(window.indices))
        self._cut[number].append(cut)
        if self._skip_empty and not there_T.any():
            self._left[number] -= 1
            return
        cut.crop = _crop_from(boxes_T4, window, spec=self._spec, meta=self._meta)
        self._open.append(cut)

    def _cut_frame(self, frame: int, picture: Picture) -> Iterator[WindowGroup]:
        wanting = [cut for cut in self._open if frame in cut.frames]
        if not wanting:
            return
        frame_HWC = picture()
        for cut in wanting:
            assert cut.crop is not None
            cut.scaled[frame] = crop_and_resize(
                frame_HWC, crop=cut.crop, size=self._spec.input_size
            )
            if len(cut.scaled) == len(cut.frames):
                self._open.remove(cut)
                self._left[cut.number] -= 1
                yield from self._complete(cut.number)

    def _complete(self, number: int) -> Iterator[WindowGroup]:
        """The group, once nothing of it is missing."""
        if self._left.get(number) != 0:
            return
        del self._left[number]
        cuts = self._cut.pop(number)
        whole = [cut for cut in cuts if cut.crop is not None]
        side = self._spec.input_size
        pixels = np.empty((len(whole), self._spec.num_frames, side, side, 3), dtype=np.uint8)
        for target, cut in zip(pixels, whole, strict=True):
            for place, index in enumerate(cut.window.indices):
                target[place] = cut.scaled[index]
        self._done[number] = WindowGroup(
            number=number,
            windows=tuple(cut.window for cut in whole),
            pixels=pixels,
            empty=tuple(cut.window for cut in cuts if cut.crop is None),
        )
        yield from self._in_order()

    def _in_order(self) -> Iterator[WindowGroup]:
        while self._order and self._order[0] not in self._left:
            number = self._order.popleft()
            if number in self._done:
                yield self._done.pop(number)

    def _postpone(self, number: int) -> Iterator[WindowGroup]:
        self.postponed.append(number)
        del self._left[number], self._cut[number]
        self._open = [cut for cut in self._open if cut.number != number]
        self._waiting = deque(item for item in self._waiting if item[1] != number)
        yield from self._in_order()


@dataclass(eq=False)
class _Cut:
    """A window that is being cut; without a square it is empty."""

    number: int
    window: Window
    frames: frozenset[int]
    crop: CropBox | None = None
    scaled: dict[int, UInt8Array] = field(default_factory=dict)


def _inside(window: Window, *, num_frames: int) -> Interval:
    """The real frames that a window's score speaks of."""
    return Interval(max(0, window.interval.start), min(num_frames, window.interval.stop))


def _known_from(window: Window, *, num_frames: int) -> int:
    """How many frames' boxes have to be known to cut a window."""
    return max(max(window.indices) + 1, _inside(window, num_frames=num_frames).stop)


def _crop_from(boxes_T4: FloatArray, window: Window, *, spec: ClipSpec, meta: VideoMeta) -> CropBox:
    """As :func:`window_crop`, where only the boxes of the window are known."""
    first, last = min(window.indices), max(window.indices)
    boxes = boxes_T4[first : last + 1]
    return crop_square(
        Track(boxes_T4=boxes, observed_T=np.zeros(len(boxes), dtype=bool)),
        frames=Interval(0, len(boxes)),
        width=meta.width,
        height=meta.height,
        padding=spec.crop_padding,
    )
