"""Kind of picture, with its evidence."""

from __future__ import annotations

import numpy as np
import pytest

import usimg
from usimg.picture.kind import find_kind
from usimg.scan import Region

BOX = (0, 0, 200, 300)


def region(kind: str, content: str) -> Region:
    return Region(index=0, kind=kind, content=content, box=BOX, declared=BOX)


FIELD = np.ones((200, 300), bool)
NOTHING = np.zeros((200, 300), bool)


@pytest.mark.parametrize(
    ("kind", "content", "name"),
    [
        ("m_mode", "tissue", "m_mode"),
        ("spectral", "pw_doppler", "spectral_doppler"),
        ("2d", "tissue", "b_mode"),
    ],
)
def test_the_regions_of_the_file_say_the_kind(kind, content, name):
    found = find_kind((region(kind, content),), FIELD, NOTHING)
    assert found.name == name
    assert any(kind in line for line in found.evidence)


def test_a_picture_without_a_field_is_something_else():
    assert find_kind((), NOTHING, NOTHING).name == "other"


def test_a_body_of_colour_is_flow_and_strokes_of_colour_are_not():
    strokes = NOTHING.copy()
    strokes[50:53, :] = strokes[:, 100:103] = True
    assert find_kind((), FIELD, strokes).name == "b_mode"
    body = NOTHING.copy()
    body[50:80, 100:140] = True
    assert find_kind((), FIELD, body).name == "colour_doppler"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("us_dicom/acuson_echo_fragmented_8f.dcm", "colour_doppler"),
        ("us_dicom/ge_node_j2k.dcm", "colour_doppler"),
        ("us_dicom/color_planar_quad.dcm", "colour_doppler"),
        ("us_dicom/hp_echo_anisotropic_34f.dcm", "b_mode"),
        ("us_dicom/mindray_follicle_rle.dcm", "b_mode"),
        ("us_dicom/philips_pancreas_nocal_jls.dcm", "b_mode"),
        ("us_dicom/aloka_dual_palette16.dcm", "b_mode"),
        ("nerve_dicom/esaote_elbow_long.dcm", "b_mode"),
        ("nerve_vessel/images/nv_0040.png", "b_mode"),
    ],
)
def test_real_scans_are_what_they_are(shared_data, name, kind):
    assert usimg.read(shared_data / name).frames[0].kind.name == kind
