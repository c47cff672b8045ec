"""Pictures of the viewer's widgets in use, dark and light, of a simulated visit: `make screenshots`.

xvfb-run -a -s '-screen 0 1280x800x24' python -m scripts.screenshots SCANS OUT [README_FOLDER]
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from qtpy.QtWidgets import QApplication

from benchmarks.visit import protocol
from usimg.study import Study
from usimg_napari.app import open_reading, open_study
from usimg_napari.places import beside

if TYPE_CHECKING:
    from napari.viewer import Viewer

SIZE = (1280, 800)
# Pictures of the README: name -> file; the others are for looking at.
README = {"dark-2-labels": "labels.png", "dark-4-grid": "grid.png", "dark-6-picture": "review.png"}
COLOURS = 128


def wait(seconds: float = 0.4) -> None:
    """Let Qt draw."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        QApplication.processEvents()
        time.sleep(0.01)


def wait_until(done: Callable[[], bool], seconds: float = 300.0) -> None:
    """Let Qt and the background work until something holds."""
    until = time.monotonic() + seconds
    while not done() and time.monotonic() < until:
        wait(0.2)


class Camera:
    """Takes pictures of a whole window."""

    def __init__(self, out: Path, theme: str) -> None:
        self.out = out
        self.theme = theme
        self.number = 0

    def shoot(self, viewer: Viewer, name: str) -> None:
        """Write ``THEME-NUMBER-NAME.png`` with few colours: ultrasound is grey."""
        wait()
        self.number += 1
        pixels: Any = viewer.screenshot(canvas_only=False, flash=False)
        image = Image.fromarray(np.asarray(pixels)[..., :3]).quantize(COLOURS, dither=Image.Dither.NONE)
        image.save(self.out / f"{self.theme}-{self.number}-{name}.png", optimize=True)


def take(scans: Path, out: Path, theme: str) -> None:
    """All pictures in one theme, of a study that is made for it and thrown away."""
    with tempfile.TemporaryDirectory() as place:
        copy = Path(shutil.copytree(scans, Path(place) / "scans"))
        study = Study.create(beside(copy), source=copy)
        (study.root / "protocol.toml").write_text(protocol(2, 1), encoding="utf-8")
        _take_from(copy, Camera(out, theme), study.root)


def _take_from(scans: Path, camera: Camera, study: Path) -> None:
    viewer = open_study(scans, "A. Reader")
    viewer.theme = camera.theme
    viewer.window.resize(*SIZE)
    bench: Any = viewer.window.dock_widgets["usimg visit"].bench  # type: ignore[attr-defined]
    wait(3.0)
    bench.visit.protocol.setCurrentText("protocol.toml")
    camera.shoot(viewer, "to-label")
    bench.do("lay")
    camera.shoot(viewer, "labels")
    bench.do("confirm")
    wait(1.0)
    camera.shoot(viewer, "labelled")
    bench.do("next_visit")
    bench.do("lay")
    bench.do("confirm")
    wait_until(lambda: not bench.backlog.waiting and not bench.worker.busy("outlines"))
    bench.do("labels")
    wait_until(lambda: not bench.worker.busy("pictures"))
    bench.review.go(next(i for i, page in enumerate(bench.review.pages) if "left upper" in page.title))
    bench.do("accept_row")
    bench.do("select_next")
    bench.do("grade_2")
    camera.shoot(viewer, "grid")
    bench.do("help")
    camera.shoot(viewer, "keys")
    bench.do("help")
    bench.do("open")
    wait(1.5)
    camera.shoot(viewer, "picture")
    bench.end()
    viewer.close()
    viewer = open_reading(study, "B. Reader", sample=6)
    viewer.theme = camera.theme
    viewer.window.resize(*SIZE)
    wait(2.0)
    camera.shoot(viewer, "blind")
    viewer.close()


if __name__ == "__main__":
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    target.mkdir(parents=True, exist_ok=True)
    for one in ("dark", "light"):
        take(source, target, one)
    if len(sys.argv) > 3:
        for name, file in README.items():
            Path(sys.argv[3], file).write_bytes((target / f"{name}.png").read_bytes())
