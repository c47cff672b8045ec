"""What is proposed for a picture, on what evidence, and what is not guessed."""

from __future__ import annotations

import pytest

from usimg.errors import StudyRefused
from usimg.scan import Header
from usimg.study.recognition import Proposal, Step, Words, by_file_name, by_order, by_pattern, by_tags

LABELS = r"""
patterns = ['(?P<subject>[a-z]\d+)_(?P<visit>v\d)_(?P<name>[a-z]+)_(?P<side>[lr])(?P<repeat>\d)']
[names]
"QF" = "anterior_thigh"
[sides]
"sin" = "left"
"""


@pytest.fixture
def words(tmp_path):
    def _words(text: str = LABELS):
        (tmp_path / "labels.toml").write_text(text, encoding="utf-8")
        return Words.read(tmp_path / "labels.toml")

    return _words


def test_a_laboratorys_word_is_known_where_a_name_is_looked_for(words):
    own = words()
    found = by_tags(Header(series_description="QF sin"), own)
    assert (found.view, found.side, found.by) == ("anterior_thigh", "left", "tags")
    assert by_tags(Header(series_description="QF sin")) is None


def test_a_pattern_reads_subject_visit_view_side_and_repeat(words):
    found = by_pattern("2026/A12_V2_qf_L3.dcm", words())
    assert (found.subject, found.visit, found.view, found.side, found.repeat) == (
        "A12",
        "V2",
        "anterior_thigh",
        "left",
        3,
    )


def test_a_pattern_whose_name_nobody_knows_says_nothing(words):
    assert by_pattern("A12_V2_xyz_L3.dcm", words()) is None


@pytest.mark.parametrize(
    ("path", "what", "side"),
    [
        ("P1/biceps_L_2.dcm", "biceps_brachii", "left"),
        ("P1/rechts/Oberschenkel vorn/IM_3.dcm", "anterior_thigh", "right"),
        ("Left arm vs right/biceps.dcm", "biceps_brachii", ""),
    ],
)
def test_names_of_files_and_folders_give_a_proposal_with_its_evidence(path, what, side):
    found = by_file_name(path)
    assert (found.what, found.side, found.by) == (what, side, "file name")
    assert found.evidence


@pytest.mark.parametrize("path", ["IM_0042.dcm", "muscle/TA_RF.dcm", "biceps_and_soleus.dcm", "nerve.dcm"])
def test_a_name_that_says_nothing_or_two_things_gives_no_proposal(path):
    assert by_file_name(path) is None


STEPS = (Step("upper_arm", side="left"), Step("upper_arm", side="right"), Step("anterior_thigh", side="left"))


def test_an_order_that_fits_as_a_whole_names_what_is_not_known_yet():
    known = [None, Proposal(view="upper_arm", side="right"), None]
    proposed, why_not = by_order(known, STEPS)
    assert why_not == ""
    assert [p and (p.what, p.side) for p in proposed] == [
        ("upper_arm", "left"),
        None,
        ("anterior_thigh", "left"),
    ]


@pytest.mark.parametrize(
    ("known", "why"),
    [
        ([None] * 4, "4 pictures for 3 steps"),
        ([None, Proposal(view="upper_arm", side="left"), None], "picture 2 shows upper_arm left"),
        ([None, None, Proposal(structure="soleus")], "picture 3 shows soleus"),
    ],
)
def test_an_order_that_does_not_fit_proposes_nothing_and_says_why(known, why):
    proposed, why_not = by_order(known, STEPS)
    assert proposed == [None] * len(known)
    assert why in why_not


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[names]\nx = 'bicepps'\n", "names, 'x': .*biceps"),
        ("[sides]\nx = 'up'\n", "sides, 'x'"),
        ("patterns = ['(']\n", "patterns"),
        ("patterns = ['P(?P<who>.)']\n", "groups are named"),
        ("[words]\n", "words is not known"),
    ],
)
def test_what_is_wrong_in_labels_toml_is_named(words, text, said):
    with pytest.raises(StudyRefused, match=f"labels.toml.*{said}"):
        words(text)
