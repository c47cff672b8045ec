"""The registry: what an outliner of another package has to be, and what happens when it is not."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

import usimg
from usimg.errors import OutlineRefused
from usimg.outline import Segmenter, segmenters
from usimg.outline import segmenter as registry
from usimg.roi import Roi


class Corner:
    """Outlines the upper left corner, whatever is asked."""

    name = "corner"
    version = "7"

    def can(self, structure, plane):
        return structure.kind == "muscle"

    def segment(self, request):
        return [Roi(polygon=[[0, 0], [0, 9], [9, 9]], structure=request.structure.name, plane=request.plane)]


def test_a_segmenter_object_can_be_given_and_gets_names_of_the_anatomy_list(calf, pictures):
    (roi,) = usimg.segment(pictures.phantom_frame(calf), "Bizeps", plane="transverse", segmenter=Corner())
    assert (roi.structure, roi.plane, len(roi.polygon)) == ("biceps_brachii", "transverse", 3)
    assert isinstance(Corner(), Segmenter)


def test_a_segmenter_that_cannot_do_the_structure_is_refused(calf, pictures):
    with pytest.raises(OutlineRefused, match="corner cannot outline"):
        usimg.segment(pictures.phantom_frame(calf), "median_nerve", segmenter=Corner())


def test_an_unknown_name_lists_those_there_are(calf, pictures):
    with pytest.raises(OutlineRefused, match="classical"):
        usimg.segment(pictures.phantom_frame(calf), segmenter="magic")
    assert segmenters()[0] == "classical"


def test_a_segmenter_package_that_does_not_load_is_named(monkeypatch):
    broken = EntryPoint("broken", "no_such_package:Thing", registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [broken])
    with pytest.raises(OutlineRefused, match="no_such_package"):
        registry.get.__wrapped__("broken")


def test_the_outline_says_who_drew_it(calf, pictures):
    frame = pictures.phantom_frame(calf)
    assert usimg.segment(frame)[0].method.startswith("network muscle-")
    assert usimg.segment(frame, segmenter="classical")[0].method.startswith("classical")
    # Across the fibres no network was taught.
    assert usimg.segment(frame, plane="transverse")[0].method.startswith("classical")
