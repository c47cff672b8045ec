import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from usimg.errors import StudyRefused
from usimg.phenotype.preparation import Adjust, Standardise, WeightBlocks, block_weights

ESTIMATORS = [Standardise(), Standardise("robust"), Adjust(), WeightBlocks()]


# They load data sets; their warnings are not ours.
@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(ESTIMATORS)
def test_the_estimators_keep_what_scikit_learn_asks_of_estimators(estimator, check):
    if "array_api" not in check.func.__name__:  # it skips itself: these estimators take numpy arrays only
        check(estimator)


def test_an_outlier_moves_the_robust_scale_little():
    x = np.r_[np.random.default_rng(0).normal(10, 2, 400), np.full(20, 1000.0)][:, None]
    made = Standardise("robust").fit(x)
    assert made.centre_ == pytest.approx([10], abs=0.4)
    assert made.scale_ == pytest.approx([2], abs=0.3)


def test_missing_values_stay_missing_and_change_no_scale():
    x = np.random.default_rng(1).normal(size=(60, 2))
    gaps = np.vstack([x, np.full((9, 2), np.nan)])
    for method in ("plain", "robust"):
        made = Standardise(method).fit(gaps)
        assert made.centre_ == pytest.approx(Standardise(method).fit(x).centre_)
        assert np.isnan(made.transform(gaps)[60:]).all()


def test_adjusting_takes_out_age_and_sex_and_leaves_disease():
    rng = np.random.default_rng(2)
    age, sex, disease = rng.uniform(30, 80, 4000), rng.integers(0, 2, 4000), rng.normal(size=4000)
    thickness = 30 - 0.1 * age + 4 * sex - 2 * disease
    made = Adjust([0, 1]).fit(np.column_stack([age, sex, thickness]))
    assert made.slopes_.ravel() == pytest.approx([-0.1, 4], abs=0.1)
    adjusted = made.transform(np.column_stack([age, sex, thickness])).ravel()
    assert np.corrcoef(adjusted, disease)[0, 1] < -0.999
    assert adjusted.mean() == pytest.approx(thickness.mean())


def test_blocks_weigh_as_asked_whatever_their_number_of_features():
    X = np.random.default_rng(3).normal(size=(500, 9))
    blocks = ["muscle size"] * 6 + ["nerve"] * 3
    weighted = WeightBlocks(blocks, {"nerve": 0.5}).fit_transform(Standardise().fit_transform(X))
    squares = (weighted**2).sum()
    assert (weighted[:, 6:] ** 2).sum() / squares == pytest.approx(1 / 3)
    assert squares == pytest.approx(9 * 500)


def test_in_a_pipeline_the_columns_keep_their_names():
    table = pd.DataFrame(np.random.default_rng(4).normal(size=(30, 3)), columns=["age", "a", "b"])
    chain = make_pipeline(Adjust([0]), Standardise(), WeightBlocks(["x", "y"]))
    made = chain.set_output(transform="pandas").fit_transform(table)
    assert list(made.columns) == ["a", "b"]


def test_weights_are_read_as_people_write_them():
    assert block_weights("nerve=0.5, muscle size = 2") == {"nerve": 0.5, "muscle size": 2.0}
    with pytest.raises(StudyRefused, match="muscle echo intensity"):
        block_weights("echo=1")
