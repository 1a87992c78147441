"""Which detection of each frame is the mouse: the cheapest path through all candidates.

Dynamic programming (Viterbi) over the whole video instead of frame-by-frame greed: a second
animal, a reflection or a hand for a few frames costs two jumps, so the path does not follow it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mouse_ar.core.types import Box
from mouse_ar.detection.protocol import Detection

__all__ = ["Association", "AssociationConfig", "associate"]

# Scores below this are treated as this: log(0) would forbid a frame.
_LEAST_SCORE = 1e-3
# Detections of an animal jitter by parts of the body, and those of a thing at rest do not: without
# free play a standing phantom of a lower score would be the cheaper path. Body sizes; log of area.
_FREE_MOVE, _FREE_RESIZE = 0.25, 0.25


@dataclass(frozen=True)
class AssociationConfig:
    """Costs of a path, in nats; the cost of a candidate is ``-log(score)``.

    Args:
        missing: cost of a frame without detection. A candidate whose score is below
            ``exp(-missing)`` is taken only if it fits well with its neighbours.
        move: cost of moving by one body size (the square root of the box's area) within
            ``move_seconds``; grows linearly up to ``jump``.
        move_seconds: time in which a mouse moves by about one body size.
        jump: most that a move can cost: a track may start again elsewhere.
        resize: cost of a change of the area by a factor of e.
        start: cost of the first detection of a track: lone weak detections are no track. It is at
            most half of what missing the mouse in every frame would cost, so that a video of a
            few frames can have a track too.
    """

    missing: float = 2.0
    move: float = 1.0
    move_seconds: float = 0.2
    jump: float = 8.0
    resize: float = 1.0
    start: float = 4.0

    def __post_init__(self) -> None:
        for name in ("missing", "move", "move_seconds", "jump", "resize", "start"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"AssociationConfig.{name} must be finite and >= 0, got {value}.")
        if self.move_seconds == 0:
            raise ValueError("AssociationConfig.move_seconds must be > 0, got 0.")


@dataclass(eq=False, slots=True)
class _Node:
    """A state of a path: what it saw last and in which frame, and the cost of the best path to it.

    Nodes point backwards only, so paths that lose are freed while the video runs. One without
    ``previous`` is the root: nothing before it, and not itself, is to be told any more.
    """

    cost: float
    last: Box | None
    last_frame: int
    frame: int
    detection: Detection | None
    previous: _Node | None


class Association:
    """The path while the video runs; :func:`associate` is for those who have all of it.

    Args:
        fps: frames per second.
        config: costs.
    """

    def __init__(self, *, fps: float, config: AssociationConfig | None = None) -> None:
        self._fps, self._config = fps, config or AssociationConfig()
        self._frontier = [_Node(0.0, None, -1, -1, None, None)]
        self._looks = 0

    def look(self, frame: int, detections: Sequence[Detection]) -> None:
        """Take the detections of the next frame that was looked at."""
        self._looks += 1
        best = min(self._frontier, key=_cost)
        # Missing keeps the last box of the cheapest path: one such state is enough.
        missing = _Node(
            best.cost + self._config.missing, best.last, best.last_frame, frame, None, best
        )
        following = [missing]
        for detection in detections:
            cost, previous = min(
                ((n.cost + self._transition(n, detection.box, frame), n) for n in self._frontier),
                key=lambda pair: pair[0],
            )
            cost -= math.log(max(detection.score, _LEAST_SCORE))
            following.append(_Node(cost, detection.box, frame, frame, detection, previous))
        self._frontier = following

    def settled(self) -> dict[int, Detection]:
        """What no later frame can change, as far as it was not told before."""
        nodes = set(self._frontier)
        while len(nodes) > 1:
            # Every state has one predecessor per look, so all of them are equally far back.
            nodes = {node.previous for node in nodes if node.previous is not None}
        if not nodes:
            return {}
        (common,) = nodes
        path = _trace(common)
        common.previous = None
        return path

    def finish(self) -> dict[int, Detection]:
        """The rest of the path, once there are no more frames."""
        spared = max(0.0, self._config.start - 0.5 * self._looks * self._config.missing)
        return _trace(min(self._frontier, key=lambda n: n.cost - (spared if n.last else 0.0)))

    def _transition(self, node: _Node, box: Box, frame: int) -> float:
        return _transition(node, box, (frame - node.last_frame) / self._fps, self._config)


def associate(
    candidates: Iterable[tuple[int, Sequence[Detection]]],
    *,
    fps: float,
    config: AssociationConfig | None = None,
) -> dict[int, Detection]:
    """The mouse's detection by frame; frames in which it was not seen are absent.

    Args:
        candidates: frames that were looked at, ascending and in any steps, with the detections
            in each; read once.
        fps: frames per second.
        config: costs.
    """
    association = Association(fps=fps, config=config)
    for frame, detections in candidates:
        association.look(frame, detections)
    return association.finish()


def _cost(node: _Node) -> float:
    return node.cost


def _transition(node: _Node, box: Box, seconds: float, config: AssociationConfig) -> float:
    """Cost of seeing the mouse in ``box`` so long after a path saw it last."""
    if node.last is None:
        return config.start
    size = math.sqrt(math.sqrt(node.last.area * box.area))
    (x0, y0), (x1, y1) = node.last.center, box.center
    bodies = math.hypot(x1 - x0, y1 - y0) / size
    reach = max(1.0, seconds / config.move_seconds)
    moved = config.move * max(0.0, bodies - _FREE_MOVE) / reach
    resized = config.resize * max(0.0, abs(math.log(box.area / node.last.area)) - _FREE_RESIZE)
    return min(config.jump, moved + resized / reach)


def _trace(node: _Node) -> dict[int, Detection]:
    """The detections along a path, in order."""
    path: dict[int, Detection] = {}
    while node.previous is not None:
        if node.detection is not None:
            path[node.frame] = node.detection
        node = node.previous
    return dict(reversed(path.items()))
