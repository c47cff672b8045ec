"""A desk in memory, frames from arrays, a viewer model without a display, and a viewer with one."""

from __future__ import annotations

import shutil
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

import usimg
from usimg import anatomy
from usimg.errors import StudyRefused
from usimg.roi import Roi
from usimg.scan import Calibration, Frame, Kind, Picture, Pixels
from usimg.simulate import median_nerve_wrist, upper_arm
from usimg.simulate.dicom import ENCODINGS, PixelRegion, Tags, write_dicom
from usimg.study import Study
from usimg.study.private import Source
from usimg.study.schema import outline_id, outline_of, target_of, write_part

with warnings.catch_warnings():
    # napari and its dependencies warn of pydantic's own deprecations while they are imported.
    warnings.simplefilter("ignore")
    from napari.components import ViewerModel
    from napari.utils._proxies import ReadOnlyWrapper
    from napari.utils.interactions import (
        mouse_double_click_callbacks,
        mouse_move_callbacks,
        mouse_press_callbacks,
        mouse_release_callbacks,
    )

    from usimg_napari.canvas import Canvas
    from usimg_napari.lazy import FrameStack
    from usimg_napari.pages import Brief, Values
    from usimg_napari.review import Held, Page, Review, Status

ROW_MM, COL_MM = 0.1, 0.08


class Arrays:
    """Pixels from arrays in memory; counts what was decoded."""

    def __init__(self, *frames: np.ndarray) -> None:
        self.frames = frames
        self.touched: list[int] = []

    def pixels(self, index: int) -> Pixels:
        self.touched.append(index)
        gray = self.frames[index]
        gray.setflags(write=False)
        return Pixels(gray, None, "stored grey", "none")

    def sha256(self) -> str:
        return "a" * 64


def everything(frame: Frame) -> Picture:
    return Picture(Kind("b_mode"), np.ones(frame.shape, bool), np.zeros(frame.shape, bool))


def frames_of(*grays: np.ndarray, calibrated: bool = True) -> tuple[Frame, ...]:
    scale = Calibration(ROW_MM, COL_MM, "given") if calibrated else None
    source = Arrays(*grays)
    return tuple(
        Frame(
            "scan.dcm", index, gray.shape, source, everything, calibration=scale,
            calibration_reason="" if calibrated else "the file states no scale",
        )
        for index, gray in enumerate(grays)
    )  # fmt: skip


def square(row: float, col: float, size: float = 40.0) -> np.ndarray:
    return np.array([[row, col], [row, col + size], [row + size, col + size], [row + size, col]])


@dataclass
class MemoryDesk:
    """Pages and a log of lines, as a study keeps them."""

    content: dict[Page, tuple[tuple[Frame, ...], tuple[Held, ...]]]
    lines: list[tuple[str, str, str, str]] = field(default_factory=list)
    full: bool = False
    definitions: anatomy.Protocol = field(default_factory=anatomy.generic_protocol)

    def pages(self):
        return tuple(self.content)

    def briefs(self, page):
        return tuple(
            Brief(
                one.target, one.roi.structure, one.roi.side, one.status, one.reason, one.roi.flags,
                one.roi.confidence, one.roi.validated, drawn=bool(len(one.roi.points)),
            )
            for one in self.content[page][1]
        )  # fmt: skip

    def roi(self, page, target):
        return next(one.roi for one in self.content[page][1] if one.target == target)

    def values(self, target):
        return Values()

    def open_page(self, page):
        frames = self.content[page][0]
        return frames[page.frame], FrameStack(frames)

    def write(self, author, verb, page, held):
        if self.full:
            raise StudyRefused("this decision is NOT saved (no space left)")
        return self._line(author, verb, held.target)

    def say(self, author, kind, page, target, said):
        if self.full:
            raise StudyRefused("this decision is NOT saved (no space left)")
        return self._line(author, f"{kind} {dict(said)}", target)

    def undo(self, author, decision):
        return self._line(author, "undo", decision)

    def calibrate(self, author, scales):
        self.content = {
            Page(page.scan, page.frame, page.title): (
                tuple(f.with_calibration(scales[page]) for f in frames) if page in scales else frames, held
            )
            for page, (frames, held) in self.content.items()
        }  # fmt: skip
        return [self._line(author, "calibrate", page.scan) for page in scales]

    def close(self):
        pass

    def _line(self, author, verb, what):
        self.lines.append((f"line {len(self.lines)}", author, verb, what))
        return self.lines[-1][0]


def a_desk() -> MemoryDesk:
    """Three pages: a nerve and a muscle, a flagged muscle, a clip without a scale whose frame 1 counts."""
    speckle = np.random.default_rng(0).integers(40, 200, (200, 240), dtype=np.uint8)
    small = np.full((100, 120), 90, np.uint8)
    nerve = Roi(polygon=square(50, 60), structure="median_nerve", side="left", method="classical 1")
    muscle = Roi(polygon=square(120, 100), structure="biceps_brachii", side="left", method="classical 1")
    doubt = replace(muscle, flags=("touches the edge",), confidence=0.3)
    return MemoryDesk(
        {
            Page("a" * 64, 0, "s-1 upper arm"): (
                frames_of(speckle),
                (Held("nerve", nerve), Held("muscle", muscle)),
            ),
            Page("b" * 64, 0, "s-2 biceps"): (frames_of(speckle[::-1].copy()), (Held("doubt", doubt),)),
            Page("c" * 64, 1, "s-3 clip"): (
                frames_of(small, small + 10, small + 20, calibrated=False),
                (Held("clip", replace(nerve, polygons=(square(20, 20),), polygon=None)),),
            ),
        }
    )


@pytest.fixture
def desk() -> MemoryDesk:
    return a_desk()


@pytest.fixture
def review(desk) -> Review:
    return Review(desk, author="A. Smith")


@pytest.fixture
def said() -> list[str]:
    """What the person was told."""
    return []


@pytest.fixture
def model() -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def canvas(model, review, said) -> Canvas:
    canvas = Canvas(model, review, said.append)
    canvas.mode("direct")
    # What a canvas on the screen would tell: 0.02 mm a screen pixel, so a vertex is about 2 px across.
    canvas.outlines._update_draw(0.02, np.array([[0, 0], [200, 240]]), (800, 960))
    return canvas


def automatic_row(roi: Roi, scan: str, subject: str, **fields: Any) -> dict[str, Any]:
    """A row as a run writes it; the numbers are those that the tests look at."""
    row = {
        "status": "measured", "subject": subject, "visit": "1", "view": "", "scan": scan, "frame": 0,
        "region": None, "repeat": 1, "structure": roi.structure, "site": roi.site, "side": roi.side,
        "plane": roi.plane, "method": roi.method, "confidence": roi.confidence, "validated": True,
        "flags": list(roi.flags), "reason": "", "thickness_mm": 20.0, "run": "run1", "generation": 1,
        "calibration_source": "region",
    } | fields | outline_of(roi)  # fmt: skip
    return row | {"outline": outline_id(target_of(row), roi.method, row)}


@pytest.fixture(scope="session")
def simulated(tmp_path_factory) -> tuple[list[Path], list[list[dict[str, Any]]]]:
    """An upper arm in DICOM, a wrist in PNG with a given scale, and the rows of their true outlines."""
    folder = tmp_path_factory.mktemp("scans")
    arm, wrist = upper_arm(1), median_nerve_wrist(2)
    files = [folder / "arm.dcm", folder / "wrist.png"]
    frame = np.repeat(arm.image[None, :, :, None], 3, axis=3)
    region = PixelRegion(arm.display.box, arm.spacing)
    write_dicom(files[0], frame, ENCODINGS["grey_native"], Tags("P1", "ARM", "S"), [region])
    Image.fromarray(wrist.image).save(files[1])
    scans = [usimg.read(path).id for path in files]
    seen = {"side": "left", "plane": "transverse", "method": "classical 1"}
    layers = [arm.layer("biceps_brachii"), arm.layer("brachialis")]
    muscles = [
        Roi(polygon=layer.polygon, upper=layer.upper, lower=layer.lower, structure=layer.structure,
            confidence=0.8, **seen)
        for layer in layers
    ]  # fmt: skip
    nerve = Roi(
        polygon=wrist.sections[0].inside_rim, structure="median_nerve", confidence=0.4,
        flags=("two borders are equally likely",), **seen,
    )  # fmt: skip
    row_mm, col_mm = wrist.spacing
    given = {"row_mm": row_mm, "col_mm": col_mm, "calibration_source": "given"}
    return files, [
        [automatic_row(roi, scans[0], "P1", view="upper_arm_anterior") for roi in muscles],
        [automatic_row(nerve, scans[1], "P2", **given)],
    ]


@pytest.fixture
def study(tmp_path, simulated) -> Study:
    """The simulated files as a run left them in a study."""
    originals, rows = simulated
    study = Study.create(tmp_path / "study")
    sources = []
    for original, own in zip(originals, rows, strict=True):
        path = Path(shutil.copy(original, tmp_path))
        status = path.stat()
        sources.append(Source(own[0]["scan"], str(path), status.st_size, status.st_mtime_ns, ""))
    write_part(study.automatic / "run1-0001.parquet", [row for own in rows for row in own])
    study.sources.append("run1", sources)
    return study


@dataclass
class Mouse:
    """Presses, moves and releases on a layer, through the callbacks that napari's own mouse calls."""

    layer: Any
    position: tuple[float, float] = (0.0, 0.0)
    down: bool = False

    def _event(self, kind: str, at: tuple[float, float]) -> Any:
        self.position = at
        world = (0.0, *self.layer.data_to_world(at))
        event = SimpleNamespace(
            type=kind, position=world, pos=np.array(at, float) * 10, modifiers=(), button=1,
            dims_displayed=[1, 2], dims_point=[0.0, 0.0, 0.0], view_direction=None, up_direction=None,
            is_dragging=kind == "mouse_move" and self.down, handled=False,
        )  # fmt: skip
        return ReadOnlyWrapper(event, exceptions=("handled",))

    def press(self, row: float, col: float) -> None:
        self.down = True
        mouse_press_callbacks(self.layer, self._event("mouse_press", (row, col)))

    def move(self, row: float, col: float) -> None:
        mouse_move_callbacks(self.layer, self._event("mouse_move", (row, col)))

    def release(self) -> None:
        self.down = False
        mouse_release_callbacks(self.layer, self._event("mouse_release", self.position))

    def click(self, row: float, col: float) -> None:
        self.press(row, col)
        self.release()

    def double_click(self, row: float, col: float) -> None:
        mouse_double_click_callbacks(self.layer, self._event("mouse_double_click", (row, col)))


@pytest.fixture
def mouse(canvas) -> Mouse:
    return Mouse(canvas.outlines)


@pytest.fixture
def mouse_on():
    """A mouse over any layer."""
    return Mouse


__all__ = ["Arrays", "MemoryDesk", "Status", "square"]
