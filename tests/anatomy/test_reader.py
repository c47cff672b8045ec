"""A new entry is a few lines, and a wrong one is refused by the name of its key."""

from __future__ import annotations

import pickle

import pytest

from usimg import anatomy
from usimg.errors import UsimgError

DEFAULTS = """
[kinds.muscle]
outline = "layer"
planes = ["transverse"]
echo_roi = { margin_mm = 0.5 }
[kinds.nerve]
outline = "rim"
[outlines.layer]
trace_rule = "inner_edges"
thickness = { rule = "mean_vertical", borders = ["superficial_fascia", "deep_fascia"] }
[outlines.section]
trace_rule = "inside_epimysium"
[outlines.rim]
trace_rule = "inside_rim"
"""
PRONATOR = """
[structures.pronator_teres]
label = "Pronator teres"
kind = "muscle"
synonyms = ["PT"]
"""


def parsed(*texts):
    return anatomy.parse_anatomy(DEFAULTS + "".join(texts))


def test_five_lines_are_a_whole_structure():
    pronator = parsed(PRONATOR).structures["pronator_teres"]
    assert pronator.thickness.rule == "mean_vertical"
    assert pronator.trace_rule == "inner_edges"
    assert pronator.echo_roi.margin_mm == 0.5
    assert not pronator.verified


def test_a_closed_section_changes_its_trace_rule_with_its_outline():
    entry = parsed(PRONATOR, 'outline = "section"\n').structures["pronator_teres"]
    assert entry.trace_rule == "inside_epimysium"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            'trase_rule = "lumen"',
            r"structures.pronator_teres has the unknown key 'trase_rule' \(did you mean 'trace_rule'",
        ),
        ('trace_rule = "around"', "structures.pronator_teres.trace_rule is 'around'"),
        ('outline = "circle"', "structures.pronator_teres.outline is 'circle'"),
        ('planes = ["tranverse"]', r"structures.pronator_teres.planes .* \(did you mean 'transverse'"),
        ("verified = true", "structures.pronator_teres is verified but names no source"),
        ('members = ["radius"]', "structures.pronator_teres.members lists the parts of a combined"),
        ('thickness = { rule = "middle_vertical", borders = ["skin", "bone"] }', "thickness.rule"),
        ('thickness = { rule = "mid_vertical", borders = ["skin"] }', "thickness.borders needs two"),
        ('thickness = { rule = "mid_vertical", borders = ["skin", "sea"] }', "thickness.borders is 'sea'"),
        ("echo_roi = { margin_mm = -1 }", "echo_roi.margin_mm is -1"),
        ("echo_roi = { central_width = 0 }", "echo_roi.central_width is 0"),
        ("echo_roi = { depth = [0.6, 0.4] }", "echo_roi.depth runs from 0.6 to 0.4"),
        ("sites = { here = { landmark = 'x' } }", "structures.pronator_teres.sites.here.label is missing"),
        ("synonyms_ = 3", "unknown key 'synonyms_'"),
        ("roles = { thickness_mm = 'size' }", "roles.thickness_mm is 'size'"),
    ],
)
def test_a_wrong_entry_is_refused_by_the_name_of_its_key(wrong, message):
    with pytest.raises(UsimgError, match=message):
        parsed(PRONATOR, wrong + "\n")


def test_a_name_that_means_two_things_is_refused():
    other = '[structures.parotid]\nlabel = "Parotid"\nkind = "muscle"\nsynonyms = ["p t"]\n'
    with pytest.raises(UsimgError, match="'p t' of parotid also names pronator_teres"):
        parsed(PRONATOR, other)


@pytest.mark.parametrize(
    ("view", "message"),
    [
        ('layers = ["pronator"]', "views.arm.layers names 'pronator'"),
        (
            'layers = ["pronator_teres"]\nsites = { pronator_teres = "x" }',
            "views.arm.sites.pronator_teres names 'x'",
        ),
        ("layers = []", "shows nothing"),
    ],
)
def test_a_view_of_what_is_not_in_the_list_is_refused(view, message):
    with pytest.raises(UsimgError, match=message):
        parsed(PRONATOR, f'[views.arm]\nlabel = "Arm"\n{view}\n')


def test_a_text_that_is_not_toml_says_where():
    with pytest.raises(UsimgError, match=r"not TOML: .*line"):
        parsed("[structures.\n")


def test_entries_travel_to_worker_processes():
    view = anatomy.view("upper_arm")
    assert pickle.loads(pickle.dumps(view)) == view  # noqa: S301  our own bytes
    assert hash(view) == hash(pickle.loads(pickle.dumps(view)))  # noqa: S301
