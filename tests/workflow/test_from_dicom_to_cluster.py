"""The whole way: scans in, outlines, a correction with the mouse, numbers and groups out."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

import usimg
from usimg.study import Study
from usimg_napari.app import open_study
from usimg_napari.desk import StudyDesk
from usimg_napari.review import Review, Status

BICEPS = "biceps_brachii"
DRAGGED_PX = 14  # on the screen


def run(*arguments: str | Path) -> str:
    """A usimg command, as a person types it."""
    command = [sys.executable, "-W", "ignore", "-m", "usimg.cli", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def archive(sample_dicoms, tmp_path) -> Path:
    """The right upper arm of every subject of the samples, and the lines of the manifest that say so."""
    folder = tmp_path / "archive"
    folder.mkdir()
    with (sample_dicoms / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    wanted = [r for r in rows if (r["view"], r["side"], r["repeat"]) == ("upper_arm", "right", "1")]
    assert len(wanted) == 8
    for row in wanted:
        shutil.copy(sample_dicoms / row["file"], folder)
    with (folder / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(wanted)
    return folder


@pytest.fixture
def study(archive, tmp_path) -> Study:
    """What ``usimg extract`` makes of the archive."""
    run("extract", archive, "--study", tmp_path / "study", "--manifest", archive / "manifest.csv")
    return Study.open(tmp_path / "study")


def canvas_of(viewer):
    return viewer.window._qt_viewer.canvas


def on_screen(viewer, vertex) -> QPoint:
    """Where a vertex of the outlines lies on the canvas."""
    canvas = canvas_of(viewer)
    y, x = viewer.layers["outlines"].data_to_world(vertex)[-2:]
    place = canvas.view.scene.node_transform(canvas._scene_canvas.scene).map([x, y])
    return QPoint(*(round(float(value)) for value in place[:2] / place[3]))


def lower_handle_in_the_middle(vertices: np.ndarray) -> np.ndarray:
    """Of the lower half's handles the one nearest to the middle of the picture."""
    lower = vertices[:, 0] > vertices[:, 0].mean()
    middle = (vertices[:, 1].min() + vertices[:, 1].max()) / 2
    return vertices[np.argmin(np.where(lower, np.abs(vertices[:, 1] - middle), np.inf))].copy()


def drag_down(viewer, qtbot, vertex: np.ndarray, *, meanwhile) -> None:
    """Take hold of a vertex with the mouse, pull it down, look ``meanwhile``, let it go."""
    native, start = canvas_of(viewer).native, on_screen(viewer, vertex)
    QTest.mouseMove(native, start)
    QTest.mousePress(native, Qt.MouseButton.LeftButton, pos=start)
    for down in range(1, DRAGGED_PX + 1):
        QTest.mouseMove(native, start + QPoint(0, down))
        qtbot.wait(5)
    meanwhile()
    QTest.mouseRelease(native, Qt.MouseButton.LeftButton, pos=start + QPoint(0, DRAGGED_PX))
    qtbot.wait(50)


def area_px2(polygon: np.ndarray) -> float:
    r, c = polygon.T
    return 0.5 * abs(float(np.dot(r, np.roll(c, -1)) - np.dot(c, np.roll(r, -1))))


def thickness_mm(frame: usimg.Frame, roi: usimg.Roi) -> float:
    return float(usimg.measure(frame, [roi])["thickness_mm"].iloc[0])


def severity(table: Path) -> dict[str, float]:
    """What ``usimg cluster`` says of each subject."""
    return json.loads(run("cluster", table, "--echo", "raw", "--json"))["severity_sd"]


def test_a_correction_in_the_viewer_is_the_value_in_the_table_and_in_the_groups(
    study, tmp_path, viewer, qtbot
):
    assert study.wide().empty  # nothing counts before a person looked

    # Open: the first subject's arm is on the screen with its numbers.
    open_study(study.root, "A. Smith", viewer=viewer)
    viewer.window.resize(1280, 800)
    qtbot.wait(300)  # until the window has its size
    panel = viewer.window.dock_widgets["usimg review"]
    assert panel.review.page.title.startswith("S01")
    row = [held.roi.structure for held in panel.review.held].index(BICEPS)
    panel.review.select(row)
    before, (frame, _) = panel.review.held[row].roi, panel.review.open()

    # Drag a vertex of its lower edge down; the numbers follow before it is let go.
    shape = [part.owner for part in panel.canvas._shown].index(row)
    vertex = lower_handle_in_the_middle(viewer.layers["outlines"].data[shape])
    shown = panel.table.item(row, 2).text()

    def numbers_follow_and_nothing_is_kept_yet() -> None:
        assert panel.table.item(row, 2).text() != shown
        assert study.current()["state"].eq("automatic").all()

    drag_down(viewer, qtbot, vertex, meanwhile=numbers_follow_and_nothing_is_kept_yet)

    # The numbers changed by what geometry says: by the area that was added, over the width.
    after = panel.review.held[row].roi
    added_px = (area_px2(after.polygon) - area_px2(before.polygon)) / np.ptp(before.polygon[:, 1])
    assert added_px > 1.0
    row_mm = frame.calibration_at(after.polygon).row_mm
    automatic_mm, corrected_mm = thickness_mm(frame, before), thickness_mm(frame, after)
    assert corrected_mm - automatic_mm == pytest.approx(added_px * row_mm, rel=0.02)
    assert panel.table.item(row, 2).text() == f"{corrected_mm:.1f} mm"

    # Accept it and, as they are, those of the other subjects: Enter each.
    for _ in panel.review.pages:
        QTest.keyClick(canvas_of(viewer).native, Qt.Key.Key_Return)
        qtbot.wait(5)
    assert viewer.window.dock_widgets["usimg work list"].left.text() == "all 8 frames are done"
    viewer.close()

    # The study and its table have the corrected value.
    rows = study.current(geometry=True)
    own = rows[(rows["subject"] == "S01") & (rows["structure"] == BICEPS)].iloc[0]
    assert (own["state"], own["author"], own["thickness_mm"]) == ("corrected", "A. Smith", corrected_mm)
    wide = study.wide().set_index("subject")
    assert len(wide) == 8
    (feature,) = [name for name in wide if re.fullmatch(rf"{BICEPS}__.*__right__thickness_mm", name)]
    assert wide.loc["S01", feature] == corrected_mm

    # The clusters are made with it: with the automatic value this subject would lie elsewhere.
    wide.loc["S01", feature] = automatic_mm
    wide.to_csv(tmp_path / "uncorrected.csv")
    corrected, uncorrected = severity(study.root), severity(tmp_path / "uncorrected.csv")
    assert set(corrected) == set(wide.index)
    assert corrected["S01"] != pytest.approx(uncorrected["S01"], abs=1e-6)

    # Opened again, the accepted outline is what is shown.
    again = Review(StudyDesk(study))
    kept = next(held for held in again.held_on(0) if held.roi.structure == BICEPS)
    assert kept.status == Status.ACCEPTED
    assert kept.roi.polygon == pytest.approx(after.polygon)
