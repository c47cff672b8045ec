import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

import usimg
from usimg.phenotype.evidence import _crossed, agreement
from usimg.phenotype.power import power
from usimg.simulate import cohort


@pytest.fixture(scope="module")
def found():
    kinds = ("groups", "gradient", "noise")
    return {kind: usimg.cluster(cohort(200, kind, seed=1).features).evidence for kind in kinds}


def test_many_adjusted_rand_indices_at_once_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    reference = rng.integers(0, 3, 80)
    runs = np.where(rng.random((12, 80)) < 0.4, reference, rng.integers(0, 4, (12, 80)))
    inside = (rng.random((12, 80)) < 0.8).astype(float)
    expected = [
        adjusted_rand_score(reference[m > 0], run[m > 0]) for run, m in zip(runs, inside, strict=True)
    ]
    assert agreement(_crossed(runs, reference, inside)) == pytest.approx(expected)


def test_clear_groups_score_high_everywhere(found):
    two = found["groups"].sweep[1]
    assert two.ari > 0.95
    assert two.prediction_strength > 0.9
    assert min(two.jaccard) > 0.9
    assert found["groups"].gap_chooses == 2
    assert found["groups"].null_p < 0.05
    assert min(found["groups"].agreement.values()) > 0.8


def test_a_gradient_scores_high_on_stability_too_and_noise_does_not(found):
    assert found["gradient"].sweep[1].ari > 0.8
    assert found["gradient"].sweep[1].prediction_strength > 0.75
    assert found["gradient"].null_p > 0.05
    assert found["noise"].sweep[1].ari < 0.5
    assert found["noise"].gap_chooses == 1


def test_one_part_is_always_a_candidate(found):
    for evidence in found.values():
        assert [row.k for row in evidence.sweep] == [1, 2, 3, 4, 5]
        assert evidence.sweep[0].silhouette is None


def test_the_evidence_is_made_once_and_the_same_every_time(found):
    result = usimg.cluster(cohort(200, "noise", seed=1).features)
    assert result.evidence is result.evidence
    assert result.evidence.sweep == found["noise"].sweep


def test_more_patients_and_equal_shares_see_smaller_gaps():
    few, many, unequal = power(100, 0.5, 0), power(1000, 0.5, 0), power(1000, 0.15, 0)
    assert many.enough < few.enough
    assert unequal.enough is None or unequal.enough > many.enough


def test_few_patients_have_no_evidence():
    assert usimg.cluster(cohort(12, "noise").features).evidence is None
