"""Labelling a visit: the protocol's order, shifts, many tiles at once, and nothing taken over by accident."""

from __future__ import annotations

from dataclasses import replace

import pytest

from usimg.errors import AnatomyUnknown, StudyRefused
from usimg.study.manifest import Label
from usimg.study.protocol_file import load
from usimg_napari.labelling import Sheet, fields_of, in_words
from usimg_napari.tiles import Tile

PROTOCOL = """
name = "small"
[[measure]]
view = "upper_arm"
sides = ["left", "right"]
repeats = 2
[[measure]]
view = "median_nerve_wrist"
sides = ["left"]
"""


class Lines:
    """A sitting in memory."""

    def __init__(self) -> None:
        self.written: list[tuple[str, str, dict]] = []

    def label(self, author, tile, label):
        return self._line("label", tile.scan, dict(fields_of(label)))

    def undo(self, author, decision):
        return self._line("undo", decision, {})

    def _line(self, *what):
        self.written.append(what)
        return f"line {len(self.written) - 1}"


def tile(number: int, **label) -> Tile:
    return Tile(f"scan {number}", f"{number}.dcm", 0, None, Label(subject="P1", visit="1", **label))


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def protocol(tmp_path):
    (tmp_path / "small.toml").write_text(PROTOCOL)
    return load("small.toml", beside=tmp_path)


@pytest.fixture
def sheet(lines, protocol) -> Sheet:
    return Sheet([tile(n) for n in range(6)], protocol, lines, lambda: "A. Smith")


def shown(sheet: Sheet) -> list[str]:
    return ["left out" if one.label.exclude else in_words(one.shows) for one in sheet.tiles]


ORDER = [
    "Upper arm, front · left · 1", "Upper arm, front · left · 2", "Upper arm, front · right · 1",
    "Upper arm, front · right · 2", "Median nerve at the wrist · left · 1",
]  # fmt: skip


def test_the_order_is_proposed_and_written_only_when_it_is_taken_over(sheet, lines):
    said = sheet.lay()
    assert "6 pictures for 5 steps" in said
    assert shown(sheet) == [*ORDER, ""]
    assert not lines.written
    assert sheet.left == "6 of 6 pictures of this visit to label"
    sheet.confirm()
    assert len(lines.written) == 5
    assert lines.written[0][2] == {"view": "upper_arm", "side": "left", "repeat": 1}
    assert sheet.left == "1 of 6 pictures of this visit to label"


def test_a_skipped_picture_is_left_out_and_the_rest_moves_up(sheet, lines):
    sheet.lay()
    sheet.choose(1)
    sheet.skip()
    assert shown(sheet) == [ORDER[0], "left out", *ORDER[1:]]
    assert lines.written == [("label", "scan 1", {"exclude": True, "reason": "not of the protocol"})]


def test_a_step_that_was_not_scanned_moves_the_rest_down(sheet):
    sheet.lay()
    sheet.choose(2)
    sheet.insert()
    assert shown(sheet) == [*ORDER[:2], *ORDER[3:], "", ""]


def test_a_retake_leaves_out_the_picture_before_and_takes_its_step(sheet):
    sheet.lay()
    sheet.choose(1)
    sheet.retake()
    assert shown(sheet) == ["left out", *ORDER]


def test_what_was_taken_over_moves_too_and_is_written_again(sheet, lines):
    sheet.lay()
    sheet.confirm()
    sheet.choose(0)
    sheet.skip()
    assert shown(sheet) == ["left out", *ORDER]
    assert lines.written[5:][1] == ("label", "scan 1", {"view": "upper_arm", "side": "left", "repeat": 1})


def test_a_picture_that_a_person_named_stays_when_the_order_is_laid(sheet):
    sheet.choose(2)
    sheet.set_what("soleus")
    sheet.choose(0)
    sheet.lay()
    assert shown(sheet)[2].startswith("Soleus")
    assert shown(sheet)[3] == ORDER[3]


def test_many_tiles_are_named_at_once_and_their_repeats_count_on(sheet, lines):
    sheet.choose(0, {0, 1, 2})
    sheet.set_what("rectus femoris")
    sheet.set_side("left")
    assert [one.label.repeat for one in sheet.tiles[:3]] == [1, 2, 3]
    assert {one.label.structure for one in sheet.tiles[:3]} == {"rectus_femoris"}
    assert lines.written[-1][2]["side"] == "left"


def test_the_side_is_swapped_for_all_that_are_chosen(sheet):
    sheet.lay()
    sheet.choose(0, {0, 2})
    sheet.swap_side()
    assert [sheet.tiles[i].label.side for i in (0, 2)] == ["right", "left"]
    sheet.choose(5)
    with pytest.raises(StudyRefused, match="no side"):
        sheet.swap_side()


def test_an_unknown_name_is_refused_and_nothing_is_written(sheet, lines):
    with pytest.raises(AnatomyUnknown):
        sheet.set_what("musculus nonexistens")
    assert not lines.written


def test_states_go_round_and_repeats_are_set(sheet):
    sheet.set_what("soleus")
    assert sheet.next_state() == "contracted"
    sheet.set_repeat(3)
    assert (sheet.tiles[0].label.state, sheet.tiles[0].label.repeat) == ("contracted", 3)


def test_undo_and_redo_take_labels_back_line_by_line(sheet, lines):
    sheet.lay()
    sheet.confirm()
    assert sheet.undo().startswith("Undone: label")
    assert shown(sheet) == [*ORDER, ""]
    assert sheet.left.startswith("6 of 6")
    sheet.redo()
    assert sheet.left.startswith("1 of 6")
    assert [what for what, *_ in lines.written] == ["label"] * 5 + ["undo"] * 10


def test_nobody_labels_without_a_name(lines, protocol):
    sheet = Sheet([tile(0)], protocol, lines, lambda: " ")
    with pytest.raises(StudyRefused, match="author"):
        sheet.set_what("soleus")
    assert sheet.left.startswith("1 of 1")


def test_a_protocol_without_an_order_says_what_to_do(lines):
    sheet = Sheet([tile(0)], load("generic"), lines, lambda: "A. Smith")
    with pytest.raises(StudyRefused, match="name each picture"):
        sheet.lay()


def test_it_opens_at_the_visit_that_has_something_to_label(lines, protocol):
    done = replace(tile(0, structure="soleus"), label=Label(subject="P0", visit="1", structure="soleus"))
    sheet = Sheet([done, tile(1)], protocol, lines, lambda: "A. Smith")
    assert sheet.visits == [("P0", "1"), ("P1", "1")]
    assert sheet.at == 1


def test_whoever_is_told_hears_which_pictures_were_labelled(sheet):
    heard = []
    sheet.on_labelled(lambda tiles: heard.extend(one.scan for one in tiles))
    sheet.choose(4)
    sheet.set_what("soleus")
    assert heard == ["scan 4"]
