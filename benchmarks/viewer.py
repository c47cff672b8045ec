"""How long a person waits in the viewer: a dragged vertex, the next scan, the first frame of a clip.

    xvfb-run -a -s '-screen 0 1280x800x24' python -m benchmarks.viewer

"Our own" is the time in usimg's code: outlines, shared borders, numbers, texts and table; the rest is
napari's redrawing, with software OpenGL where there is no graphics card. Times are the processor's (of this
thread), so that a busy machine does not change them much.
"""

from __future__ import annotations

import platform
import shutil
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import napari
import numpy as np
from napari.utils._proxies import ReadOnlyWrapper
from napari.utils.interactions import mouse_move_callbacks, mouse_press_callbacks, mouse_release_callbacks
from qtpy.QtWidgets import QApplication

import usimg
from usimg.roi import Roi
from usimg.simulate import Setup, upper_arm
from usimg.simulate.dicom import ENCODINGS, PixelRegion, Tags, write_dicom
from usimg.study import Study
from usimg.study.decisions import Target
from usimg.study.private import Source
from usimg.study.schema import features_of, outline_id, outline_of, write_part
from usimg_napari import canvas as canvas_module
from usimg_napari.desk import StudyDesk
from usimg_napari.lazy import FrameStack
from usimg_napari.panel import ReviewPanel
from usimg_napari.review import Review

SHAPE = (768, 1024)
SCANS = 12
MOVES = 60
FRAMES = 500


def main() -> None:
    """Build a study of simulated scans, open it, and time what a person waits for."""
    folder = Path(tempfile.mkdtemp(prefix="usimg-viewer-"))
    try:
        study = build(folder)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run(study, folder)
    finally:
        shutil.rmtree(folder)


def build(folder: Path) -> Study:
    """Scans of 1024 x 768, upper arms with four outlines each, and one clip."""
    study = Study.create(folder / "study")
    rows, sources = [], []
    setup = Setup(shape=SHAPE, window=(40, 60, 740, 960))
    phantom = upper_arm(1, setup=setup)
    region = PixelRegion(phantom.display.box, phantom.spacing)
    for number in range(SCANS + 1):
        shift = np.roll(phantom.image, number, axis=1)
        count = FRAMES if number == SCANS else 1
        path = folder / f"{number:02d}.dcm"
        pixels = np.broadcast_to(shift[None, :, :, None], (count, *SHAPE, 1))
        tags = Tags(f"P{number:02d}", "A", "S")
        write_dicom(path, np.repeat(pixels, 3, axis=3), ENCODINGS["grey_native"], tags, [region])
        scan = usimg.read(path)
        frame = scan.frames[0]
        rois = layers(phantom)
        table = usimg.measure(frame, rois).to_dict("records")
        rows += [row_of(scan.id, f"P{number:02d}", roi, one) for roi, one in zip(rois, table, strict=True)]
        status = path.stat()
        sources.append(Source(scan.id, str(path), status.st_size, status.st_mtime_ns, ""))
    write_part(study.automatic / "run1-0001.parquet", rows)
    study.sources.append("run1", sources)
    return study


def layers(phantom) -> list[Roi]:
    """Fat, biceps, brachialis and their sum."""
    found = []
    for name in ("subcutaneous_fat", "biceps_brachii", "brachialis"):
        layer = phantom.layer(name)
        upper, lower = layer.upper[::4], layer.lower[::4]
        found.append(roi_between(upper, lower, name))
    return [*found, roi_between(found[1].upper, found[2].lower, "biceps_brachialis")]


def roi_between(upper, lower, name: str) -> Roi:
    """A layer between two edges."""
    return Roi(
        polygon=np.concatenate([upper, lower[::-1]]), upper=upper, lower=lower, structure=name, side="left",
        plane="transverse", trace_rule="inner_edges", method="truth 1", confidence=0.9,
    )  # fmt: skip


def row_of(scan: str, subject: str, roi: Roi, measured) -> dict:
    """A row as a run writes it."""
    row = features_of(measured) | outline_of(roi)
    row |= {
        "status": "measured", "subject": subject, "visit": "1", "view": "upper_arm", "scan": scan, "frame": 0,
        "region": None, "repeat": 1, "structure": roi.structure, "site": "", "side": roi.side,
        "plane": roi.plane, "method": roi.method, "run": "run1", "generation": 1,
        "usimg_version": usimg.__version__,
    }  # fmt: skip
    target = Target(scan, 0, None, roi.structure, "", roi.side, 1)
    return row | {"outline": outline_id(target, roi.method, row)}


class Clock:
    """Times calls of methods, those inside each other once."""

    def __init__(self) -> None:
        self.spent = 0.0
        self._inside = 0

    def wrap(self, owner, name: str) -> None:
        """Count the time in a method of ours, with what it calls."""
        call = getattr(owner, name)

        def timed(*args, **kwargs):
            began = time.thread_time()
            self._inside += 1
            try:
                return call(*args, **kwargs)
            finally:
                self._inside -= 1
                if not self._inside:
                    self.spent += time.thread_time() - began

        setattr(owner, name, timed)


def run(study: Study, folder: Path) -> None:
    """Open the study and print the table."""
    clock = Clock()
    for name in ("_on_refresh", "_on_data"):
        clock.wrap(canvas_module.Canvas, name)
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1280, 800)
    review = Review(StudyDesk.open(study.root), "bench")
    panel = ReviewPanel(viewer, review)
    viewer.window.add_dock_widget(panel, area="right")
    app = QApplication.instance()
    app.processEvents()
    review.go(0)
    review.select(1)
    app.processEvents()

    print(f"usimg {usimg.__version__}, Python {platform.python_version()}, {platform.system()},"
          f" {SHAPE[1]} x {SHAPE[0]}, four outlines a scan; ms")  # fmt: skip
    print("\n| what | median | p95 |\n|---|---|---|")
    own, whole = drag(panel.canvas, clock, app)
    report("vertex drag to new numbers, our own time", own)
    report("the same with napari's redrawing", whole)
    report("next scan, until it can be used", [seconds(lambda: step(review, app)) for _ in range(SCANS - 2)])

    path = folder / f"{SCANS:02d}.dcm"
    report(
        "first frame of a 500-frame clip (read and show)",
        [seconds(lambda: first(path, viewer, app))],
    )
    stack = FrameStack(usimg.read(path).frames)
    report("a frame of it, scrubbing", [seconds(lambda k=k: stack[k]) for k in range(0, FRAMES, 25)])
    panel.review.desk.close()
    viewer.close()


def drag(canvas, clock: Clock, app) -> tuple[list[float], list[float]]:
    """Drag a vertex of the biceps' lower border through napari's own mouse callbacks."""
    layer = canvas.outlines
    part = next(part for part in canvas._shown if part.owner == 1)  # noqa: SLF001
    roi = canvas.rois[1]
    low = np.abs(part.vertices[:, 0] - np.interp(part.vertices[:, 1], roi.lower[:, 1], roi.lower[:, 0])) < 1
    at = np.flatnonzero(low)[len(np.flatnonzero(low)) // 2]
    row, col = part.vertices[at].astype(float)

    def event(kind: str, place):
        world = (0.0, *layer.data_to_world(place))
        told = SimpleNamespace(
            type=kind, position=world, pos=np.array(place) * 2, modifiers=(), button=1, handled=False,
            dims_displayed=[1, 2], dims_point=[0.0, 0.0, 0.0], view_direction=None, up_direction=None,
            is_dragging=True,
        )  # fmt: skip
        return ReadOnlyWrapper(told, exceptions=("handled",))

    own, whole = [], []
    mouse_press_callbacks(layer, event("mouse_press", (row, col)))
    for move in range(MOVES):
        clock.spent = 0.0
        began = time.thread_time()
        mouse_move_callbacks(layer, event("mouse_move", (row + 0.5 * (move + 1), col)))
        app.processEvents()
        whole.append(time.thread_time() - began)
        own.append(clock.spent)
    mouse_release_callbacks(layer, event("mouse_release", (row + 0.5 * MOVES, col)))
    app.processEvents()
    canvas.review.undo()
    return own, whole


def step(review, app) -> None:
    """Go to the next scan and let the screen settle."""
    review.next()
    app.processEvents()


def first(path: Path, viewer, app) -> None:
    """Open a clip as the reader does."""
    layer = viewer.add_image(FrameStack(usimg.read(path).frames), contrast_limits=(0, 255))
    app.processEvents()
    viewer.layers.remove(layer)


def seconds(call: Callable[[], object]) -> float:
    """Processor's seconds of a call, in this thread."""
    began = time.thread_time()
    call()
    return time.thread_time() - began


def report(what: str, times: list[float]) -> None:
    """One row of the table."""
    ms = sorted(1000 * one for one in times)
    p95 = ms[min(len(ms) - 1, int(np.ceil(0.95 * len(ms))) - 1)]
    print(f"| {what} | {statistics.median(ms):.1f} | {p95:.1f} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
