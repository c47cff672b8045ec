"""What a protocol asks for, what a visit lacks, and what is wrong in a protocol's file."""

from __future__ import annotations

import pytest

from usimg.errors import StudyRefused
from usimg.study.manifest import Label
from usimg.study.protocol import load, parse

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
