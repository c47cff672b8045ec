"""The whole way, as a person goes it: a folder, labels, outlines, a correction, a signature, tables."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt

import usimg
from usimg.study import Study
from usimg.study.exports import export
from usimg.study.signing import all_signatures
from usimg_napari import keys
from usimg_napari.app import open_study
from usimg_napari.desk import StudyDesk
from usimg_napari.pages import Status
from usimg_napari.review import Review

CTRL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def scans(tmp_path, sample_dicoms):
    """Three pictures of one person's visit, as a stick brings them."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for name in ("IM_0001.dcm", "IM_0002.dcm", "IM_0004.dcm"):
        shutil.copy(sample_dicoms / name, folder)
    return folder


@pytest.fixture
def bench(viewer, scans):
    bench = open_study(scans, "A. Smith", viewer=viewer).window.dock_widgets["usimg visit"].bench
    yield bench
    bench.end()


def wait_for_outlines(qtbot, bench) -> None:
    qtbot.waitUntil(lambda: not bench.backlog.waiting and not bench.worker.busy("outlines"), timeout=120_000)


def label_all(qtbot, bench) -> None:
    """By keyboard: the first is named, its side given; the next two are named together."""
    board = bench.visit.board
    board.put_cursor(0, 0)
    for name, side in (("upper arm", Qt.Key.Key_R), ("anterior thigh", Qt.Key.Key_R)):
        qtbot.keyClick(board, Qt.Key.Key_V)
        qtbot.keyClicks(bench.visit.what, name)
        qtbot.keyClick(bench.visit.what, Qt.Key.Key_Return)
        qtbot.keyClick(board, side)
        qtbot.keyClick(board, Qt.Key.Key_Right)
    qtbot.keyClick(board, Qt.Key.Key_K)


def test_from_a_folder_to_signed_numbers(bench, qtbot, viewer, scans, mouse_on):  # noqa: PLR0915  a journey is long
    study_folder = scans.parent / "scans usimg study"
    brought = sorted(scans.iterdir())
    assert bench.where == keys.LABELS
    assert "PHANTOM" in bench.visit.title.text()
    label_all(qtbot, bench)
    assert bench.sheet.left == "every picture is labelled"
    wait_for_outlines(qtbot, bench)
    board = bench.visit.board
    qtbot.keyClick(board, Qt.Key.Key_L, CTRL)
    assert bench.where == keys.GRID

    # Open the first tile, and lower the biceps' lower border by a vertex.
    review = bench.review
    review.go(next(i for i, page in enumerate(review.pages) if "upper arm" in page.title))
    qtbot.keyClick(board, Qt.Key.Key_O)
    assert bench.where == keys.PICTURE
    canvas = bench.panel.canvas
    structures = [held.roi.structure for held in review.held]
    review.select(structures.index("biceps_brachii"))
    before = bench.panel.canvas.numbers[review.selected]
    shape = next(i for i, part in enumerate(canvas._shown) if part.owner == review.selected)
    vertices = np.array(canvas.outlines.data[shape])
    lower = vertices[np.argmax(vertices[:, 0])]
    mouse = mouse_on(canvas.outlines)
    mouse.press(*lower)
    mouse.move(lower[0] + 4, lower[1])
    mouse.move(lower[0] + 8, lower[1])
    mouse.release()
    after = bench.panel.canvas.numbers[review.selected]
    assert after.thickness != before.thickness
    held = review.held[review.selected]
    assert held.status is Status.CORRECTED
    frame, _ = review.open()
    # What stands on the screen is what geometry says of the drawn outline.
    truth = usimg.measure(frame, [held.roi])["thickness_mm"].iloc[0]
    assert after.thickness == f"{truth:.1f} mm"

    picture = viewer.window._qt_viewer.canvas.native
    qtbot.keyClick(picture, Qt.Key.Key_Z, CTRL)
    assert bench.panel.canvas.numbers[review.selected].thickness == before.thickness
    qtbot.keyClick(picture, Qt.Key.Key_Z, CTRL | SHIFT)
    assert bench.panel.canvas.numbers[review.selected].thickness == after.thickness
    qtbot.keyClick(picture, Qt.Key.Key_Return)
    qtbot.keyClick(picture, Qt.Key.Key_G)
    assert bench.where == keys.GRID

    # The rest is accepted in the grid; what is flagged asks before it is.
    for _ in range(6):
        qtbot.keyClick(board, Qt.Key.Key_Return)
    assert review.counts()["accepted"] == len(review.pages) - review.counts()["rejected"]
    qtbot.keyClick(board, Qt.Key.Key_S, CTRL)
    assert "Signed by A. Smith" in bench.visit.message.text()

    # Another sitting finds everything as it was left.
    study = Study.open(study_folder)
    again = Review(StudyDesk(study))
    kept = next(
        held
        for index in range(len(again.pages))
        for held in again.held_on(index)
        if held.roi.structure == "biceps_brachii"
    )
    assert kept.status is Status.ACCEPTED
    assert kept.roi.polygons[0] == pytest.approx(held.roi.polygons[0])
    assert all(some[0].holds for some in all_signatures(study, study.fold(geometry=False)).values())

    # Nothing was written beside the scans, and no name is anywhere outside private/.
    assert sorted(scans.iterdir()) == brought
    kept = [path for path in study.root.rglob("*") if path.is_file() and study.private not in path.parents]
    assert not any(b"PHANTOM" in path.read_bytes() for path in kept)

    # The exported table and what clustering reads carry the corrected value.
    table = pd.read_csv(export(study).folder / "measurements.csv", comment="#")
    (row,) = table[table["structure"] == "biceps_brachii"].to_dict("records")
    assert row["state"] == "corrected"
    assert row["thickness_mm"] == pytest.approx(truth)
    (column,) = [c for c in study.wide() if c.startswith("biceps_brachii") and c.endswith("__thickness_mm")]
    assert study.wide()[column].dropna().iloc[0] == pytest.approx(truth)


def test_a_change_after_the_signature_voids_it_and_says_so(viewer, qtbot, study):
    bench = open_study(study.root, "A. Smith", viewer=viewer).window.dock_widgets["usimg visit"].bench
    bench.do("sign")
    assert "wait for a decision" in bench.visit.message.text()
    bench.do("accept_row")
    bench.do("previous_visit")
    bench.do("sign")
    assert "Signed by A. Smith" in bench.visit.message.text()
    assert "signed by A. Smith" in bench.visit.title.text()
    bench.review.reject_pages([bench.grid.pages_of(bench.grid.visit)[0]], "wrong plane")
    qtbot.waitUntil(lambda: "voids the signature" in bench.visit.message.text(), timeout=5000)
    assert "signed by" not in bench.visit.title.text()
    bench.do("undo")
    assert "signed by A. Smith" in bench.visit.title.text()
    bench.end()
