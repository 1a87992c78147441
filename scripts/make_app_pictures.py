"""Draws icon and poster of the three apps: apps/*/media/{icon,poster}.png.

The same mouse on each; the colour and the motif tell the apps apart: a film cut into clips, a
learning curve, a timeline with tags. Run it again after a change and look at the pictures:

    python scripts/make_app_pictures.py
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Ellipse, FancyBboxPatch, PathPatch, Wedge
from matplotlib.path import Path as Outline
from matplotlib.transforms import Affine2D
from PIL import Image

APPS = Path(__file__).resolve().parents[1] / "apps"
ICON_PX = (512, 512)
POSTER_PX = (1600, 900)
DPI = 100
PAPER, INK, ROSE = "#fbfaf7", "#1b2437", "#f3aaa5"
GROOMING, TWITCH = "#2e86de", "#ee5253"  # as in configs/actions.yaml
M, L, C = Outline.MOVETO, Outline.LINETO, Outline.CURVE4


@dataclass(frozen=True, kw_only=True)
class App:
    """What distinguishes the pictures of one app."""

    title: str
    line: str
    background: str
    shade: str
    motif: Callable[[Axes, float, float, float], None]


def box(
    axes: Axes, left: float, bottom: float, width: float, height: float, colour: str, radius: float
) -> None:
    """A filled rectangle with round corners."""
    style = f"round,pad=0,rounding_size={min(radius, width / 2, height / 2)}"
    axes.add_patch(
        FancyBboxPatch((left, bottom), width, height, boxstyle=style, facecolor=colour, linewidth=0)
    )


def mouse(axes: Axes, x: float, y: float, scale: float) -> None:
    """The mouse, looking right; 134 units long with its tail, 60 high, feet at ``y``."""
    move = Affine2D().scale(scale).translate(x, y) + axes.transData

    def add(patch: Circle | Ellipse | PathPatch, zorder: float) -> None:
        patch.set_transform(move)
        patch.set_zorder(zorder)
        axes.add_patch(patch)

    def stroke(points: list[tuple[float, float]], width: float, colour: str, zorder: float) -> None:
        px_per_unit = abs(move.transform((1, 0))[0] - move.transform((0, 0))[0])
        line = PathPatch(Outline(points, [M, C, C, C]), fill=False, edgecolor=colour)
        line.set(linewidth=width * px_per_unit * 72 / DPI, capstyle="round")
        add(line, zorder)

    stroke([(12, 11), (-12, -4), (-16, 26), (-34, 16)], 4.2, ROSE, 2)
    for foot in (30, 70):
        add(Ellipse((foot, 2.5), 17, 6, facecolor=ROSE, linewidth=0), 2)
    add(Circle((61, 44), 11, facecolor="#dcd8cf", linewidth=0), 2)
    body = [(99, 19), (95, 31), (84, 41), (70, 43), (56, 61), (20, 62), (9, 38), (2, 20), (10, 4)]
    body += [(26, 4), (26, 4), (78, 4), (78, 4), (90, 4), (98, 10), (99, 19)]
    add(PathPatch(Outline(body, [M] + [C] * 15), facecolor=PAPER, linewidth=0), 3)
    add(Circle((71, 42), 13, facecolor=PAPER, linewidth=0), 4)
    add(Circle((71, 42), 8.2, facecolor=ROSE, linewidth=0), 5)
    add(Circle((85, 25), 2.9, facecolor=INK, linewidth=0), 5)
    add(Circle((85.9, 26), 0.9, facecolor="white", linewidth=0), 6)
    add(Circle((98.6, 19), 3.1, facecolor=ROSE, linewidth=0), 5)
    for tip in (19, 14, 9):
        stroke([(93, 16), (89, (16 + tip) / 2), (85, tip), (80, tip)], 0.8, "#b3ad9f", 5)


def film(axes: Axes, left: float, bottom: float, width: float, height: float) -> None:
    """A piece of film with its perforation."""
    box(axes, left, bottom, width, height, INK, height * 0.12)
    hole = height * 0.11
    count = max(2, round(width / (height * 0.3)))
    for middle in left + (np.arange(count) + 0.5) * width / count:
        for y in (0.07, 0.82):
            box(axes, middle - hole * 0.6, bottom + y * height, hole * 1.2, hole, PAPER, hole * 0.3)


def scissors(axes: Axes, x: float, y: float, size: float) -> None:
    """Open scissors that point up, their joint at (x, y)."""
    for side in (-1, 1):
        turn = Affine2D().rotate_deg(side * 20).translate(x, y) + axes.transData
        edge = side * size * 0.11
        blade = [(0, -size * 0.34), (edge, -size * 0.2), (edge, size * 0.5), (0, size), (0, 0)]
        points = np.array([*blade[:4], blade[0]])
        outline = PathPatch(Outline(points, closed=True), facecolor=PAPER, linewidth=0, zorder=8)
        outline.set_transform(turn)
        ring = Wedge(
            (side * size * 0.1, -size * 0.55), size * 0.27, 0, 360, width=size * 0.11, zorder=8
        )
        ring.set(facecolor=ROSE, linewidth=0, transform=turn)
        axes.add_patch(outline)
        axes.add_patch(ring)
    axes.add_patch(Circle((x, y), size * 0.055, facecolor=INK, linewidth=0, zorder=9))


def clips(axes: Axes, x: float, y: float, width: float) -> None:
    """Preprocess: a film, cut between two clips."""
    height, gap = width * 0.24, width * 0.13
    part = (width - gap) / 2
    for left, colour in ((x, GROOMING), (x + part + gap, TWITCH)):
        film(axes, left, y, part, height)
        frame = part * 0.26
        for i in range(3):
            start = left + part * 0.06 + i * (frame + part * 0.05)
            box(axes, start, y + height * 0.24, frame, height * 0.52, colour, height * 0.06)
    scissors(axes, x + width / 2, y + height * 0.28, width * 0.19)


def curve(axes: Axes, x: float, y: float, width: float) -> None:
    """Train: a learning curve, with the best checkpoint marked."""
    height = width * 0.34
    box(axes, x, y, width, height, INK, width * 0.04)
    t = np.linspace(0, 1, 129)
    score = 0.14 + 0.66 * (1 - np.exp(-3.2 * t)) + 0.035 * np.sin(7 * t)
    px, py = x + width * (0.08 + 0.84 * t), y + height * score
    unit = axes.transData.transform((width, 0))[0] - axes.transData.transform((0, 0))[0]
    line_points = unit * 72 / DPI
    for level in (0.2, 0.5, 0.8):
        lines = [y + height * level] * 2
        span = [x + width * 0.06, x + width * 0.94]
        axes.plot(span, lines, color="#3a465f", lw=line_points * 0.006, zorder=6)
    axes.plot(px, py, color="#ffc857", lw=line_points * 0.024, solid_capstyle="round", zorder=7)
    for i in (0, 32, 64, 96):
        axes.add_patch(Circle((px[i], py[i]), width * 0.022, facecolor=PAPER, lw=0, zorder=8))
    axes.add_patch(Circle((px[-1], py[-1]), width * 0.042, facecolor="#ffc857", lw=0, zorder=8))
    axes.add_patch(Circle((px[-1], py[-1]), width * 0.02, facecolor=INK, lw=0, zorder=9))


def timeline(axes: Axes, x: float, y: float, width: float) -> None:
    """Infer: the timeline of a video, with the tags of both actions."""
    height = width * 0.34
    box(axes, x, y, width, height, INK, width * 0.04)
    rows = (
        (0.58, GROOMING, ((0.07, 0.24), (0.44, 0.13), (0.76, 0.17))),
        (0.18, TWITCH, ((0.15, 0.05), (0.37, 0.05), (0.63, 0.05), (0.86, 0.05))),
    )
    for level, colour, tags in rows:
        track = y + height * (level + 0.1)
        box(axes, x + width * 0.05, track, width * 0.9, height * 0.05, "#3a465f", height)
        for start, length in tags:
            left = x + width * start
            box(axes, left, y + height * level, width * length, height * 0.25, colour, width * 0.02)


STYLES = {
    "preprocess": App(
        title="Preprocess",
        line="Tagged videos become\ntraining clips",
        background="#11857b",
        shade="#0d6f67",
        motif=clips,
    ),
    "train": App(
        title="Train",
        line="A model that knows\nyour actions",
        background="#c8621b",
        shade="#ad5214",
        motif=curve,
    ),
    "infer": App(
        title="Infer",
        line="Bouts in new videos:\ncounts, durations, times",
        background="#4a55a8",
        shade="#3d478f",
        motif=timeline,
    ),
}


def canvas(size: tuple[int, int], colour: str) -> tuple[Figure, Axes]:
    """A figure of that many pixels, with one unit to the pixel."""
    figure = Figure(figsize=(size[0] / DPI, size[1] / DPI), dpi=DPI, facecolor=colour)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set(xlim=(0, size[0]), ylim=(0, size[1]))
    axes.set_axis_off()
    return figure, axes


def icon(app: App) -> Figure:
    """The square picture of an app."""
    figure, axes = canvas(ICON_PX, app.background)
    axes.add_patch(Circle((256, 292), 196, facecolor=app.shade, linewidth=0, zorder=0))
    mouse(axes, 150, 236, 2.9)
    app.motif(axes, 76, 78, 360)
    return figure


def poster(app: App) -> Figure:
    """The wide picture of an app, with its name."""
    figure, axes = canvas(POSTER_PX, app.background)
    axes.add_patch(Circle((1180, 470), 380, facecolor=app.shade, linewidth=0, zorder=0))
    mouse(axes, 1005, 420, 4.7)
    app.motif(axes, 870, 160, 620)
    text = {"color": PAPER, "va": "baseline", "family": "DejaVu Sans"}
    axes.text(110, 640, "MOUSE ACTION RECOGNITION", size=24, weight="bold", alpha=0.85, **text)
    axes.text(104, 490, app.title, size=68, weight="bold", **text)
    axes.text(110, 320, app.line, size=32, linespacing=1.45, **text)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Writes a picture without time or version, so that equal pictures are equal files."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, facecolor=figure.get_facecolor())
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.open(buffer).convert("RGB").save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def main() -> None:
    """Draws all six pictures."""
    with mpl.rc_context({"path.simplify": False}):
        for name, app in STYLES.items():
            save(icon(app), APPS / name / "media" / "icon.png")
            save(poster(app), APPS / name / "media" / "poster.png")


if __name__ == "__main__":
    main()
