"""A laboratory's protocol lies over the list, and the list shows through where it says nothing."""

from __future__ import annotations

from usimg import anatomy
from usimg.anatomy import EchoRoi, Protocol, ThicknessDefinition

MID = ThicknessDefinition("mid", "vertical", ("superficial_fascia", "bone"))
MAX = ThicknessDefinition("max", "perpendicular", ("superficial_fascia", "bone"))


def test_no_protocol_means_the_list():
    generic = anatomy.generic_protocol()
    biceps = anatomy.structure("biceps_brachii")
    assert generic.thickness_of(biceps) == biceps.thickness
    assert generic.echo_roi_of(biceps) == biceps.echo_roi


def test_a_thickness_at_one_site_counts_before_the_structures():
    lab = Protocol("lab", thickness={"biceps_brachii": MID, "biceps_brachii@mid_upper_arm": MAX})
    biceps = anatomy.structure("biceps_brachii")
    assert lab.thickness_of(biceps, "mid_upper_arm") is MAX
    assert lab.thickness_of(biceps, "distal_third") is MID
    assert lab.thickness_of(anatomy.structure("brachialis")).rule == "mean_vertical"


def test_an_echo_region_of_the_laboratory_is_for_muscles_not_for_nerves_or_the_tongues_upper_third():
    lab = Protocol("lab", echo_roi=EchoRoi(margin_mm=1.0, central_width=0.5))
    assert lab.echo_roi_of(anatomy.structure("biceps_brachii")) is lab.echo_roi
    assert lab.echo_roi_of(anatomy.structure("median_nerve")).rule == "whole_outline"
    assert lab.echo_roi_of(anatomy.structure("tongue"), "transoral").depth[1] < 0.5


def test_regions_made_by_different_numbers_have_different_names():
    regions = [
        EchoRoi(),
        EchoRoi(margin_mm=0.5),
        EchoRoi(margin_mm=1.0),
        EchoRoi(margin_mm=1.0, central_width=0.5),
        EchoRoi(margin_mm=1.0, depth=(0.0, 0.5)),
        EchoRoi(margin_mm=1.0, depth=(0.25, 0.75)),
    ]
    assert len({r.rule for r in regions}) == len(regions)
