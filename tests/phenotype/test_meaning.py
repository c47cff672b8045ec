import numpy as np
import pandas as pd
import pytest

import usimg
from usimg.simulate import cohort


@pytest.fixture(scope="module")
def made():
    return cohort(400, "gradient", seed=5)


def clustered(made, **facts):
    clinical = made.clinical[["device", "sex", "age", "site"]].assign(**facts)
    return usimg.cluster(made.features, clinical)


def meaning(result, outcome):
    return next(one for one in result.meanings if one.outcome == outcome)


def test_a_known_slope_on_severity_is_found_beside_age(made):
    rng = np.random.default_rng(0)
    score = clustered(made).severity
    age = made.clinical["age"]
    result = clustered(made, alsfrs_r=36 - 3 * score - 0.2 * (age - 60) + rng.normal(0, 2, 400))
    found = meaning(result, "alsfrs_r")
    assert found.severity.low < -3 < found.severity.high
    assert found.severity.estimate == pytest.approx(-3, abs=0.35)
    assert set(found.adjusted_for) == {"age", "sex", "site"}
    assert "severity says more than the part" in found.sentence
    assert "lower" in found.sentence


def test_outcomes_that_have_nothing_to_do_with_it_stay_so_after_correction(made):
    rng = np.random.default_rng(1)
    noise = {name: rng.normal(30, 5, 400) for name in ("alsfrs_r", "mmt", "cmap_mv", "delta_fs")}
    result = clustered(made, **noise)
    assert len(result.meanings) == 4
    assert all(one.part.q > 0.05 for one in result.meanings)
    assert all(one.part.q >= one.part.p for one in result.meanings)
    assert "no clear difference" in result.meanings[0].sentence


def test_a_stage_gets_an_odds_ratio_and_an_event_too(made):
    rng = np.random.default_rng(2)
    score = clustered(made).severity + rng.logistic(0, 0.7, 400)
    stage = pd.cut(score, [-99, -1, 0, 1, 99], labels=False) + 1
    result = clustered(made, kings_stage=stage, gastrostomy=(score > 1).astype(int))
    for name in ("kings_stage", "gastrostomy"):
        found = meaning(result, name)
        assert found.is_ratio
        assert 1 < found.part.low < found.part.estimate
        # One SD of severity multiplies the odds by exp(1 / 0.7).
        assert found.severity.estimate == pytest.approx(np.exp(1 / 0.7), rel=0.35)


def test_a_ceiling_is_said(made):
    score = clustered(made).severity
    result = clustered(made, mmt=np.minimum(120 - 10 * score, 125))
    assert any("ceiling" in said for said in meaning(result, "mmt").diagnostics)


def test_an_outcome_that_made_the_parts_is_called_so(made):
    features = made.features.assign(cmap_mv=made.clinical["cmap_mv"])
    result = usimg.cluster(features, made.clinical)
    assert "built in" in meaning(result, "cmap_mv").cautions[0]
    assert not meaning(result, "mmt").cautions


def test_the_label_must_help_in_patients_left_out_too():
    from usimg.phenotype.outcomes import Outcome

    aic = {"label": 0.0, "severity": 10.0, "both": 0.0}
    assert Outcome("a", 50, aic, {"label": 0.1, "severity": 0.1, "both": 0.2}).label_adds
    assert not Outcome("a", 50, aic, {"label": 0.1, "severity": 0.2, "both": 0.1}).label_adds
