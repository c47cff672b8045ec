"""Ratios and indices: their value, their error, and why one is missing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from usimg.errors import StudyRefused
from usimg.study import target_of
from usimg.study.derived import definitions, derive
from usimg.study.exports import tables_of
from usimg.study.formula import evaluate
from usimg.study.tables import wide


@pytest.fixture
def derived(study, automatic_row, add_run):
    """Rows from changes -> the derived values of one name, by side or place."""

    def _derived(name, *changes):
        rows = [automatic_row(scan=f"{n:064d}", **change) for n, change in enumerate(changes)]
        add_run(*rows)
        table = derive(wide(study.current()), definitions(study.root))
        return table[table["name"] == name].reset_index(drop=True)

    return _derived


def hand(structure, thickness, repeat=1):
    return {"structure": structure, "site": "mid_metacarpal", "thickness_mm": thickness, "repeat": repeat}


def test_the_side_ratio_carries_the_error_of_both_sides(derived):
    sides = [("left", 20.0, 1), ("left", 22.0, 2), ("right", 10.0, 1), ("right", 12.0, 2)]
    (ratio,) = derived(
        "side_ratio", *({"side": s, "thickness_mm": t, "repeat": r} for s, t, r in sides)
    ).to_dict("records")
    assert ratio["value"] == pytest.approx(21 / 11)
    # Standard error of each mean of two is 1 mm; relative errors add in quadrature for a quotient.
    assert ratio["error"] == pytest.approx(21 / 11 * np.hypot(1 / 21, 1 / 11))
    assert (ratio["structure"], ratio["site"], ratio["n"]) == ("biceps_brachii", "mid_arm", 2)
    assert len(ratio["inputs"]) == 2


@pytest.mark.parametrize(("adm", "reason"), [(0.0, "is zero"), (None, "no value for abductor digiti minimi")])
def test_a_zero_or_missing_term_gives_no_split_hand_index_and_the_reason(derived, adm, reason):
    hands = [hand("first_dorsal_interosseous", 12.0), hand("abductor_pollicis_brevis", 10.0)]
    if adm is not None:
        hands.append(hand("abductor_digiti_minimi", adm))
    (index,) = derived("split_hand_index_mm", *hands).to_dict("records")
    assert np.isnan(index["value"])
    assert reason in index["reason"]


def test_the_split_hand_index(derived):
    names = ("first_dorsal_interosseous", "abductor_pollicis_brevis", "abductor_digiti_minimi")
    index = derived("split_hand_index_mm", *map(hand, names, (12.0, 10.0, 8.0)))
    assert index["value"].tolist() == [15.0]


def breath(state, thickness, repeat):
    zone = {"structure": "diaphragm", "site": "zone_of_apposition", "muscle_state": state}
    return zone | {"thickness_mm": thickness, "repeat": repeat}


BREATHS = [
    breath("end_expiration", 2.0, 1), breath("max_inspiration", 3.0, 1),
    breath("end_expiration", 2.0, 2), breath("max_inspiration", 4.0, 2),
    breath("end_expiration", 1.0, 3), breath("max_inspiration", 3.0, 3),
]  # fmt: skip


def test_thickening_is_computed_breath_by_breath_and_then_averaged(derived):
    fraction = derived("thickening_fraction", *BREATHS)
    assert fraction["value"].tolist() == [pytest.approx((0.5 + 1.0 + 2.0) / 3)]
    assert fraction["n"].tolist() == [3]


def test_two_breaths_are_too_few(derived):
    (fraction,) = derived("thickening_fraction", *BREATHS[:4]).to_dict("records")
    assert np.isnan(fraction["value"])
    assert "2 complete breaths; it takes 3" in fraction["reason"]


def test_a_ratio_of_two_rules_is_refused(derived):
    left = {"side": "left", "thickness_rule": "mean_vertical"}
    right = {"side": "right", "thickness_rule": "max_vertical"}
    (ratio,) = derived("side_ratio", left, right).to_dict("records")
    assert ratio["reason"] == "measured by different rules"


def test_a_study_adds_and_replaces_its_own(study, derived):
    (study.root / "derived.toml").write_text(
        '[double]\nformula = "2 * a"\nunit = "mm"\n'
        'terms.a = { structure = "biceps_brachii", feature = "thickness_mm" }\n'
    )
    assert derived("double", {})["value"].tolist() == [40.0]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ('formula = "a / b"\nterms.a = { side = "left", feature = "csa_mm2" }', "the formula names"),
        ('formula = "a ** 2"\nterms.a = { feature = "csa_mm2" }', "nothing else"),
        (
            "formula = \"__import__('os').system('true')\"\nterms.a = { feature = \"csa_mm2\" }",
            "nothing else",
        ),
        ('formula = "a"\nterms.a = { place = "wrist", feature = "csa_mm2" }', "same fields"),
        ('formula = "a"\nterms.a = { side = "left" }', "feature"),
    ],
)
def test_an_entry_that_is_not_understood_is_named(study, entry, said):
    (study.root / "derived.toml").write_text(f"[mine]\n{entry}\n")
    with pytest.raises(StudyRefused, match=said) as refused:
        definitions(study.root)
    assert "[mine]" in str(refused.value)


@given(
    a=st.floats(0.5, 50), b=st.floats(0.5, 50), c=st.floats(0.5, 50),
    formula=st.sampled_from(["a * b / c", "(a - b) / b", "a + b - c", "2 * a / (b + c)", "-a / 3"]),
)  # fmt: skip
def test_the_error_agrees_with_small_changes_of_each_term(a, b, c, formula):
    terms = {name: np.array([value]) for name, value in zip("abc", (a, b, c), strict=True)}
    errors = {name: 1e-6 * value for name, value in terms.items()}
    value, error = evaluate(formula, terms, errors)
    moved = [
        evaluate(formula, terms | {name: terms[name] + errors[name]}, errors)[0] - value for name in terms
    ]
    assert error[0] == pytest.approx(float(np.sqrt(sum(d**2 for d in moved))[0]), rel=1e-3, abs=1e-9)


def test_the_heckmatt_grade_of_repeats_is_their_median(study, automatic_row, add_run):
    rows = [automatic_row(repeat=n, scan=f"{n:064d}") for n in (1, 2, 3)]
    add_run(*rows)
    with study.sitting("Ada") as sitting:
        for row, grade in zip(rows, (1, 4, 4), strict=True):
            sitting.decide("grade", target_of(row), {"grade": grade})
    table = tables_of(study).derived
    (grade,) = table[table["name"] == "heckmatt_grade"].to_dict("records")
    assert (grade["value"], grade["n"], grade["subject"]) == (4.0, 3, "P1")
