"""What is claimed on cohorts whose truth is known; how often is in benchmarks/phenotypes.md."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

import usimg
from usimg.simulate.cohorts import KINDS, cohort

FACTS = ["device", "sex", "site", "age", "height_cm", "visit_year"]
WITHOUT_GROUPS = [kind for kind in KINDS if kind not in ("groups", "device_bimodal", "sex_bimodal")]


@pytest.mark.parametrize("kind", WITHOUT_GROUPS)
def test_no_groups_are_shown_where_there_are_none(kind):
    for seed in range(3):
        made = cohort(300, kind, seed=seed)
        result = usimg.cluster(made.features, made.clinical)
        assert (result.claim, result.k) == ("no groups shown", 1)
        assert not result.label_supported.any()


@pytest.mark.parametrize(
    "planted", [{}, {"separation": 2.5, "loading": 0.3**0.5}, {"separation": 1.8, "severe_share": 0.5}]
)
def test_planted_groups_are_found_and_supported(planted):
    made = cohort(454, "groups", seed=4, **planted)
    result = usimg.cluster(made.features, made.clinical)
    assert (result.claim, result.k) == ("groups", 2)
    assert adjusted_rand_score(made.truth["group"], result.labels) > 0.9
    assert (result.label_supported == ~result.borderline).all()
    assert result.label_supported.mean() > 0.95
    assert all(outcome.startswith("passed") for outcome in result.checks.values())


@pytest.mark.parametrize(("kind", "factor"), [("device_bimodal", "device"), ("sex_bimodal", "sex")])
def test_what_a_device_or_sex_makes_is_explained_by_it(kind, factor):
    for seed in range(3):
        made = cohort(454, kind, seed=seed)
        result = usimg.cluster(made.features, made.clinical)
        assert result.claim == f"explained by {factor}"
        assert result.checks[factor].startswith("failed")
        assert not result.label_supported.any()
        assert usimg.cluster(made.features).claim != "groups"


def test_groups_on_two_devices_are_still_groups():
    made = cohort(454, "groups", seed=2)
    severe = (made.truth["group"] == "Severe").to_numpy()
    rng = np.random.default_rng(0)
    # Two of three severe patients came to the clinic with the other scanner.
    made.clinical["device"] = np.where(rng.random(454) < np.where(severe, 0.67, 0.33), "B", "A")
    assert usimg.cluster(made.features, made.clinical).claim == "groups"


def test_a_device_for_each_group_explains_them():
    made = cohort(454, "groups", seed=2)
    made.clinical["device"] = made.truth["group"].map({"Mild": "A", "Severe": "B"})
    assert usimg.cluster(made.features, made.clinical).claim == "explained by device"


def test_a_column_that_is_missing_or_has_small_levels_is_named_in_the_claim():
    made = cohort(300, "groups", seed=1)
    facts = made.clinical[FACTS].drop(columns="sex")
    assert usimg.cluster(made.features, facts).claim == "separated, not checked for sex"
    facts = made.clinical[FACTS].assign(device=[f"scanner {i % 5}" for i in range(300)])
    result = usimg.cluster(made.features, facts)
    assert result.claim == "separated, not checked for device"
    assert "levels under 100 patients not checked: scanner 0 (60)" in result.checks["device"]


def test_one_device_for_all_cannot_explain_anything():
    made = cohort(300, "groups", seed=1)
    result = usimg.cluster(made.features, made.clinical.assign(device="the only one"))
    assert result.claim == "groups"
    assert "one device" in result.checks["device"]


def test_assuming_no_confounding_is_said():
    made = cohort(300, "groups", seed=1)
    result = usimg.cluster(made.features, assume_unconfounded=True)
    assert result.claim == "groups"
    assert "assumed, not checked" in result.reason
    assert "assumed" in result.checks["device"]


def test_an_outcome_that_follows_severity_alone_is_worded_so():
    made = cohort(454, "groups", separation=2.5, loading=0.3**0.5, seed=3)
    score = usimg.cluster(made.features).severity
    rng = np.random.default_rng(3)
    facts = made.clinical[FACTS].assign(alsfrs_r=35 - 5 * score + rng.normal(0, 3, 454))
    result = usimg.cluster(made.features, facts)
    assert result.claim == "separated, but severity says as much"
    assert result.checks["outcomes"].startswith("failed")
    assert not result.label_supported.any()


def test_few_patients_are_too_few_to_claim_anything():
    made = cohort(40, "groups", separation=5.0, seed=0)
    result = usimg.cluster(made.features, made.clinical)
    assert (result.claim, result.p_value) == ("no groups shown", None)
    assert result.checks["separation"].startswith("not run")
    assert "too few" in result.reason


def test_the_clinical_table_may_come_in_another_order_and_with_strangers():
    made = cohort(300, "groups", seed=1)
    stranger = pd.DataFrame(made.clinical.iloc[:1]).rename(index={"S0001": "nobody"})
    mixed = pd.concat([made.clinical.sample(frac=1, random_state=0), stranger])
    first, second = (usimg.cluster(made.features, facts) for facts in (made.clinical, mixed))
    assert first.checks == second.checks
    assert first.p_value == second.p_value


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "groups"])
def test_at_most_one_in_twenty_cohorts_without_groups_is_called_groups(kind):
    made = [cohort(454, kind, seed=50_000 + seed) for seed in range(60)]
    claims = [usimg.cluster(one.features, one.clinical[FACTS]).claim for one in made]
    assert claims.count("groups") <= 60 * 0.05
