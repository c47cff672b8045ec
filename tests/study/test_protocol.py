"""What a protocol asks for, what a visit lacks, and what is wrong in a protocol's file."""

from __future__ import annotations

import pytest

from usimg import anatomy
from usimg.errors import StudyRefused
from usimg.study.manifest import Label
from usimg.study.protocol_file import load, parse

ARM = """\
name = "arm"

[[measure]]
view = "upper_arm"
sides = ["left", "right"]
repeats = 2
state = "relaxed"
"""


def test_a_visit_lacks_what_was_scanned_too_seldom_or_on_the_other_side():
    protocol = parse(ARM, "arm.toml")
    scanned = [Label(view="upper_arm", side="left")] * 2 + [Label(view="upper_arm", side="right")]
    assert [str(missing) for missing in protocol.missing(scanned)] == ["upper_arm right: 1 of 2"]
    assert protocol.complete([*scanned, Label(view="upper_arm", side="right")])


def test_a_structure_scanned_alone_counts_for_its_view_at_its_usual_site_only():
    protocol = parse(ARM, "arm.toml")
    usual = [Label(structure="biceps_brachii", side=side) for side in ("left", "left", "right", "right")]
    assert protocol.complete(usual)
    elsewhere = [Label(structure="biceps_brachii", site="mid_upper_arm", side="left")]
    assert len(protocol.missing(elsewhere)) == 2


def test_a_contracted_muscle_is_no_relaxed_one_and_a_phase_of_breath_has_to_be_said():
    assert not parse(ARM, "").complete(
        [Label(view="upper_arm", side=s, state="contracted") for s in ("left", "right")] * 2
    )
    breath = '[[measure]]\nview = "diaphragm_zone_of_apposition"\nstate = "end_expiration"\n'
    protocol = parse('name = "b"\n' + breath, "b.toml")
    shown = "diaphragm_zone_of_apposition"
    assert not protocol.complete([Label(view=shown)])
    assert protocol.complete([Label(view=shown, state="end_expiration")])


def test_what_is_not_essential_may_lack():
    protocol = parse(ARM.replace("repeats", "essential = false\nrepeats"), "arm.toml")
    assert protocol.complete([])
    assert len(protocol.missing([])) == 2


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"upper_arm"', '"uper_arm"', r"arm.toml line 4, view: .*upper_arm"),
        ("repeats = 2", "repeats = 0", r"arm.toml line 6, repeats: 0 is not a whole number"),
        ("sides", "side", r"arm.toml line 5, side: not known"),
        ('"relaxed"', '"tense"', r"arm.toml line 7, state: 'tense'"),
        ('view = "upper_arm"', "", r"arm.toml line 3, view: give a view or a structure"),
        ("repeats = 2", "verified = true", r"arm.toml line 6, verified: verified without a source"),
        ('"left", "right"', '"left", "both"', r"arm.toml line 5, sides"),
        ("[[measure]]", "[[measure]", r"arm.toml: .*line 3"),
        ('name = "arm"', "", r"arm.toml line 1: a protocol needs a name"),
    ],
)
def test_what_is_wrong_is_named_by_its_line(old, new, said):
    with pytest.raises(StudyRefused, match=said):
        parse(ARM.replace(old, new), "arm.toml")


def test_the_line_is_that_of_the_entry_that_is_wrong_and_not_of_the_first():
    second = '\n[[measure]]\nview = "anterior_thigh"\nrepeats = "three"\n'
    with pytest.raises(StudyRefused, match=r"arm.toml line 11, repeats"):
        parse(ARM + second, "arm.toml")


def test_one_thing_asked_for_twice_is_refused():
    with pytest.raises(StudyRefused, match="line 9: upper_arm is asked for twice"):
        parse(ARM + '\n[[measure]]\nview = "upper_arm"\nstate = "relaxed"\nsides = ["left"]\n', "arm.toml")


def test_the_shipped_protocols_are_valid_and_each_entry_has_its_source():
    assert load("generic").missing([]) == []
    als = load("als-nmus")
    assert all(entry.source for entry in als.entries)
    # Limb, bulbar and respiratory muscles and nerve areas are all in it.
    named = {entry.what for entry in als.entries}
    assert {"upper_arm", "submental", "diaphragm_zone_of_apposition", "median_nerve_wrist"} <= named


def test_a_laboratorys_own_protocol_lies_beside_its_study(tmp_path):
    (tmp_path / "own.toml").write_text(ARM)
    assert load("own.toml", beside=tmp_path).name == "arm"
    with pytest.raises(StudyRefused, match=r"no protocol 'none.toml'.*generic, als-nmus"):
        load("none.toml", beside=tmp_path)


OWN = """\
name = "own"
segmenter = "network"
frame = "sharpest"
spread = 0.2

[echo_roi]
margin_mm = 1
central_width = 0.5
source = "our manual"

[thickness."biceps brachii@mid upper arm"]
rule = "mid_vertical"
source = "our manual"

[[measure]]
view = "upper_arm"
repeats = 3
spread = 0.1
frame = 4
"""


def test_a_protocol_says_how_pictures_are_measured():
    recipe = parse(OWN, "own.toml").recipe
    biceps = anatomy.structure("biceps_brachii")
    assert recipe.segmenter == "network"
    assert recipe.definitions.thickness_of(biceps, "mid_upper_arm").rule == "mid_vertical"
    assert recipe.definitions.thickness_of(biceps, "distal_third") == biceps.thickness_at("distal_third")
    assert recipe.definitions.echo_roi_of(biceps).rule == "inside_fascia_1mm_width_0.5_depth_0-1"
    assert recipe.frame_of(Label(view="upper_arm")) == 4
    assert recipe.frame_of(Label(view="anterior_thigh")) == "sharpest"


def test_only_what_changes_numbers_changes_their_id():
    assert load("als-nmus").recipe.definitions_id == load("generic").recipe.definitions_id == ""
    own = parse(OWN, "own.toml").recipe.definitions_id
    assert parse(OWN.replace("0.2", "0.3"), "own.toml").recipe.definitions_id == own
    assert parse(OWN.replace("mid_vertical", "max_vertical"), "own.toml").recipe.definitions_id != own


def test_too_few_repeats_and_those_that_lie_apart_are_said():
    protocol = parse(OWN, "own.toml")
    biceps = protocol.entry_of("biceps_brachii", "", "left", "")
    assert protocol.remarks(biceps, 3, 20.0, 21.0, 20.5) == []
    assert protocol.remarks(biceps, 2, 20.0, 23.0, 21.5) == [
        "2 of 3 repeats",
        "repeats spread over 14% of their mean, more than 10%",
    ]
    soleus = protocol.entry_of("soleus", "", "left", "")
    assert (soleus, protocol.remarks(soleus, 2, 20.0, 23.0, 21.5)) == (None, [])  # 20 % elsewhere


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"sharpest"', '"best"', "own.toml line 3, frame: 'best' is not middle, sharpest"),
        ("frame = 4", "frame = -1", "own.toml line 19, frame: -1"),
        ("spread = 0.2", "spread = true", "own.toml line 4, spread: True"),
        ("margin_mm = 1", "margin = 1", "own.toml line 7, margin: not known"),
        ("central_width = 0.5", "central_width = 50", "own.toml line 8, central_width: 50"),
        ("central_width = 0.5", "depth = [0.5, 0.2]", "own.toml line 8, depth: runs from 0.5 to 0.2"),
        ('"mid_vertical"', '"vertical"', "own.toml line 12, rule: 'vertical'"),
        ("biceps brachii@mid upper arm", "biceps brachii@elbow", "own.toml line 11: .*elbow"),
        ("biceps brachii@mid upper arm", "median nerve", "own.toml line 11: a nerve is measured by area"),
        ("[echo_roi]", "[[echo_roi]]", "own.toml line 6, echo_roi: write it as a table"),
    ],
)
def test_what_is_wrong_in_a_recipe_is_named_by_its_line(old, new, said):
    with pytest.raises(StudyRefused, match=said):
        parse(OWN.replace(old, new), "own.toml")
