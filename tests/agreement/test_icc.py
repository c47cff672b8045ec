"""Intraclass correlations against published worked examples and against pingouin."""

import numpy as np
import pandas as pd
import pingouin
import pytest

from usimg.agreement.icc import (
    icc_agreement,
    icc_agreement_of_mean,
    icc_consistency,
    mean_squares,
    sem_of_any_reader,
)

# Shrout and Fleiss 1979, table 2: 6 targets, 4 judges; the coefficients are in their table 4.
JUDGED = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=float
)


def test_shrout_and_fleiss_come_back():
    ms = mean_squares(JUDGED)
    forms = (icc_agreement(ms), icc_consistency(ms), icc_agreement_of_mean(ms))
    assert [round(form.value, 2) for form in forms] == [0.29, 0.71, 0.62]


# pingouin 0.7 uses a keyword that pandas 3.1 deprecates.
@pytest.mark.filterwarnings("ignore:The inplace keyword")
@pytest.mark.parametrize(("n", "k", "offset"), [(6, 2, 0.0), (15, 2, 1.0), (30, 3, 0.3), (60, 4, 2.0)])
def test_values_and_intervals_are_pingouins(n, k, offset):
    rng = np.random.default_rng(n)
    table = rng.normal(20, 3, (n, 1)) + offset * np.arange(k) + rng.normal(0, 1, (n, k))
    ms = mean_squares(table)
    ours = {
        "ICC(A,1)": icc_agreement(ms),
        "ICC(A,k)": icc_agreement_of_mean(ms),
        "ICC(C,1)": icc_consistency(ms),
    }
    long = pd.DataFrame(table).reset_index().melt("index")
    theirs = pingouin.intraclass_corr(long, targets="index", raters="variable", ratings="value")
    theirs = theirs.set_index("Type")
    for form, found in ours.items():
        assert found.value == pytest.approx(theirs.loc[form, "ICC"], abs=1e-9)
        # pingouin rounds its intervals to two decimals.
        assert np.round([found.low, found.high], 2) == pytest.approx(theirs.loc[form, "CI95"], abs=0.0101)


def test_consistency_ignores_an_offset_that_agreement_sees():
    table = np.random.default_rng(0).normal(20, 3, (20, 1)) + np.array([0.0, 4.0])
    table = table + np.random.default_rng(1).normal(0, 0.5, (20, 2))
    ms, same = mean_squares(table), mean_squares(table - np.array([0.0, 4.0]))
    assert icc_consistency(ms).value == pytest.approx(icc_consistency(same).value)
    assert icc_agreement(ms).value < 0.6
    assert icc_agreement(same).value > 0.9


def test_readers_who_never_differ_agree_fully_and_have_no_interval():
    one = np.random.default_rng(0).normal(20, 3, (20, 1))
    found = icc_agreement(mean_squares(np.hstack([one, one])))
    assert found.value == 1.0
    assert np.isnan(found.low)


def test_the_variance_within_patients_is_that_of_readers_plus_that_of_error():
    ms = mean_squares(JUDGED)
    assert ms.within == pytest.approx(np.mean(JUDGED.var(axis=1, ddof=1)))


def test_two_readers_say_little_of_a_third():
    table = np.random.default_rng(0).normal(20, 3, (40, 1)) + np.array([0.0, 0.6])
    table = table + np.random.default_rng(1).normal(0, 0.5, (40, 2))
    low, high = sem_of_any_reader(mean_squares(table))
    assert low < np.sqrt(mean_squares(table).within) < high
    assert high > 10 * low
