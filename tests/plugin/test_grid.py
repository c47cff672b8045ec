"""A visit as a grid: rows of repeats, accepted at once when nothing is flagged, never by accident."""

from __future__ import annotations

from dataclasses import replace

import pytest

from usimg.errors import StudyRefused
from usimg.study.manifest import Label
from usimg.study.protocol_file import load
from usimg_napari.grid import Grid
from usimg_napari.pages import Page, Status, Values
from usimg_napari.review import Review

PROTOCOL = """
name = "two"
[[measure]]
view = "upper_arm"
sides = ["left"]
repeats = 3
[[measure]]
structure = "soleus"
sides = ["left"]
"""


@pytest.fixture
def numbered(desk):
    """Three repeats of one row at two visits; the third repeat of the second visit is flagged."""

    class Numbered(type(desk)):
        def briefs(self, page):
            sizes = {"v1": 20.0, "v2": 16.0}
            size = Values(thickness_mm=sizes[page.visit] + page.repeat)
            flags = ("touches the edge",) if (page.visit, page.repeat) == ("v2", 3) else ()
            return tuple(
                replace(one, values=size, confidence=0.9, flags=flags) for one in super().briefs(page)
            )

    (frames, held), *_ = desk.content.values()
    content = {}
    for visit in ("v1", "v2"):
        for repeat in (1, 2, 3):
            page = Page(f"{visit}{repeat}" * 21, 0, "t", "s-1", visit, "left upper arm", repeat)
            content[page] = frames, (replace(held[1], target=f"{visit} {repeat}"),)
    return Numbered(content)


@pytest.fixture
def said() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def grid(numbered, said, tmp_path) -> Grid:
    (tmp_path / "two.toml").write_text(PROTOCOL)
    review = Review(numbered, "A. Smith")

    def not_done(author, page, what, reason):
        said.append((what.structure, reason))
        return numbered._line(author, "not done", what.structure)

    return Grid(
        review,
        labels_of=lambda page: [Label(view="upper_arm", side="left", repeat=page.repeat)],
        protocol=load("two.toml", beside=tmp_path),
        path_of=lambda page: "gone.dcm",
        not_done=not_done,
        said_not_done=lambda subject, visit, what: said[-1][1] if said else "",
    )


def test_repeats_lie_side_by_side_and_what_was_not_scanned_has_a_row(grid):
    rows = grid.rows()
    assert [(row.name, len(row.pages)) for row in rows] == [("left upper arm", 3), ("Soleus · left", 0)]


def test_a_row_without_flags_is_accepted_with_one_key_and_the_next_visit_is_not(grid):
    assert grid.visit == ("s-1", "v1")
    assert grid.accept() == "Accepted: left upper arm, 3 of 3 repeats"
    assert [grid.review.status_of(i) for i in range(6)] == ["accepted"] * 3 + ["to do", "to do", "look"]
    grid.review.undo()
    assert grid.review.counts()["accepted"] == 0


def test_with_a_flag_in_the_row_only_the_tile_is_accepted_and_a_flagged_one_asks_first(grid):
    grid.go_visit(1)
    assert "this tile" in grid.accept()
    assert [grid.review.status_of(i) for i in (3, 4, 5)] == ["accepted", "to do", "look"]
    grid.accept()
    assert grid.accept().startswith("Flagged: touches the edge")
    assert grid.review.status_of(5) == "look"
    assert "although" in grid.accept()
    assert grid.review.status_of(5) == "accepted"


def test_moving_on_forgets_the_warning(grid):
    grid.go_visit(1)
    grid.go(0, 2)
    grid.accept()
    grid.go(0, 0)
    grid.accept()
    grid.go(0, 2)
    assert grid.accept().startswith("Flagged")


def test_a_rejected_tile_keeps_its_reason_and_the_cursor_goes_on(grid):
    assert grid.reject("wrong plane") == "Rejected: left upper arm, wrong plane"
    assert grid.review.briefs_on(0)[0].status is Status.REJECTED
    assert grid.place == (0, 1)


def test_the_heading_compares_repeats_and_the_visit_before(grid):
    grid.go_visit(1)
    heading = grid.cards()[0].heading
    assert "biceps brachii 18.0 ±6 %" in heading
    assert "v1: 22.0" in heading


def test_what_was_not_scanned_is_said_with_its_reason(grid, said):
    grid.go(1, 0)
    with pytest.raises(StudyRefused, match="why"):
        grid.accept()
    assert grid.not_done("no time") == "Not done: Soleus · left, no time"
    assert said == [("soleus", "no time")]
    assert "no time" in grid.cards()[1].cards[0].lines[0]
    grid.go(0, 0)
    with pytest.raises(StudyRefused, match="reject"):
        grid.not_done("no time")
