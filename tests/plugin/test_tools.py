"""The tools that correct: each changes what it says, is one step, and is undone by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import usimg
from usimg.errors import OutlineRefused
from usimg.measurement import area
from usimg.roi import Roi
from usimg.simulate import upper_arm
from usimg.study.roifiles import SavedRoi, write_rois
from usimg_napari.canvas import Canvas
from usimg_napari.pages import Page
from usimg_napari.review import Held, Review, Status
from usimg_napari.tools import Tools

from .conftest import MemoryDesk, frames_of


@pytest.fixture
def tools(canvas) -> Tools:
    return Tools(canvas)


@pytest.fixture(scope="module")
def phantom():
    return upper_arm(3)


@pytest.fixture
def arm(phantom, model, said) -> Canvas:
    """An upper arm with its true layers and their sum on one page."""
    rois = [
        Roi(polygon=one.polygon, upper=one.upper, lower=one.lower, structure=one.structure, side="left")
        for one in (phantom.layer(name) for name in ("subcutaneous_fat", "biceps_brachii", "brachialis"))
    ]
    upper, lower = rois[1].upper, rois[2].lower
    rois.append(
        Roi(
            polygon=np.concatenate([upper, lower[::-1]]),
            upper=upper,
            lower=lower,
            structure="biceps_brachialis",
            side="left",
        )
    )
    held = tuple(Held(roi.structure, roi) for roi in rois)
    desk = MemoryDesk({Page("a" * 64, 0, "arm"): (frames_of(phantom.image), held)})
    canvas = Canvas(model, Review(desk, "A. Smith"), said.append)
    canvas.mode("direct")
    canvas.outlines._update_draw(0.02, np.array([[0, 0], phantom.image.shape]), (800, 960))
    return canvas


BICEPS, BRACHIALIS, BOTH = 1, 2, 3


def thickness(canvas: Canvas, which: int) -> float:
    return float(canvas.numbers[which].thickness.split()[0])


def drag(mouse, *places):
    mouse.press(*places[0])
    for place in places[1:]:
        mouse.move(*place)


def lower_border_handle(canvas: Canvas, which: int) -> np.ndarray:
    """A handle in the middle of a layer's lower border."""
    part = next(part for part in canvas._shown if part.owner == which)
    roi = canvas.rois[which]
    middle = 0.5 * (roi.lower[0, 1] + roi.lower[-1, 1])
    on_it = np.abs(part.vertices[:, 0] - np.interp(part.vertices[:, 1], roi.lower[:, 1], roi.lower[:, 0])) < 1
    away = np.where(on_it, np.abs(part.vertices[:, 1] - middle), np.inf)
    return part.vertices[int(np.argmin(away))].astype(float)


def test_dragging_the_border_of_one_muscle_changes_the_other_while_the_mouse_moves(arm, mouse_on):
    arm.review.select(BICEPS)
    mouse = mouse_on(arm.outlines)
    before = [thickness(arm, which) for which in (BICEPS, BRACHIALIS, BOTH)]
    row, col = lower_border_handle(arm, BICEPS)
    drag(mouse, (row, col), (row + 20, col), (row + 40, col))
    during = [thickness(arm, which) for which in (BICEPS, BRACHIALIS, BOTH)]
    assert during[0] > before[0]
    assert during[0] - before[0] == pytest.approx(before[1] - during[1], abs=0.11)
    assert during[2] == before[2]
    mouse.release()
    assert [thickness(arm, which) for which in (BICEPS, BRACHIALIS, BOTH)] == during
    statuses = [held.status for held in arm.review.held]
    assert statuses == [Status.TO_DO, Status.CORRECTED, Status.CORRECTED, Status.TO_DO]
    assert [line[2:] for line in arm.review.desk.lines] == [
        ("outline", "biceps_brachii"),
        ("outline", "brachialis"),
    ]
    arm.review.undo()
    assert [thickness(arm, which) for which in (BICEPS, BRACHIALIS, BOTH)] == before
    assert {held.status for held in arm.review.held} == {Status.TO_DO}
    arm.review.redo()
    assert [thickness(arm, which) for which in (BICEPS, BRACHIALIS, BOTH)] == during


def test_a_rejected_neighbour_is_left_alone(arm):
    arm.review.select(BRACHIALIS)
    arm.review.reject("wrong plane")
    biceps = arm.rois[BICEPS]
    lower = biceps.lower + np.array([10.0, 0.0])
    arm.change({BICEPS: biceps.with_polygons(np.concatenate([biceps.upper, lower[::-1]]))}, "move")
    assert arm.review.held[BRACHIALIS].status is Status.REJECTED


def test_a_border_that_cannot_go_along_stays_and_the_person_is_told(arm, said):
    biceps = arm.rois[BICEPS]
    lower = biceps.lower + np.array([float(arm.rois[BRACHIALIS].lower[:, 0].max()), 0.0])
    before = arm.rois[BRACHIALIS]
    arm.change({BICEPS: biceps.with_polygons(np.concatenate([biceps.upper, lower[::-1]]))}, "move")
    assert arm.rois[BRACHIALIS] is before
    assert "left brachialis stays as it was" in said[-1]


def test_the_brush_pushes_the_selected_border_and_one_undo_takes_the_stroke_back(
    tools, canvas, review, mouse
):
    assert "Drag over the border" in tools.push()
    drag(mouse, (53, 80), (50, 80), (45, 80), (42, 80))
    assert review.held[0].status is Status.TO_DO  # the button is down
    assert area(canvas.rois[0].polygons) > 1600
    mouse.release()
    assert review.held[0].status is Status.CORRECTED
    grown = area(review.held[0].roi.polygons)
    assert 1600 < grown < 1600 + 40 * 11
    assert len(review.desk.lines) == 1
    drag(mouse, (45, 80), (50, 80))  # the brush stays in the hand
    mouse.release()
    assert len(review.desk.lines) == 2
    review.undo()
    assert area(review.held[0].roi.polygons) == pytest.approx(grown)
    review.undo()
    assert area(review.held[0].roi.polygons) == pytest.approx(1600)


def test_a_stroke_beside_the_border_is_no_step(tools, review, mouse):
    tools.push()
    drag(mouse, (70, 80), (75, 80))
    mouse.release()
    assert not review.desk.lines


def test_snapping_puts_a_border_that_was_moved_off_back_on_the_edge(arm, phantom):
    arm.review.select(BICEPS)
    truth = phantom.layer("biceps_brachii")
    off = np.array([0.8 / phantom.spacing[0], 0.0])
    ring = np.concatenate([truth.upper + off, (truth.lower - off)[::-1]])
    arm.change({BICEPS: arm.rois[BICEPS].with_polygons(ring)}, "move")
    Tools(arm).snap()
    upper = arm.rois[BICEPS].upper
    miss = np.abs(upper[:, 0] - np.interp(upper[:, 1], truth.upper[:, 1], truth.upper[:, 0])).mean()
    assert miss * phantom.spacing[0] < 0.3


def test_the_second_best_lines_of_a_view_come_together_and_turn_round(arm):
    arm.review.select(BICEPS)
    tools = Tools(arm)
    seen = []
    for _ in range(3):
        tools.second_best()
        seen.append(arm.rois[BICEPS].polygons[0])
    assert len({ring.tobytes() for ring in seen}) == 2  # the best, the second-best, the best
    fat, biceps, brachialis, both = arm.rois
    assert both.upper[:, 0].mean() == pytest.approx(biceps.upper[:, 0].mean(), abs=0.5)
    assert both.lower[:, 0].mean() == pytest.approx(brachialis.lower[:, 0].mean(), abs=0.5)
    assert fat.lower[:, 0].mean() < biceps.upper[:, 0].mean()
    assert "next best by A. Smith" in biceps.method


def test_a_caliper_gives_the_thickness_and_the_outline_keeps_its_area(tools, canvas, review, mouse):
    before = canvas.numbers[0].area
    tools.caliper()
    drag(mouse, (50, 70), (80, 70), (90, 70))
    mouse.release()
    assert review.held[0].roi.line == pytest.approx(np.array([[50, 70], [90, 70]]))
    assert canvas.numbers[0].thickness == "4.0 mm"  # 40 rows of 0.1 mm
    assert canvas.numbers[0].area == before
    assert canvas.outlines.nshapes == 3
    tools.no_caliper()
    assert review.held[0].roi.line is None
    review.undo()
    assert canvas.numbers[0].thickness == "4.0 mm"
    review.undo()
    with pytest.raises(OutlineRefused, match="no caliper"):
        tools.no_caliper()


def test_a_caliper_end_is_dragged_like_a_vertex(tools, canvas, mouse):
    tools.caliper()
    drag(mouse, (30, 20), (60, 20))
    mouse.release()
    canvas.mode("direct")
    drag(mouse, (60, 20), (80, 20))
    mouse.release()
    assert canvas.numbers[0].thickness == "5.0 mm"


def test_a_click_is_no_caliper(tools, mouse, said, review):
    tools.caliper()
    mouse.click(50, 70)
    assert "two places" in said[-1]
    assert not review.desk.lines


def test_a_nerve_gets_a_second_part_and_loses_it_again(canvas, review, mouse, model):
    tools = Tools(canvas)
    canvas.draw_another()
    for vertex in ((10, 10), (10, 30), (30, 30)):
        mouse.move(*vertex)
        mouse.click(*vertex)
    mouse.double_click(30, 30)
    assert len(review.held[0].roi.polygons) == 2
    assert area(review.held[0].roi.polygons) == pytest.approx(1600 + 200)
    review.undo()
    assert len(review.held[0].roi.polygons) == 1
    review.redo()
    model.cursor.position = (0, *canvas.outlines.data_to_world((12, 28)))
    tools.remove_part()
    assert area(review.held[0].roi.polygons) == pytest.approx(1600)
    assert canvas.outlines.nshapes == 2
    with pytest.raises(OutlineRefused, match="only part"):
        tools.remove_part()


def test_removing_the_last_vertices_of_one_part_takes_that_part_away(canvas, review, mouse):
    nerve = review.held[0].roi
    review.edit(0, nerve.with_polygons(*nerve.polygons, [[10.0, 10], [10, 30], [30, 30]]))
    canvas.mode("vertex_remove")
    mouse.move(10, 10)
    mouse.click(10, 10)
    assert [len(polygon) for polygon in review.held[0].roi.polygons] == [4]
    review.undo()
    assert len(review.held[0].roi.polygons) == 2


def test_the_region_that_counts_for_grey_is_drawn_inside_the_muscle_and_follows_the_selection(canvas, review):
    assert canvas.screen.guides.layer.nshapes == 0  # of a nerve the whole outline counts
    review.select(1)
    (region,) = canvas.screen.guides.layer.data
    ring = review.held[1].roi.polygons[0]
    # 0.5 mm clear of the fascia: 5 rows of 0.1 mm.
    assert region[:, 0].min() == pytest.approx(ring[:, 0].min() + 5, abs=1)
    assert region[:, 0].max() == pytest.approx(ring[:, 0].max() - 5, abs=1)


def test_old_outlines_of_imagej_come_along_to_their_structures_as_one_step(tools, review, tmp_path):
    nerve, muscle = (held.roi for held in review.held)
    old = [
        SavedRoi(muscle.with_polygons(muscle.polygons[0] + 3.0)),
        SavedRoi(nerve.with_polygons(nerve.polygons[0] - 3.0), name="Roi 1"),  # goes to the selected one
        SavedRoi(nerve.with_polygons(nerve.polygons[0]), frame=7),  # of another frame
    ]
    path = write_rois(tmp_path / "RoiSet.zip", old)
    assert "2 outlines" in tools.bring_in(path)
    assert review.held[0].roi.polygons[0] == pytest.approx(nerve.polygons[0] - 3.0, abs=1e-4)
    assert review.held[1].roi.polygons[0] == pytest.approx(muscle.polygons[0] + 3.0, abs=1e-4)
    assert {held.status for held in review.held} == {Status.CORRECTED}
    review.undo()
    assert {held.status for held in review.held} == {Status.TO_DO}
    other = write_rois(tmp_path / "other.zip", [SavedRoi(replace(nerve, side="right"))])
    with pytest.raises(OutlineRefused, match="none of the file's outlines"):
        tools.bring_in(other)


def test_without_an_outline_the_tools_say_what_to_do(canvas, review):
    review.edit(0, review.held[0].roi.with_polygons())
    for tool in (Tools(canvas).push, Tools(canvas).snap):
        with pytest.raises(OutlineRefused, match=r"box it \(O\)"):
            tool()


def test_a_study_holds_the_neighbours_numbers_too(study, model, said):
    from usimg_napari.desk import StudyDesk

    review = Review(StudyDesk.open(study.root), "A. Smith")
    canvas = Canvas(model, review, said.append)
    names = [held.roi.structure for held in review.held]
    biceps, brachialis = names.index("biceps_brachii"), names.index("brachialis")
    roi = canvas.rois[biceps]
    lower = roi.lower + np.array([8.0, 0.0])
    review.select(biceps)
    canvas.change({biceps: roi.with_polygons(np.concatenate([roi.upper, lower[::-1]]))}, "move")
    on_screen = [canvas.numbers[at].thickness for at in (biceps, brachialis)]
    review.accept()
    review.desk.close()
    rows = study.current().set_index("structure").loc[["biceps_brachii", "brachialis"]]
    assert set(rows["state"]) == {"corrected"}
    assert [f"{value:.1f} mm" for value in rows["thickness_mm"]] == on_screen
    frame = usimg.read(study.source_path(review.page.scan)).frames[0]
    again = usimg.measure(frame, [canvas.rois[at] for at in (biceps, brachialis)])
    assert list(rows["thickness_mm"]) == pytest.approx(list(again["thickness_mm"]))
