import numpy as np
import pandas as pd
import pytest

from usimg.errors import UsimgError
from usimg.phenotype import cluster, columns_with_role
from usimg.simulate.cohorts import KINDS, cohort


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_cohort_and_another_seed_another(kind):
    one, same, other = (cohort(30, kind, seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one.features, same.features)
    pd.testing.assert_frame_equal(one.clinical, same.clinical)
    assert not one.features.equals(other.features)


def test_the_columns_carry_their_roles_in_their_names():
    made = cohort(20)
    assert columns_with_role(made.features.columns) == made.roles


def test_groups_lie_as_far_apart_and_correlate_as_asked():
    made = cohort(20_000, "groups", separation=1.8, severe_share=0.3)
    severe = made.truth["group"] == "Severe"
    assert severe.mean() == pytest.approx(0.3)
    within = made.features - made.features.groupby(severe).transform("mean")
    gap = (made.features[severe].mean() - made.features[~severe].mean()) / within.std()
    assert gap.abs().to_numpy() == pytest.approx(1.8, abs=0.06)
    assert (np.sign(gap) == [1 if role == "muscle_echo" else -1 for role in made.roles.values()]).all()
    correlations = within.corr().abs().to_numpy()[np.triu_indices(22, 1)]
    assert correlations.mean() == pytest.approx(0.1, abs=0.01)


def test_a_device_gap_is_two_sd_of_echo_intensity_and_nothing_else():
    made = cohort(20_000, "device_bimodal")
    other = made.clinical["device"] == "synthetic scanner B"
    sd = cohort(20_000, "gradient", loading=0.5).features.std()
    gap = (made.features[other].mean() - made.features[~other].mean()) / sd
    expected = [2.0 if role == "muscle_echo" else 0.0 for role in made.roles.values()]
    assert gap.to_numpy() == pytest.approx(expected, abs=0.06)


def test_the_share_of_missing_values_is_as_asked():
    assert cohort(2000, missing=0.05).features.isna().to_numpy().mean() == pytest.approx(0.05, abs=0.005)


@pytest.mark.parametrize("asked", [{"kind": "clusters"}, {"patients": 2}, {"severe_share": 1.0}])
def test_what_describes_no_cohort_is_refused(asked):
    with pytest.raises(UsimgError):
        cohort(**asked)


def test_a_written_cohort_is_called_synthetic_wherever_its_groups_are_shown(tmp_path):
    made = cohort(60, "groups", seed=2)
    features = made.features.rename("synthetic-{}".format)
    result = cluster(features)
    assert any("synthetic" in note for note in result.notes)
    assert "about no person" in result.report(tmp_path / "page.html").read_text(encoding="utf-8")
    assert not any("synthetic" in note for note in cluster(made.features).notes)
