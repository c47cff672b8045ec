"""The anatomy list as it ships: every entry is found, has its rules, and claims no more than was read."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.resources import files

import pytest

from usimg import anatomy
from usimg.errors import AnatomyUnknown

MUSCLES = [
    "biceps_brachii", "brachialis", "biceps_brachialis", "triceps_brachii", "forearm_flexors",
    "forearm_radial", "first_dorsal_interosseous", "abductor_pollicis_brevis", "abductor_digiti_minimi",
    "rectus_femoris", "vastus_intermedius", "quadriceps_rf_vi", "vastus_lateralis", "tibialis_anterior",
    "gastrocnemius_medialis", "extensor_digitorum_brevis", "sternocleidomastoid", "paraspinal_t10",
    "tongue", "masseter", "diaphragm", "intercostal_parasternal", "geniohyoid", "digastric_anterior",
    "mylohyoid",
]  # fmt: skip


@pytest.mark.parametrize("name", MUSCLES)
def test_every_muscle_of_the_field_has_one_primary_thickness_and_a_muscle_role(name):
    muscle = anatomy.structure(name)
    assert muscle.kind in ("muscle", "combined")
    assert muscle.thickness.rule.count("_") == 1
    assert anatomy.role(name, "thickness_mm") == "muscle_thickness"
    assert muscle.sites


@pytest.mark.parametrize(
    ("name", "sites"),
    [
        ("median_nerve", ["wrist", "forearm", "elbow", "upper_arm"]),
        ("ulnar_nerve", ["wrist", "forearm", "elbow", "upper_arm"]),
        ("radial_nerve", ["spiral_groove"]),
        ("fibular_nerve", ["fibular_head", "popliteal_fossa"]),
        ("tibial_nerve", ["popliteal_fossa", "medial_malleolus"]),
        ("sural_nerve", ["calf", "distal_leg"]),
        ("root_c6", ["foramen", "interscalene"]),
    ],
)
def test_every_nerve_has_its_sites_and_the_role_of_an_area(name, sites):
    nerve = anatomy.structure(name)
    assert list(nerve.sites) == sites
    assert nerve.thickness is None
    assert anatomy.role(name, "csa_mm2") == "nerve_csa"


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("median_nerve", "inside_rim"),
        ("sural_nerve", "inside_rim"),
        ("nerve", "outside_rim"),
        ("root_c5", "outer_border"),
        ("vagus_nerve", "outer_border"),
        ("phrenic_nerve", "outer_border"),
        ("vessel", "lumen"),
        ("biceps_brachii", "inner_edges"),
        ("subcutaneous_fat", "inner_edges"),
        ("tongue", "inside_epimysium"),
    ],
)
def test_each_structure_is_traced_along_the_contour_its_clinics_trace(name, rule):
    assert anatomy.structure(name).trace_rule == rule


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Biceps Brachii", "biceps_brachii"),
        ("BICEPS_brachii", "biceps_brachii"),
        ("bizeps", "biceps_brachii"),
        ("FDI", "first_dorsal_interosseous"),
        ("rf", "rectus_femoris"),
        ("Rückenmuskel T10", "paraspinal_t10"),
        ("rueckenmuskel t10", "paraspinal_t10"),
        ("N. medianus", "median_nerve"),
        ("peroneal nerve", "fibular_nerve"),
        ("Zwerchfell", "diaphragm"),
        ("Unterhautfett", "subcutaneous_fat"),
        ("Oberschenkel", "anterior_thigh"),
        ("median_wrist", "median_nerve_wrist"),
    ],
)
def test_a_name_is_found_however_a_laboratory_writes_it(written, name):
    assert anatomy.find(written).name == name


def test_an_unknown_name_is_refused_with_the_nearest_ones():
    with pytest.raises(AnatomyUnknown, match="biceps_brachii"):
        anatomy.structure("bicep brachi")
    with pytest.raises(AnatomyUnknown, match="median_nerve"):
        anatomy.find("median nerv")
    with pytest.raises(AnatomyUnknown, match=r"'xyzzy'$"):
        anatomy.find("xyzzy")


def test_a_view_asked_for_as_a_structure_says_what_it_shows_and_the_other_way_round():
    with pytest.raises(AnatomyUnknown, match=r"view, not a structure; it shows .*biceps_brachii"):
        anatomy.structure("upper_arm")
    with pytest.raises(AnatomyUnknown, match=r"structure, not a view; views that show it: .*upper_arm"):
        anatomy.view("biceps_brachii")


def test_one_picture_of_the_upper_arm_yields_fat_both_muscles_and_their_sum():
    view = anatomy.view("upper_arm")
    assert view.layers == ("subcutaneous_fat", "biceps_brachii", "brachialis", "humerus")
    assert view.structures == ("subcutaneous_fat", "biceps_brachii", "brachialis", "biceps_brachialis")
    assert view.sums == {"biceps_brachialis": ("biceps_brachii", "brachialis")}


def test_one_picture_of_the_thigh_yields_fat_both_muscles_and_their_sum():
    view = anatomy.view("anterior_thigh")
    assert view.sums == {"quadriceps_rf_vi": ("rectus_femoris", "vastus_intermedius")}
    assert anatomy.view("thigh") is view
    assert view in anatomy.views_with("vastus_intermedius")


def test_the_calf_is_seen_along_its_fibres():
    assert anatomy.view("posterior_lower_leg").plane == "longitudinal"
    assert anatomy.structure("gastrocnemius_medialis").thickness.rule == "mean_perpendicular"


def test_every_structure_with_a_site_is_reached_from_a_view_at_a_site_it_has():
    shown = {name for view in anatomy.views() for name in view.structures}
    assert {s.name for s in anatomy.structures() if s.sites} <= shown
    for view in anatomy.views():
        for name, site in view.sites.items():
            assert site in anatomy.structure(name).sites


def test_the_site_decides_the_echo_region_and_the_structure_where_the_site_says_nothing():
    tongue = anatomy.structure("tongue")
    assert tongue.echo_roi_at("transoral").depth[1] == pytest.approx(1 / 3, abs=1e-4)
    assert tongue.echo_roi_at("submental").rule == "largest_inside_fascia_0.5mm"
    assert tongue.echo_roi_at("a site of this laboratory").rule == "largest_inside_fascia_0.5mm"


def test_a_site_is_found_by_name_or_label_and_an_unknown_one_lists_those_there_are():
    ulnar = anatomy.structure("ulnar_nerve")
    assert ulnar.site("Guyon's canal").name == "wrist"
    with pytest.raises(AnatomyUnknown, match="its sites: wrist, forearm, elbow, upper_arm"):
        ulnar.site("knee")


def test_only_sites_whose_landmark_and_borders_were_read_are_verified():
    verified = {
        (s.name, site.name) for s in anatomy.structures() for site in s.sites.values() if site.verified
    }
    assert verified == {
        ("forearm_radial", "distal_third"),
        ("quadriceps_rf_vi", "mid_thigh"),
        ("diaphragm", "zone_of_apposition"),
        ("diaphragm", "subcostal"),
        ("tongue", "transoral"),
    }


def test_the_list_holds_no_reference_value():
    """Norms and cut-offs come from a laboratory's own controls; a number may only be a place or a region."""
    allowed = {"margin_mm", "central_width", "depth"}

    def numbers(key, value):
        if isinstance(value, dict):
            for name, inner in value.items():
                yield from numbers(name, inner)
        elif isinstance(value, list):
            for inner in value:
                yield from numbers(key, inner)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield key

    text = (files("usimg.anatomy") / "anatomy.toml").read_text(encoding="utf-8")
    assert set(numbers("", tomllib.loads(text))) <= allowed


def test_the_list_is_read_without_any_heavy_library():
    code = (
        "import sys; from usimg import anatomy; anatomy.structures();"
        "print([m for m in ('numpy', 'pandas', 'scipy', 'cv2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
