"""A box dragged round a structure, or a click inside it, becomes its outline."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

import usimg
from usimg.errors import OutlineRefused
from usimg.measurement import area
from usimg_napari.drag import Drag, Wanted
from usimg_napari.prompt import outline_at
from usimg_napari.review import Status


@pytest.fixture(scope="module")
def wrist():
    """A simulated median nerve: its frame, and the nerve's truth."""
    from PIL import Image

    from usimg.simulate import median_nerve_wrist

    return median_nerve_wrist(seed=3), Image


@pytest.fixture(scope="module")
def frame(wrist, tmp_path_factory):
    phantom, image = wrist
    path = tmp_path_factory.mktemp("wrist") / "wrist.png"
    image.fromarray(phantom.image).save(path)
    return usimg.read(path, spacing_mm=phantom.spacing).frames[0]


def corners_of(phantom) -> np.ndarray:
    rim = phantom.sections[0].outside_rim
    return np.array([rim.max(axis=0), rim.min(axis=0)])  # dragged from lower right to upper left


def test_a_box_gives_an_outline_of_about_the_nerves_area_whichever_way_it_was_dragged(wrist, frame):
    phantom, _ = wrist
    blank = usimg.Roi(structure="median_nerve", site="wrist", side="left", confidence=0.0)
    found = outline_at(frame, blank, corners_of(phantom), author="Kim")
    again = outline_at(frame, blank, corners_of(phantom)[::-1], author="Kim")
    assert area(found.polygons, phantom.spacing) == pytest.approx(phantom.sections[0].inside_mm2, rel=0.25)
    assert (found.side, found.site, found.trace_rule) == ("left", "wrist", "inside_rim")
    assert "box by Kim" in found.method
    assert np.array_equal(found.polygon, again.polygon)


def test_a_click_gives_one_too(wrist, frame):
    phantom, _ = wrist
    middle = corners_of(phantom).mean(axis=0)
    found = outline_at(frame, usimg.Roi(structure="median_nerve"), np.array([middle, middle]), author="Kim")
    assert "click by Kim" in found.method


def test_a_box_outside_the_picture_says_what_to_do(frame):
    rows, cols = frame.shape
    beyond = np.array([[rows + 50, cols + 50], [rows + 90, cols + 90]])
    with pytest.raises(OutlineRefused, match=r"draw it by hand \(D\)"):
        outline_at(frame, usimg.Roi(structure="median_nerve"), beyond, author="Kim")


def test_only_an_armed_prompt_follows_the_mouse_and_only_once(mouse_on):
    model, mouse, boxes = ViewerModel(), None, []
    outlines = model.add_shapes(ndim=2, scale=(0.1, 0.05))
    prompt = Drag(model, outlines)
    mouse = mouse_on(outlines)
    for armed in (False, True, False):
        if armed:
            prompt.arm(Wanted("rectangle", boxes.append))
        mouse.press(40, 60)
        mouse.move(50, 90)
        mouse.move(20, 100)
        mouse.release()
    assert len(boxes) == 1
    assert boxes[0] == pytest.approx(np.array([[40, 60], [20, 100]]))
    assert prompt.box.nshapes == 0
    assert outlines.mouse_pan


def test_a_refused_prompt_leaves_the_outline_and_its_status_as_they_were(canvas, review, mouse):
    before = review.held[0]
    said = canvas.ask_for_box()
    assert said.startswith("Drag a box round left median nerve")
    mouse.press(-400, -400)
    mouse.release()
    assert review.held[0].roi is before.roi
    assert review.held[0].status is Status.TO_DO
    assert canvas.outlines.mode == "direct"
