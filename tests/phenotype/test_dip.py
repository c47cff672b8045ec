import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from usimg.phenotype.dip import dip, p_value


def dip_by_definition(sample):
    """The smallest distance to a unimodal curve, by a linear program for each place of the mode."""
    x = np.sort(sample)
    n = len(x)
    slope = np.zeros((n - 1, n + 1))
    for i in range(n - 1):
        slope[i, i], slope[i, i + 1] = -1 / (x[i + 1] - x[i]), 1 / (x[i + 1] - x[i])
    at_most = np.column_stack([np.eye(n), -np.ones(n)])  # G - d <= F just before x
    at_least = np.column_stack([-np.eye(n), -np.ones(n)])  # -G - d <= -F at x
    bounds = np.concatenate([np.arange(n) / n, -np.arange(1, n + 1) / n, np.zeros(2 * n - 3)])
    best = np.inf
    for mode in range(n - 1):
        steeper = np.diff(slope, axis=0)
        bends = np.where(np.arange(n - 2)[:, None] < mode, -steeper, steeper)
        rules = np.vstack([at_most, at_least, bends, -slope])
        best = min(best, linprog(np.eye(1, n + 1, n)[0], rules, bounds, bounds=(0, 1)).fun)
    return best


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), n=st.integers(5, 16), apart=st.sampled_from([0.0, 1.5, 4.0]))
def test_the_dip_is_the_distance_to_the_closest_unimodal_curve(seed, n, apart):
    rng = np.random.default_rng(seed)
    sample = rng.normal(size=n) + apart * (rng.random(n) < 0.5)
    assert dip(sample) == pytest.approx(dip_by_definition(sample), abs=1e-7)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), scale=st.floats(0.01, 100), shift=st.floats(-50, 50))
def test_scale_shift_order_and_mirror_leave_the_dip(seed, scale, shift):
    rng = np.random.default_rng(seed)
    sample = rng.normal(size=60) + 3 * (rng.random(60) < 0.4)
    expected = dip(sample)
    assert dip(scale * sample + shift) == pytest.approx(expected, abs=1e-9)
    assert dip(-sample) == pytest.approx(expected, abs=1e-9)
    assert dip(rng.permutation(sample)) == expected


@pytest.mark.parametrize(
    ("sample", "expected"),
    [(np.arange(100.0), 1 / 200), (np.repeat([0.0, 1.0], 10), 0.25), (np.full(9, 2.0), 1 / 18), ([1.0], 0.5)],
)
def test_known_dips(sample, expected):
    assert dip(sample) == pytest.approx(expected)


@pytest.mark.parametrize("n", [60, 227, 454, 1500])
def test_uniform_samples_have_uniform_p_values(n):
    rng = np.random.default_rng(n + 1)
    p = np.array([p_value(dip(rng.random(n)), n) for _ in range(400)])
    for share in (0.05, 0.2, 0.5):
        assert (p <= share).mean() == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 400))


def test_a_normal_sample_is_never_called_bimodal_and_two_far_groups_always():
    rng = np.random.default_rng(5)
    assert all(p_value(dip(rng.normal(size=300)), 300) > 0.1 for _ in range(50))
    apart = np.repeat([0.0, 5.0], 150)
    assert all(p_value(dip(rng.normal(size=300) + apart), 300) < 0.0011 for _ in range(20))
