"""What a person does with the mouse reaches the review, and what the review holds reaches the screen.

On napari's model of a viewer: no display, no Qt.
"""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from usimg.errors import PixelsRefused
from usimg_napari.review import Status

# The squares of the tests' desk are 40 px wide: 0.1 mm x 0.08 mm a pixel.
SQUARE_MM2 = 40 * 0.1 * 40 * 0.08


def area(text: str) -> float:
    return float(text.split(maxsplit=1)[0])


def test_two_layers_are_made_once_and_refilled(canvas, model, review):
    layers = list(model.layers)
    review.next()
    review.next()
    assert list(model.layers) == layers
    assert [layer.name for layer in layers] == ["scan", "guides", "outlines"]


def test_outlines_lie_on_their_pixels_in_millimetres_where_there_is_a_scale(canvas, review):
    assert canvas.image.data_to_world((0, 50, 60))[1:] == canvas.outlines.data_to_world((50, 60))
    assert canvas.outlines.data_to_world((50, 60)) == pytest.approx((5.0, 4.8))
    assert [str(unit) for unit in canvas.outlines.units] == ["millimeter", "millimeter"]


def test_without_a_scale_the_screen_is_in_pixels_and_so_are_the_numbers(canvas, review):
    review.go(2)
    assert [str(unit) for unit in canvas.image.units[1:]] == ["pixel", "pixel"]
    assert canvas.numbers[0].area == "1600 px²"
    assert "mm" not in canvas.numbers[0].short
    assert canvas.numbers[0].reason


def test_contrast_stays_0_to_255_from_scan_to_scan(canvas, review):
    for page in range(3):
        review.go(page)
        assert canvas.image.contrast_limits == [0, 255]


def test_dragging_a_vertex_changes_the_area_by_the_triangle_it_adds_while_the_mouse_moves(
    canvas, review, mouse
):
    before = area(canvas.numbers[0].area)
    assert before == pytest.approx(SQUARE_MM2, abs=0.05)
    mouse.press(50, 60)
    mouse.move(45, 60)
    assert area(canvas.numbers[0].area) == pytest.approx(SQUARE_MM2 + 0.5 * 5 * 0.1 * 40 * 0.08, abs=0.05)
    mouse.move(40, 60)
    assert area(canvas.numbers[0].area) == pytest.approx(SQUARE_MM2 + 0.5 * 10 * 0.1 * 40 * 0.08, abs=0.05)
    assert review.held[0].status == Status.TO_DO  # nothing is settled while the button is down
    mouse.release()
    assert review.held[0].status == Status.CORRECTED
    assert review.held[0].roi.polygons[0][0] == pytest.approx([40, 60])
    assert review.held[1].status == Status.TO_DO


def test_looking_at_an_outline_changes_nothing_though_napari_keeps_single_precision(canvas, review, desk):
    exact = review.held[0].roi.with_polygons(review.held[0].roi.polygons[0] + np.pi)
    review.edit(0, exact)
    for page in (1, 2, 0):
        review.go(page)
        canvas.outlines.refresh()
    assert canvas.rois[0] is exact
    assert [line[2] for line in desk.lines] == ["outline"]


def test_numbers_stand_beside_the_outline_and_follow_it(canvas, mouse):
    assert canvas.numbers[0].area in canvas.outlines.features["text"][0]
    mouse.press(50, 60)
    mouse.move(30, 60)
    assert canvas.numbers[0].area in canvas.outlines.features["text"][0]
    mouse.release()


def test_one_drag_is_one_step_and_one_line(canvas, desk, mouse):
    mouse.press(50, 60)
    for row in range(49, 30, -1):
        mouse.move(row, 60)
    mouse.release()
    assert [line[2] for line in desk.lines] == ["outline"]


def test_undo_puts_the_vertex_back_on_the_screen_and_in_the_numbers(canvas, review, mouse):
    mouse.press(50, 60)
    mouse.move(40, 60)
    mouse.release()
    review.undo()
    assert canvas.outlines.data[0][0] == pytest.approx([50, 60])
    assert area(canvas.numbers[0].area) == pytest.approx(SQUARE_MM2, abs=0.05)
    review.redo()
    assert canvas.outlines.data[0][0] == pytest.approx([40, 60])


def test_a_vertex_is_inserted_on_the_border_and_removed_with_a_click(canvas, review, mouse):
    canvas.mode("vertex_insert")
    mouse.click(50, 80)
    assert len(review.held[0].roi.polygons[0]) == 5
    assert area(canvas.numbers[0].area) == pytest.approx(SQUARE_MM2, abs=0.05)
    canvas.mode("vertex_remove")
    mouse.move(50, 80)
    mouse.click(50, 80)
    assert len(review.held[0].roi.polygons[0]) == 4


def test_setting_the_layers_data_from_a_script_counts_as_an_edit(canvas, review):
    data = [np.array(vertices) for vertices in canvas.outlines.data]
    data[1][:, 0] += 7
    canvas.outlines.data = data
    assert review.held[1].roi.polygons[0][0] == pytest.approx([127, 100])
    assert review.held[0].status == Status.TO_DO


def test_an_outline_cannot_be_deleted_by_accident(canvas, review, said, mouse):
    canvas.outlines.selected_data = {0}
    canvas.outlines.remove_selected()
    assert len(canvas.outlines.data) == 2
    assert "not deleted" in said[-1]
    assert review.held[0].status == Status.TO_DO


def test_removing_the_third_last_vertex_leaves_the_outline(canvas, review, mouse, said):
    canvas.mode("vertex_remove")
    for vertex in ((50, 60), (50, 100)):
        mouse.move(*vertex)
        mouse.click(*vertex)
    assert len(canvas.outlines.data) == 2
    assert len(review.held[0].roi.polygons[0]) == 3
    assert "not deleted" in said[-1]


def test_an_outline_drawn_anew_replaces_the_selected_one_and_can_be_undone(canvas, review, mouse):
    review.select(1)
    canvas.mode("add_polygon")
    for vertex in ((150, 20), (150, 60), (180, 60)):
        mouse.move(*vertex)
        mouse.click(*vertex)
    mouse.double_click(180, 60)
    drawn = review.held[1].roi
    assert drawn.structure == "biceps_brachii"
    assert drawn.polygons[0] == pytest.approx(np.array([[150, 20], [150, 60], [180, 60]]))
    assert len(canvas.outlines.data) == 2
    assert canvas.outlines.mode == "direct"
    review.undo()
    assert canvas.outlines.data[1] == pytest.approx(
        np.array([[120, 100], [120, 140], [160, 140], [160, 100]])
    )


def test_without_a_name_an_edit_is_refused_and_the_screen_shows_what_holds(canvas, review, said, mouse):
    review.author = ""
    mouse.press(50, 60)
    mouse.move(40, 60)
    mouse.release()
    canvas.outlines.refresh()
    assert "name" in said[-1]
    assert canvas.outlines.data[0][0] == pytest.approx([50, 60])


def test_an_outline_shows_on_its_own_frame_of_a_clip_only(canvas, review, model):
    review.go(2)
    assert model.dims.current_step[0] == 1
    assert canvas.screen.outlines_shown
    model.dims.set_current_step(0, 2)
    assert not canvas.screen.outlines_shown
    model.dims.set_current_step(0, 1)
    assert canvas.screen.outlines_shown


def test_a_clip_decodes_the_frame_that_is_shown_and_no_other(canvas, review, desk):
    frames, _ = desk.content[desk.pages()[2]]
    review.go(2)
    assert set(frames[0].source.touched) == {1}


def test_a_scan_that_cannot_be_opened_says_why_and_cannot_be_accepted(canvas, review, desk, monkeypatch):
    def gone(page):
        raise PixelsRefused("scan.dcm: the stream is cut")

    monkeypatch.setattr(desk, "open_page", gone)
    review.next()
    assert canvas.problem == "scan.dcm: the stream is cut"
    assert not canvas.outlines.data
    with pytest.raises(PixelsRefused, match="cannot be accepted"):
        canvas.accept()
    assert not desk.lines


def test_the_part_without_qt_loads_no_qt():
    code = (
        "import sys; import usimg_napari.canvas, usimg_napari.desk, usimg_napari.keys, usimg_napari.reader;"
        "from napari.components import ViewerModel; ViewerModel();"
        "qt = {'qtpy', 'pyside6', 'pyqt6', 'superqt'};"
        "sys.exit(any(name.split('.')[0].lower() in qt for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=False).returncode == 0
