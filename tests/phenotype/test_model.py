import json

import numpy as np
import pandas as pd
import pytest

import usimg
from usimg.errors import StudyRefused
from usimg.phenotype import Preparation
from usimg.phenotype.model import Model
from usimg.simulate import cohort


@pytest.fixture(scope="module")
def made():
    return cohort(300, "groups", seed=1)


@pytest.fixture(scope="module", params=["plain", "adjusted and weighted"])
def result(made, request):
    choices = Preparation(standardise="robust", adjust=("age", "sex"), weights={})
    plain = request.param == "plain"
    return usimg.cluster(made.features, made.clinical, preparation=Preparation() if plain else choices)


def test_a_saved_model_places_its_own_patients_where_they_were(made, result, tmp_path):
    model = Model.load(Model.of(result).save(tmp_path / "model.json"))
    placed = model.assign(made.features, made.clinical)
    assert placed["severity_sd"].to_numpy() == pytest.approx(result.severity.to_numpy())
    assert (placed["part"] == result.parts).all()
    assert placed["far"].mean() == pytest.approx(0.01, abs=0.01)


def test_a_later_visit_moves_on_and_a_stranger_is_far_from_every_centre(made, result):
    model = Model.of(result)
    later = made.features.iloc[:3].copy()
    thick = [name for name in later if name.endswith("thickness_mm")]
    later[thick] -= 4
    before, after = (model.assign(table, made.clinical) for table in (made.features.iloc[:3], later))
    assert (after["severity_sd"] > before["severity_sd"]).all()
    strange = made.features.iloc[:1] * 0
    assert model.assign(strange, made.clinical)["far"].all()


def test_who_lacks_a_value_is_placed_nowhere_and_the_reason_says_which(made, result):
    gap = made.features.iloc[:2].copy()
    gap.iloc[0, 3] = np.nan
    placed = Model.of(result).assign(gap, made.clinical)
    assert placed["part"].iloc[0] == ""
    assert gap.columns[3] in placed["reason"].iloc[0]
    assert placed["part"].iloc[1]


def test_the_file_is_json_that_names_its_versions_and_notices_a_change(result, tmp_path):
    path = Model.of(result).save(tmp_path / "model.json")
    content = json.loads(path.read_text())
    assert set(content["made_with"]) == {"usimg", "numpy", "scikit-learn"}
    content["centres"][0][0] += 0.1
    path.write_text(json.dumps(content))
    with pytest.raises(StudyRefused, match="was changed"):
        Model.load(path)


@pytest.mark.parametrize(("text", "says"), [("no", "not JSON"), ("{}", "no model"), ("[]", "no model")])
def test_what_is_no_model_is_refused(text, says, tmp_path):
    path = tmp_path / "model.json"
    path.write_text(text)
    with pytest.raises(StudyRefused, match=says):
        Model.load(path)


def test_a_table_without_the_models_features_is_refused_by_name(made, result):
    with pytest.raises(StudyRefused, match="1 of the model's 22 features"):
        Model.of(result).assign(made.features.iloc[:, 1:], made.clinical)


def test_parts_that_are_no_groups_are_not_called_so_in_the_model():
    gradient = cohort(100, "gradient", seed=1)
    model = Model.of(usimg.cluster(gradient.features))
    assert set(model.assign(gradient.features)["part"]) == {
        "lower part of severity",
        "upper part of severity",
    }


def test_a_model_that_needs_the_controls_of_each_device_is_not_saved():
    one, two = cohort(60, "gradient", seed=1), cohort(60, "gradient", seed=2)
    features = pd.concat([one.features, two.features.rename("C{}".format)])
    clinical = pd.concat([one.clinical, two.clinical.rename("C{}".format).assign(group="control")])
    result = usimg.cluster(features, clinical, preparation=Preparation(echo="z"))
    with pytest.raises(StudyRefused, match="per device"):
        Model.of(result)
