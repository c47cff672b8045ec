"""Values of tags as text."""

from __future__ import annotations

from pydicom import Dataset

from usimg.readers.tags import text


def test_a_persons_name_is_one_text_and_not_its_letters():
    dataset = Dataset()
    dataset.PatientName = "LARCH^Sam"
    assert text(dataset, "PatientName") == "LARCH^Sam"


def test_several_values_are_joined_by_a_blank():
    dataset = Dataset()
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    assert text(dataset, "ImageType") == "ORIGINAL PRIMARY"
