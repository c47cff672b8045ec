import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_samples

from usimg.phenotype.kmeans import kmeans
from usimg.phenotype.silhouette import silhouettes


@pytest.fixture
def patients():
    rng = np.random.default_rng(1)
    return rng.normal(size=(150, 6)) + 2.5 * rng.integers(0, 3, (150, 1))


def test_many_subsamples_at_once_are_as_good_as_one_by_one(patients):
    rng = np.random.default_rng(2)
    weights = (rng.random((6, 150)) < 0.8).astype(float)
    for k in (2, 3, 5):
        found = kmeans(patients, weights, k, starts=10, rng=np.random.default_rng(3))
        alone = [KMeans(k, n_init=10, random_state=0).fit(patients[row > 0]) for row in weights]
        assert found.within.mean() <= 1.002 * np.mean([one.inertia_ for one in alone])
        if k == 3:  # three planted parts: there is one answer
            for row, parts, one in zip(weights, found.parts, alone, strict=True):
                assert adjusted_rand_score(parts[row > 0], one.labels_) == pytest.approx(1.0)


def test_weights_count_patients_as_often_as_they_say(patients):
    counts = np.random.default_rng(4).integers(0, 4, 150)
    found = kmeans(patients, counts[None].astype(float), 3, starts=20, rng=np.random.default_rng(0))
    repeated = KMeans(3, n_init=20, random_state=0).fit(np.repeat(patients, counts, axis=0))
    assert found.within[0] == pytest.approx(repeated.inertia_)
    assert sorted(found.centres[0][:, 0]) == pytest.approx(sorted(repeated.cluster_centers_[:, 0]))


def test_within_is_the_sum_of_squared_distances_to_the_nearest_centre(patients):
    found = kmeans(patients, np.ones((2, 150)), 4, starts=3, rng=np.random.default_rng(0))
    distances = ((patients[None, :, None] - found.centres[:, None]) ** 2).sum(-1)  # (runs, n, k)
    assert (found.parts == distances.argmin(-1)).all()
    assert found.within == pytest.approx(distances.min(-1).sum(1))


def test_silhouettes_are_those_of_scikit_learn(patients):
    parts = KMeans(4, n_init=3, random_state=0).fit_predict(patients)
    parts[0] = 4  # a part of one
    assert silhouettes(patients, parts) == pytest.approx(silhouette_samples(patients, parts), abs=1e-9)
