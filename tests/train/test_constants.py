"""Constants fitted after the network, figures, and the card."""

from __future__ import annotations

import numpy as np
import pytest

from usimg.outline.layer_model import LayerNetwork
from usimg.outline.selfcheck import DESCRIBED
from usimg.train.card import Account, card, curve, worst
from usimg.train.constants import CAUTION, Judged, fit_confidence, fit_offsets
from usimg.train.dataset import Left
from usimg.train.figures import figures, interval, share
from usimg.train.fit import Plan
from usimg.train.phantoms import phantoms
from usimg.train.recipe import WIDE
from usimg.train.watch import Look

from .conftest import layered


def judged(example, above=0.0, below=0.0):
    """Outlined ``above`` and ``below`` px beside the expert."""
    truth = example.truth.astype(np.float64)
    return Judged(example, truth[1] + above, truth[2] + below, dict.fromkeys(DESCRIBED, 1.0))


def test_offsets_bring_a_constant_shift_back_to_the_expert():
    found = [judged(layered(k), above=-2.2, below=1.1) for k in range(1, 6)]
    edges = fit_offsets(found)
    assert edges["upper_offset"] * 220 == pytest.approx(2.2, abs=1e-3)
    assert edges["lower_offset"] * 220 == pytest.approx(-1.1, abs=1e-3)
    assert found[0].error(**edges) == pytest.approx(0.0, abs=1e-5)


def test_another_place_of_the_same_thickness_is_wrong():
    example = layered(1)
    thick = float((example.truth[2] - example.truth[1]).mean())
    assert judged(example, above=thick, below=thick).error(0.0, 0.0) == 1.0


def test_every_number_counts_the_same_in_the_confidence_in_units_of_its_own_spread():
    rng = np.random.default_rng(0)
    spread = dict(zip(DESCRIBED, (1.0, 5.0, 0.1, 1.0, 1.0, 2.0), strict=True))
    rows, right = [], []
    for _ in range(600):
        seen = dict(zip(DESCRIBED, rng.standard_normal(len(DESCRIBED)), strict=True))
        rows.append({name: spread[name] * value for name, value in seen.items()})
        right.append(bool(rng.random() < 1 / (1 + np.exp(-(2 + 0.5 * sum(seen.values()))))))
    table = fit_confidence(rows, right)
    assert table is not None
    for name in DESCRIBED:
        assert table[name] * spread[name] == pytest.approx(0.5, abs=0.12)
    assert table["intercept"] == pytest.approx(2 - np.log(CAUTION), abs=0.4)


def test_what_speaks_against_an_outline_never_raises_its_confidence():
    rows = [dict.fromkeys(DESCRIBED, float(k)) for k in range(20)]
    # Right where everything looks worst: an accident that must not be learnt.
    table = fit_confidence(rows, [k < 5 for k in range(20)])
    assert table is not None
    assert all(weight >= 0 for name, weight in table.items() if name != "intercept")


def test_no_confidence_is_fitted_where_nothing_was_ever_wrong():
    assert fit_confidence([dict.fromkeys(DESCRIBED, 1.0)] * 5, [True] * 5) is None


def test_intervals_are_clopper_and_pearsons():
    # Closed forms: 1 - (alpha/2)^(1/n) for none, and the mirror image for all.
    assert interval(0, 38)[1] == pytest.approx(1 - 0.025 ** (1 / 38))
    assert interval(38, 38)[0] == pytest.approx(0.025 ** (1 / 38))
    assert interval(3, 38) == pytest.approx((0.0166, 0.2138), abs=5e-4)
    assert share(1, 20) == "1 of 20 (0-25 %)"


def test_figures_count_the_accepted_and_the_wrong_among_them():
    found = figures("some", [0.01, -0.07, 0.2, 1.0], ["a", "a", "b", "c"], [0.9, 0.8, 0.6, 0.1])
    assert (found.n, found.groups) == (4, 3)
    assert (found.over_5, found.over_10) == (3, 2)
    assert (found.accepted, found.accepted_over_10) == (3, 1)


def test_phantoms_are_the_same_for_the_same_seed_and_their_edges_stand_on_bright_bands():
    made, again = phantoms(4, seed=3), phantoms(4, seed=3)
    assert len(made) == 4
    for one, other in zip(made, again, strict=True):
        assert np.array_equal(one.pane.gray, other.pane.gray)
        assert np.array_equal(one.truth, other.truth, equal_nan=True)
        columns = np.flatnonzero(np.isfinite(one.truth[1]))
        band = [one.pane.gray[round(float(one.truth[1, c])) - 3, c] for c in columns]
        muscle = [one.pane.gray[round(float(one.truth[1, c])) + 12, c] for c in columns]
        assert np.median(band) > 1.3 * np.median(muscle)


@pytest.fixture
def account():
    model = LayerNetwork("muscle-01234567", "0" * 64, 0.0, 0.0, None, b"")
    learnt = [layered(k, device="A" if k % 2 else "B") for k in range(1, 6)]
    rows = [figures("val: all", [0.01, 0.2], ["a", "b"], [0.9, 0.2])]
    looks = [Look(100, 2.0, 3, 0.1, 0.2, 0.3, 0.8, 10.0), Look(200, 1.0, 3, 0.02, 0.1, 0.0, 0.95, 10.0)]
    left = [Left("Smith_John.png", "one split fascia")]
    return Account(model, Plan(), WIDE, learnt, left, looks, rows, ["somewhere, CC0-1.0"])


def test_a_card_tells_data_licence_figures_and_failures_and_names_no_file(account):
    text = card(account)
    for told in (
        "somewhere, CC0-1.0",
        "A: 3 pictures of 3 groups",
        "1 of 2",
        "one split fascia",
        "Known failures",
    ):
        assert told in text
    assert "Smith" not in text
    assert "picture 1" not in text


def test_the_curve_is_a_picture_that_does_not_change_from_day_to_day(account):
    assert curve(account.looks).startswith("<?xml")
    assert "dc:date" not in curve(account.looks)


def test_the_worst_pictures_come_first():
    found = [judged(layered(k), below=5.0 * k) for k in range(1, 4)]
    errors = [one.error(0.0, 0.0) for one in found]
    sheet = worst(found, errors, (0.0, 0.0))
    alone = worst(found[2:], errors[2:], (0.0, 0.0))
    assert sheet.shape == alone.shape
    assert np.array_equal(sheet[:, :300], alone[:, :300])
