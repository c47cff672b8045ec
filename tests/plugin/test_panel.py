"""The review in a real viewer window."""

from __future__ import annotations

import subprocess
import sys

import pytest
from qtpy.QtCore import Qt

from usimg_napari import keys
from usimg_napari.app import StudyChooser, open_study
from usimg_napari.panel import REASONS, ReviewPanel
from usimg_napari.review import Review, Status


@pytest.fixture
def panel(viewer, desk) -> ReviewPanel:
    panel = ReviewPanel(viewer, Review(desk, "A. Smith"))
    viewer.window.add_dock_widget(panel, area="right")
    return panel


def press(panel: ReviewPanel, qtbot, key: Qt.Key, modifiers=Qt.KeyboardModifier.NoModifier) -> None:
    """A key on the canvas, as a person presses it."""
    canvas = panel.canvas.viewer.window._qt_viewer.canvas.native
    qtbot.keyClick(canvas, key, modifiers)


def cell(panel: ReviewPanel, row: int, column: int) -> str:
    return panel.table.item(row, column).text()


def test_it_shows_the_frame_its_numbers_and_what_is_left(panel):
    assert panel.title.text().startswith("s-1 upper arm")
    assert [cell(panel, row, 1) for row in (0, 1)] == ["left median nerve", "left biceps brachii"]
    assert cell(panel, 1, 2) == "4.0 mm"


def test_the_whole_way_by_keyboard(panel, qtbot, desk):
    press(panel, qtbot, Qt.Key.Key_Return)
    assert panel.review.at == 1
    press(panel, qtbot, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert panel.review.at == 0
    assert panel.message.text().startswith("Undone: accept")
    press(
        panel, qtbot, Qt.Key.Key_Z,
        Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier,
    )  # fmt: skip
    assert {held.status for held in panel.review.held} == {Status.ACCEPTED}
    press(panel, qtbot, Qt.Key.Key_N, Qt.KeyboardModifier.ShiftModifier)
    assert panel.review.at == 1
    press(panel, qtbot, Qt.Key.Key_N)
    assert panel.review.at == 2
    press(panel, qtbot, Qt.Key.Key_B)
    assert panel.review.at == 1
    assert [line[2] for line in desk.lines] == ["accept", "accept", "undo", "undo", "undo", "undo"]


def test_digits_grade_and_never_delete(panel, qtbot, desk):
    press(panel, qtbot, Qt.Key.Key_S)  # the muscle: a nerve has no Heckmatt grade
    press(panel, qtbot, Qt.Key.Key_3)
    press(panel, qtbot, Qt.Key.Key_F)
    assert len(panel.canvas.outlines.data) == 2
    assert [line[2] for line in desk.lines] == ["grade {'grade': 3}", "grade {'fasciculations': True}"]
    assert panel.review.briefs_on(0)[1].grade == 3


@pytest.mark.parametrize("key", [Qt.Key.Key_5, Qt.Key.Key_Delete, Qt.Key.Key_Backspace])
def test_no_key_deletes_an_outline(panel, qtbot, desk, key):
    press(panel, qtbot, key)
    assert len(panel.canvas.outlines.data) == 2
    assert panel.message.text() == keys.SILENCE
    assert not desk.lines


def test_a_reason_of_the_menu_rejects_the_selected_outline(panel, desk):
    panel.table.setCurrentCell(1, 0)
    panel.reasons.actions()[1].trigger()
    assert panel.review.held[1].status == Status.REJECTED
    assert panel.review.held[1].reason == REASONS[1]
    assert REASONS[1] in panel.flags.text()
    assert [line[3] for line in desk.lines] == ["muscle"]


def test_without_a_name_nothing_is_decided(panel, desk):
    panel.review.author = " "
    panel.refresh()
    assert not panel.buttons["accept"].isEnabled()
    panel.verbs["accept"]()
    assert "name" in panel.message.text()
    assert not desk.lines
    panel.review.author = "B. Jones"
    panel.refresh()
    panel.buttons["accept"].click()
    assert {line[1] for line in desk.lines} == {"B. Jones"}


def test_without_a_scale_there_are_pixels_and_a_sentence(panel):
    panel.review.go(2)
    assert "px" in cell(panel, 0, 3)
    assert "no length in mm" in panel.flags.text()


def test_the_keys_are_shown_from_the_table_that_binds_them(panel):
    panel.verbs["help"]()
    assert panel.help.isVisible()
    said = panel.help.widget().text()
    assert all(entry.sentence in said for entry in keys.on(keys.PICTURE))


def test_a_study_opens_docked_and_its_decisions_are_in_the_study_when_the_window_closes(viewer, study):
    open_study(study.root, "A. Smith", viewer=viewer)
    (dock,) = (widget for name, widget in viewer.window.dock_widgets.items() if name == "usimg review")
    dock.verbs["accept"]()
    viewer.close()
    states = study.current().set_index("structure")["state"]
    assert states["biceps_brachii"] == "accepted"
    assert states["median_nerve"] == "automatic"


def test_the_menus_entry_says_why_a_folder_is_no_study(viewer, tmp_path):
    chooser = StudyChooser(viewer)
    viewer.window.add_dock_widget(chooser)
    chooser.open(tmp_path)
    assert "neither outlines nor scans" in chooser.message.text()


@pytest.mark.parametrize("order", ["import usimg.vision, napari", "import napari, usimg.vision"])
def test_a_viewer_opens_whether_cv2_comes_before_or_after_qt(xvfb, viewer, order):
    code = (
        f"{order}; import os; v = napari.Viewer(show=False); v.close();"
        "assert not any('cv2' in os.environ.get(n, '') for n in os.environ if n.startswith('QT_'))"
    )
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=False).returncode == 0


def test_without_a_screen_the_command_says_so_instead_of_crashing(study, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    from usimg.errors import DependencyMissing

    if sys.platform != "linux":
        pytest.skip("only Linux runs without a screen server")
    with pytest.raises(DependencyMissing, match="screen"):
        open_study(study.root, "A. Smith")
