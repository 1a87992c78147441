"""``python -m supervisely_double --port 8090 --folder DIR``: an instance to open the apps on."""

from __future__ import annotations

import argparse
import signal
import threading
from pathlib import Path

from supervisely_double.demo import add_demo, instructions
from supervisely_double.double import Double, running


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m supervisely_double", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090, help="the control port is the next one")
    parser.add_argument("--folder", type=Path, default=Path("play"), help="its files and its log")
    parser.add_argument("--demo", action="store_true", help="with a small labelled project in it")
    given = parser.parse_args()
    double = Double(given.folder)
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    ports = {"port": given.port, "control_port": given.port + 1}
    with running(double, host=given.host, **ports):
        project_id = add_demo(double, given.folder / "input") if given.demo else None
        print(instructions(double, project_id), flush=True)  # noqa: T201
        over.wait()


if __name__ == "__main__":
    main()
