"""One page that shows what the demo made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from PIL import Image

from mouse_ar.core.types import Ethogram, Interval
from mouse_ar.video.reader import open_video

__all__ = ["demo_page", "demo_picture"]

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Mouse Action Recognition: demo</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; color: #222;
       padding: 0 1rem; }
pre { background: #f5f6f8; padding: .8rem; overflow-x: auto; font-size: 13px; }
img, video { max-width: 100%; border: 1px solid #ddd; }
table { border-collapse: collapse; } td { padding: .15rem 1rem .15rem 0; }
</style></head><body>
<h1>Demo, seed {{ figures.seed }}</h1>
<p>Everything below was made in this run, in {{ "%.0f"|format(figures.seconds_total) }} seconds:
labelled synthetic videos were preprocessed, a model was trained on them from scratch, evaluated on
videos it had never seen, and used to annotate those.</p>
<pre>{{ table }}</pre>
<h2>True and predicted bouts on the held-out videos</h2>
<p>All figures, zoomable, with the worst errors as clips:
<a href="evaluation/evaluation.html">report of the evaluation</a>.</p>
<img src="evaluation/ethogram.png" alt="ethogram">
{% if overlays %}<h2>Predictions drawn into a held-out video</h2>
<video src="{{ overlays[0] }}" controls loop muted></video>{% endif %}
<h2>Files</h2>
<table>{% for path, text in files %}
<tr><td><a href="{{ path }}">{{ path }}</a></td><td>{{ text }}</td></tr>{% endfor %}</table>
<h2>Time</h2>
<table>{% for name, seconds in figures.seconds.items() %}
<tr><td>{{ name }}</td><td>{{ seconds }} s</td></tr>{% endfor %}</table>
</body></html>
"""

_FILES = (
    ("input", "labelled videos: an Input Project in Supervisely video format"),
    ("data", "Training Data project: clips, val and test videos, manifest"),
    ("demo.png", "a predicted frame and the ethogram in one picture"),
    ("run/checkpoints/best.safetensors", "the trained model"),
    ("run/events.jsonl", "loss, learning rate and validation of the training"),
    ("evaluation/evaluation.html", "report: key figures, bouts over time, the worst errors"),
    ("evaluation/evaluation.md", "metrics per video and action"),
    ("predictions/project", "the held-out videos with predicted tags and mouse boxes"),
    ("predictions/bouts.csv", "one row per predicted bout"),
    ("predictions/summary.csv", "counts, durations, latency per video and action"),
    ("predictions/scores", "per-frame probabilities"),
    ("predictions/overlays", "videos with boxes and bouts drawn in"),
    ("report.json", "the figures above"),
)


def demo_picture(path: Path, *, overlay: Path, predicted: Ethogram, chart: Path) -> None:
    """A frame of an overlay video beside an ethogram: one picture of what the demo made.

    Args:
        path: PNG file to write.
        overlay: video with the predictions drawn in.
        predicted: bouts of that video; the frame is from the middle of the longest.
        chart: PNG of the ethogram.
    """
    longest = max(predicted.bouts, key=lambda bout: bout.interval.length, default=None)
    shown = longest.interval if longest else Interval(0, predicted.num_frames)
    with open_video(overlay) as reader:
        frame = Image.fromarray(reader.get_batch([(shown.start + shown.stop) // 2])[0])
    with Image.open(chart) as opened:
        strip = opened.convert("RGB")
    frame = frame.resize((frame.width * strip.height // frame.height, strip.height))
    picture = Image.new("RGB", (frame.width + strip.width, strip.height))
    picture.paste(frame, (0, 0))
    picture.paste(strip, (frame.width, 0))
    picture.save(path, optimize=True)


def demo_page(folder: Path, *, table: str, figures: Mapping[str, Any]) -> Path:
    """Write ``index.html`` into the demo's folder and return its path."""
    overlays = sorted(p.relative_to(folder).as_posix() for p in folder.glob("*/overlays/*.mp4"))
    template = jinja2.Environment(autoescape=True).from_string(_PAGE)
    page = folder / "index.html"
    page.write_text(
        template.render(table=table, figures=figures, overlays=overlays, files=_FILES),
        encoding="utf-8",
    )
    return page
