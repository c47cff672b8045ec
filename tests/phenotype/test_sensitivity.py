"""Other ways to ask; corrected outlines; change over time."""

import numpy as np
import pandas as pd
import pytest

import usimg
from usimg.errors import StudyRefused
from usimg.phenotype.change import change
from usimg.phenotype.corrections import corrections, rerun
from usimg.phenotype.sensitivity import curve, leave_one_out, read_plan
from usimg.simulate import cohort


@pytest.fixture(scope="module")
def made():
    return cohort(240, "groups", seed=2)


@pytest.fixture(scope="module")
def result(made):
    return usimg.cluster(made.features, made.clinical)


def plan(tmp_path, text):
    path = tmp_path / "plan.toml"
    path.write_text(text)
    return read_plan(path)


def test_every_combination_of_a_plan_is_run(made, result, tmp_path):
    asked = plan(
        tmp_path,
        '[vary]\nsides = ["apart", "average"]\nadjust = [[], ["age", "sex"]]\n'
        'features = ["all", "without nerve_csa"]\n',
    )
    found = curve(result, asked, made.features)
    assert len(found.runs) == 8
    assert {run.features for run in found.runs} == {22, 16, 11, 8}
    assert all(run.agreement > 0.85 and run.compared == 240 for run in found.runs)
    assert [run.p_value for run in found.runs] == sorted(run.p_value for run in found.runs)
    assert "8 ways to ask" in found.sentence


def test_exclusions_and_other_numbers_of_parts_are_run_and_what_cannot_be_is_said(result, tmp_path):
    asked = plan(tmp_path, '[vary]\nexclude = ["nobody", "site = clinic 1"]\nk = [2, 3]')
    found = curve(result, asked)
    assert len({run.n for run in found.runs}) == 2
    three = [run for run in found.runs if run.choices["k"] == "3"]
    assert max(run.agreement for run in three) < 0.9
    nothing = curve(result, {"features": ["only fat"]})
    assert nothing.runs[0].why == "no feature is left (only fat)"
    assert "1 could not be run" in nothing.sentence


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "table \\[vary\\]"),
        ("[vary]\nside = ['left']", "vary.side is not known"),
        ("[vary]\nsides = ['left']", "'left' is not one of apart"),
        ("[vary]\nadjust = ['age']", "is a list, like"),
        ("[vary]\nadjust = [['shoe size']]", "adjust names 'shoe size'"),
        ("[vary]\nfeatures = ['without hands']", "without BLOCK"),
        ("[vary]\nk = 2", "is a list of choices"),
        ("[vary]\nk = " + str([2] * 301), "301 combinations"),
        ("[vary", "plan.toml"),
    ],
)
def test_a_plan_that_is_none_is_refused_in_words(text, says, tmp_path):
    with pytest.raises(StudyRefused, match=says):
        plan(tmp_path, text)


def test_each_block_site_and_device_is_left_out_once(result):
    found = {run.choices["without"]: run for run in leave_one_out(result)}
    assert len(found) == 7
    assert found["block: nerve"].features == 16
    assert found["site: clinic 1"].n < 240
    assert min(run.agreement for run in found.values()) > 0.85


def handled(made, corrected):
    """The counts that a study's wide table has beside its values; `corrected` patients were corrected."""
    stems = [name.rpartition("__")[0] for name in made.features]
    counts = {
        f"{stem}__n_{state}": np.where(corrected == (state == "corrected"), 1, 0)
        for stem in stems
        for state in ("automatic", "corrected")
    }
    return made.features.assign(**counts)


def test_corrections_that_follow_severity_are_found_and_random_ones_are_not(made, result):
    rng = np.random.default_rng(0)
    ill = (result.severity + rng.normal(0, 0.3, 240) > 0).to_numpy()
    found = {t.state: t for t in corrections(result, handled(made, ill)).trends}
    assert found["corrected"].p < 0.01
    assert found["corrected"].thirds[2] - found["corrected"].thirds[0] > 0.8
    chance = corrections(result, handled(made, rng.random(240) < 0.5))
    assert {t.state: t.p > 0.05 for t in chance.trends}["corrected"]
    for feature in chance.features:
        assert [sum(shares) for shares in zip(*feature.shares.values(), strict=True)] == pytest.approx(
            [1] * 3
        )
    assert corrections(result, made.features) is None


def test_other_outlines_say_how_many_patients_change_part(made, result):
    same = rerun(result, "the same", features=made.features)
    assert (same.moved, same.compared, same.claim) == (0, 240, result.claim)
    shuffled = made.features.sample(frac=1, random_state=0).set_axis(made.features.index)
    assert rerun(result, "of others", features=shuffled).moved > 60


def visits(slope, error, n=200, months=(0, 12)):
    rng = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "subject": [f"P{i}" for i in range(n) for _ in months],
            "visit": [f"{2025 + m // 12}-{m % 12 + 1:02d}-01" for _ in range(n) for m in months],
            "mm": [20 + slope * m + rng.normal(0, error) for _ in range(n) for m in months],
        }
    )


def test_what_lies_within_the_measurements_error_is_not_decidable():
    still = change(visits(0.0, 1.0), "mm", 1.0)
    assert (still.table["says"] == "not decidable").mean() == pytest.approx(0.95, abs=0.04)
    falling = change(visits(-0.5, 1.0), "mm", 1.0)
    assert (falling.table["says"] == "falls").mean() > 0.95
    assert "200 patients" in falling.sentence


def test_two_visits_give_the_minimal_detectable_change():
    found = change(visits(0.0, 1.0, n=1), "mm", 1.0).table.iloc[0]
    width = (found["high"] - found["low"]) / 2 * found["months"]
    assert width == pytest.approx(1.96 * np.sqrt(2), rel=1e-3)


def test_more_visits_decide_smaller_changes():
    few, many = (change(visits(0, 1, n=1, months=m), "mm", 1.0).table.iloc[0] for m in ((0, 12), range(13)))
    assert many["high"] - many["low"] < few["high"] - few["low"]


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        ({"measure": "cm"}, "no measure 'cm'"),
        ({"error": 0.0}, "no standard error"),
        ({"rows": visits(0, 1).assign(visit="V1")}, "'V1' is none"),
        ({"rows": visits(0, 1, months=(0,))}, "at two visits"),
    ],
)
def test_change_that_cannot_be_judged_is_refused(spoil, says):
    with pytest.raises(StudyRefused, match=says):
        change(**({"rows": visits(0, 1), "measure": "mm", "error": 1.0} | spoil))
