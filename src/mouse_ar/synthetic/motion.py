"""From the script to numbers: the mouse's pose in every frame."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from mouse_ar.core.types import Interval
from mouse_ar.synthetic.config import SyntheticConfig
from mouse_ar.synthetic.scene import Scene
from mouse_ar.synthetic.script import Behaviour, Distractor, Script

__all__ = ["Motion", "simulate", "twitch_course"]

Array = NDArray[np.float64]

# Posture of each behaviour as factors of the standing mouse: length of the body, its breadth,
# and how far the head is stretched out (seen from above a lowered or raised head is short).
_POSTURE = {
    Behaviour.WALK: (1.05, 0.95, 1.0),
    Behaviour.REST: (0.93, 1.06, 0.9),
    Behaviour.SNIFF: (1.0, 1.0, 1.05),
    Behaviour.REAR: (0.82, 0.94, 0.82),
    Behaviour.GROOM: (0.66, 1.22, 0.72),
}
_POSTURE_SECONDS = 0.12  # time constant of changes of posture
# How much of a twitch's amplitude head (against body) and body take: mostly head, mostly body,
# both; and how often each happens.
_TWITCH_SHARES = ((1.0, 0.3), (0.4, 0.8), (0.9, 0.6))
_TWITCH_CHANCES = (0.4, 0.2, 0.4)


@dataclass(frozen=True, eq=False)
class Motion:
    """Pose per frame; float64 arrays (T,) unless the name says otherwise.

    Args:
        xy_T2: body centre in pixels.
        heading: direction of the body in radians, clockwise on the screen from +x.
        head_angle: head against the body in radians.
        bend: sideways curvature of the body.
        sway: sideways shift of the trunk as a share of the body length.
        length: body length as a factor.
        breadth: body breadth as a factor.
        reach: head length as a factor.
        gait: phase of the steps in radians.
        pace: 0 (standing) to 1 (walking): how far the feet swing.
        tail: phase of the tail's wave in radians.
        strokes_T2: place of the left and right paw on the face, 0 (nose) to 1 (behind the ear);
            NaN while the paw is on the ground.
    """

    xy_T2: Array
    heading: Array
    head_angle: Array
    bend: Array
    sway: Array
    length: Array
    breadth: Array
    reach: Array
    gait: Array
    pace: Array
    tail: Array
    strokes_T2: Array


def simulate(
    script: Script,
    *,
    config: SyntheticConfig,
    scene: Scene,
    body_px: float,
    rng: np.random.Generator,
) -> Motion:
    """Play the script.

    Args:
        script: the plot.
        config: amplitudes and levels.
        scene: the walls.
        body_px: length of this mouse in pixels.
        rng: source of randomness.
    """
    length, breadth, reach = _posture(script, config=config, rng=rng)
    leaps = _startles(script, body_px=body_px, rng=rng)
    xy_T2, heading, speed = _wander(
        script, config=config, scene=scene, body_px=body_px, leaps=leaps, rng=rng
    )
    gait = np.cumsum(speed / config.fps) / (0.42 * body_px) * 2 * np.pi
    pace = np.clip(speed / (0.8 * body_px), 0, 1)
    head_angle, bend = _look_around(script, config=config, heading=heading, rng=rng)
    head_angle += 0.10 * pace * np.sin(gait)
    bend += 0.25 * pace * np.sin(gait + 0.8)
    sniffing, seconds = script.mask(Behaviour.SNIFF), np.arange(script.num_frames) / config.fps
    bob = np.sin(2 * np.pi * rng.uniform(4, 6) * seconds + rng.uniform(0, 6))
    head_angle += math.radians(2.5) * sniffing * bob
    reach += 0.05 * sniffing * bob
    strokes_T2 = _groom(script, config=config, head_angle=head_angle, reach=reach, rng=rng)
    _shift_posture(script, length=length, bend=bend, fps=config.fps, rng=rng)
    sway = np.zeros(script.num_frames)
    for twitch in script.twitches:
        angle = math.radians(rng.uniform(*config.twitch_degrees))
        course, part = twitch_course(twitch.length, rng=rng), slice(twitch.start, twitch.stop)
        head, body = _TWITCH_SHARES[int(rng.choice(3, p=_TWITCH_CHANCES))]
        head_angle[part] += head * angle * course
        heading[part] += body * angle * course
        sway[part] -= 0.25 * body * angle * course
        breadth[part] += 0.12 * body  # the loose skin swings out
    return Motion(
        xy_T2=xy_T2,
        heading=heading,
        head_angle=head_angle,
        bend=bend,
        sway=sway,
        length=length,
        breadth=breadth,
        reach=reach,
        gait=gait,
        pace=pace,
        tail=2 * np.pi * 0.35 * seconds + 0.5 * gait + rng.uniform(0, 6),
        strokes_T2=strokes_T2,
    )


def _posture(
    script: Script, *, config: SyntheticConfig, rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    """Body length, breadth and head length as factors; a resting mouse breathes."""
    posture_T3 = np.empty((script.num_frames, 3))
    for kind, stay in script.behaviours:
        posture_T3[stay.start : stay.stop] = np.array(_POSTURE[kind]) * rng.uniform(0.97, 1.03, 3)
    keep = math.exp(-1 / (_POSTURE_SECONDS * config.fps))
    length, breadth, reach = _low_pass(posture_T3, keep).T.copy()
    seconds = np.arange(script.num_frames) / config.fps
    breath = np.sin(2 * np.pi * rng.uniform(1.8, 2.8) * seconds)
    return length, breadth + 0.025 * script.mask(Behaviour.REST) * breath, reach


def twitch_course(length: int, *, rng: np.random.Generator) -> Array:
    """Deflection of a twitch in each of its frames, -1..1: alternating, never zero.

    The sign changes every one or two frames; each swing is 75-100 % of the amplitude.
    """
    hold = 1 if length <= 3 or rng.random() < 0.7 else 2
    swing = np.arange(length) // hold
    size = rng.uniform(0.75, 1.0, size=length)[swing]
    return np.asarray(np.where(swing % 2 == 0, size, -size) * rng.choice((-1.0, 1.0)))


def _low_pass(values: Array, keep: float) -> Array:
    start = values[:1] * keep
    return np.asarray(lfilter([1 - keep], [1, -keep], values, axis=0, zi=start)[0])


def _noise_walk(
    num_frames: int, *, sigma: float, seconds: float, fps: float, rng: np.random.Generator
) -> Array:
    """Slow random course (T,) of standard deviation ``sigma`` and that correlation time."""
    keep = math.exp(-1 / (seconds * fps))
    kicks = rng.normal(0, sigma * math.sqrt(1 - keep**2), num_frames)
    kicks[0] = rng.normal(0, sigma)
    return np.asarray(lfilter([1], [1, -keep], kicks))


def _startles(script: Script, *, body_px: float, rng: np.random.Generator) -> Array:
    """Displacement per frame in the body's own axes, pixels (T, 2)."""
    leaps = np.zeros((script.num_frames, 2))
    for jump in script.of_kind(Distractor.STARTLE):
        angle = rng.uniform(-0.7, 0.7) + (np.pi if rng.random() < 0.3 else 0.0)
        distance = rng.uniform(0.25, 0.55) * body_px / jump.length
        leaps[jump.start : jump.stop] = distance * np.array([math.cos(angle), math.sin(angle)])
    return leaps


def _wander(
    script: Script,
    *,
    config: SyntheticConfig,
    scene: Scene,
    body_px: float,
    leaps: Array,
    rng: np.random.Generator,
) -> tuple[Array, Array, Array]:
    """Integrate speed and heading; walls are avoided. Returns xy (T, 2), heading, speed."""
    count, step = script.num_frames, 1 / config.fps
    margin = 0.48 * body_px
    goal = np.zeros(count)
    agility = np.zeros(count)
    for kind, stay in script.behaviours:
        if kind is Behaviour.WALK:
            goal[stay.start : stay.stop] = rng.uniform(0.6, 1.8) * body_px
        agility[stay.start : stay.stop] = {Behaviour.WALK: 1.0, Behaviour.SNIFF: 0.25}.get(kind, 0)
    turning = _noise_walk(count, sigma=1.6, seconds=0.5, fps=config.fps, rng=rng) * agility
    angle, speed = float(rng.uniform(0, 2 * np.pi)), 0.0
    spread = rng.uniform(-0.8, 0.8, size=2)
    x = scene.center_px[0] + spread[0] * scene.half_px[0]
    y = scene.center_px[1] + spread[1] * scene.half_px[1]
    x, y = scene.inside(x, y, margin=margin)
    xy_T2, heading, speeds = np.empty((count, 2)), np.empty(count), np.empty(count)
    for t in range(count):
        speed += (goal[t] - speed) * min(1.0, 7 * step)
        speed = 0.0 if speed < 0.02 * body_px else speed
        near = 1 - (scene.wall_distance(x, y) - margin) / (0.45 * body_px)
        if near > 0 and speed > 0:
            home = math.atan2(scene.center_px[1] - y, scene.center_px[0] - x)
            off = (home - angle + math.pi) % (2 * math.pi) - math.pi
            angle += math.copysign(min(abs(off), 5.0 * near * step), off)
        angle += turning[t] * step
        c, s = math.cos(angle), math.sin(angle)
        along, aside = speed * step + leaps[t, 0], leaps[t, 1]
        x, y = scene.inside(x + along * c - aside * s, y + along * s + aside * c, margin=margin)
        xy_T2[t], heading[t], speeds[t] = (x, y), angle, speed
    return xy_T2, heading, speeds


def _look_around(
    script: Script, *, config: SyntheticConfig, heading: Array, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Slow head scanning, wider while sniffing; one-way turns of head and, in place, body."""
    count = script.num_frames
    wide = np.where(script.mask(Behaviour.SNIFF), 1.0, 0.35)
    wide[script.mask(Behaviour.REST)] = 0.15
    wide = _low_pass(wide, math.exp(-1 / (0.2 * config.fps)))
    scan = _noise_walk(count, sigma=0.35, seconds=0.6, fps=config.fps, rng=rng)
    scan = _low_pass(scan, math.exp(-1 / (0.15 * config.fps)))
    head_angle = wide * scan
    for turn in script.of_kind(Distractor.HEAD_TURN):
        size = math.radians(rng.uniform(25, 50)) * rng.choice((-1.0, 1.0))
        course = size * _step_and_hold(count, turn, fps=config.fps, rng=rng)
        head_angle += course
        heading += rng.uniform(0.3, 0.9) * course
    return head_angle, 0.5 * scan * wide


def _step_and_hold(count: int, step: Interval, *, fps: float, rng: np.random.Generator) -> Array:
    """0 before, a ramp to 1 within ``step``, held for a while, then slowly back to 0."""
    hold, back = rng.uniform(0.4, 1.2) * fps, rng.uniform(0.5, 0.9) * fps
    frames = np.arange(count)
    rise = np.clip((frames - step.start + 1) / step.length, 0, 1)
    fall = np.clip((frames - step.stop - hold) / back, 0, 1)
    return np.asarray(rise * (1 - fall * fall * (3 - 2 * fall)))


def _shift_posture(
    script: Script, *, length: Array, bend: Array, fps: float, rng: np.random.Generator
) -> None:
    for shift in script.of_kind(Distractor.POSTURE_SHIFT):
        course = _step_and_hold(script.num_frames, shift, fps=fps, rng=rng)
        length += rng.choice((-1.0, 1.0)) * rng.uniform(0.10, 0.18) * course
        bend += rng.choice((-1.0, 1.0)) * rng.uniform(0.3, 0.6) * course


def _groom(
    script: Script,
    *,
    config: SyntheticConfig,
    head_angle: Array,
    reach: Array,
    rng: np.random.Generator,
) -> Array:
    """Paw strokes over the face (T, 2); nods the head with them, in place."""
    strokes_T2 = np.full((script.num_frames, 2), np.nan)
    turned, wave_T = np.zeros(script.num_frames), np.zeros(script.num_frames)
    bouts = [stay for kind, stay in script.behaviours if kind is Behaviour.GROOM]
    for bout in bouts:
        phase, start = rng.uniform(0, 6), bout.start
        while start < bout.stop:
            stop = min(bout.stop, start + max(4, round(rng.uniform(0.5, 1.6) * config.fps)))
            hertz, style = rng.uniform(5, 7), int(rng.choice(4, p=(0.42, 0.23, 0.23, 0.12)))
            turns = phase + 2 * np.pi * hertz * np.arange(stop - start) / config.fps
            part = slice(start, stop)
            wave_T[part] = np.sin(turns)
            if style == 0:  # both paws, together or in turn
                lag = rng.choice((0.0, np.pi))
                strokes_T2[part] = 0.5 + 0.45 * np.sin(turns[:, None] + np.array([0.0, lag]))
            elif style < 3:  # one paw over ear and cheek, head tilted towards it
                side = style - 1
                strokes_T2[part, side] = 0.5 + 0.5 * np.sin(turns)
                strokes_T2[part, 1 - side] = 0.1
                turned[part] = 0.30 if side else -0.30
            else:  # licking the flank: head turned back
                turned[part] = rng.choice((-1.0, 1.0)) * rng.uniform(0.8, 1.0)
                strokes_T2[part] = 0.15
            phase, start = float(turns[-1]), stop
    head_angle += _low_pass(turned, math.exp(-1 / (0.08 * config.fps))) + 0.09 * wave_T
    reach += 0.10 * wave_T
    return strokes_T2
