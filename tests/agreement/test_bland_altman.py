"""Bias and limits of agreement against the published example, closed forms and simulation."""

import numpy as np
import pytest

from usimg.agreement.bland_altman import limits

# Bland and Altman 1986, table 1: peak expiratory flow rate, first readings, Wright and mini Wright meter.
WRIGHT = np.array(
    [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427], float
)
MINI = np.array([512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451], float)


def test_the_example_of_1986_comes_back():
    found = limits(WRIGHT, MINI, np.arange(17), ("Wright", "mini Wright"))
    assert (round(found.bias.value, 1), round(found.sd, 1)) == (-2.1, 38.8)
    # Their interval of the bias is -22.0 to 17.8 l/min.
    assert (round(found.bias.low, 1), round(found.bias.high, 1)) == (-22.0, 17.8)


def test_several_values_of_a_patient_do_not_narrow_the_limits():
    rng = np.random.default_rng(0)
    patient = np.repeat(np.arange(400), 3)
    apart = rng.normal(0, 2, 400)[patient] + rng.normal(0, 1, 1200)
    base = rng.normal(20, 3, 400)[patient]
    found = limits(base + apart, base, patient, ("a", "b"))
    assert found.sd == pytest.approx(np.sqrt(5), rel=0.1)
    # Patients count, not values: the interval of the bias is that of 400 means.
    assert found.bias.high - found.bias.low == pytest.approx(
        2 * 1.97 * np.sqrt(4 + 1 / 3) / np.sqrt(400), rel=0.1
    )


def test_limits_turn_round_when_the_readers_do():
    one = limits(WRIGHT, MINI, np.arange(17), ("a", "b"))
    other = limits(MINI, WRIGHT, np.arange(17), ("b", "a"))
    assert one.upper.value == pytest.approx(-other.lower.value)
    assert one.upper.high == pytest.approx(-other.lower.low)


def test_a_reader_who_measures_a_tenth_more_has_a_proportional_bias():
    rng = np.random.default_rng(2)
    truth = rng.uniform(5, 40, 40)
    found = limits(1.1 * truth + rng.normal(0, 0.3, 40), truth, np.arange(40), ("a", "b"))
    assert found.proportional
    assert found.slope.low < 0.1 / 1.05 < found.slope.high


def test_a_spread_that_grows_with_size_is_given_as_ratios():
    rng = np.random.default_rng(3)
    truth = np.exp(rng.normal(3, 0.7, 200))
    found = limits(truth * np.exp(rng.normal(0, 0.1, 200)), truth, np.arange(200), ("a", "b"))
    assert found.widening
    assert (found.ratio_lower, found.ratio_upper) == pytest.approx((np.exp(-0.196), np.exp(0.196)), rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("repeats", [1, 3])
def test_nineteen_of_twenty_intervals_of_a_limit_hold_it(repeats):
    rng = np.random.default_rng(4)
    patient = np.repeat(np.arange(20), repeats)
    truth = 1.959964 * np.sqrt(1 + 0.49)
    hits = 0
    for _ in range(2000):
        apart = rng.normal(0, 1, 20)[patient] + rng.normal(0, 0.7, 20 * repeats)
        base = rng.normal(20, 3, 20)[patient]
        upper = limits(base + apart, base, patient, ("a", "b")).upper
        hits += upper.low <= truth <= upper.high
    assert hits / 2000 == pytest.approx(0.95, abs=0.02)
