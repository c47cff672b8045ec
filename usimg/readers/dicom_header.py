"""Tags of a DICOM file that usimg reads, by name, and what of them goes into a `usimg.scan.Header`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from usimg.readers.tags import numbers, text, value
from usimg.scan import Header

if TYPE_CHECKING:
    from pydicom.uid import UID

# Tags that are read; everything else in the file, private elements above all, is stepped over.
_HEADER_TAGS = {
    "manufacturer": "Manufacturer",
    "model": "ManufacturerModelName",
    "software": "SoftwareVersions",
    "probe": "TransducerData",
    "protocol_name": "ProtocolName",
    "series_description": "SeriesDescription",
    "body_part": "BodyPartExamined",
    "laterality": "Laterality",
    "study_date": "StudyDate",
    "patient_id": "PatientID",
    "patient_name": "PatientName",
    "sop_class_uid": "SOPClassUID",
    "sop_instance_uid": "SOPInstanceUID",
}
TAGS = (
    *_HEADER_TAGS.values(),
    "SpecificCharacterSet",
    "Modality",
    "ImageType",
    "ImageLaterality",
    "TransducerType",
    "AcquisitionDateTime",
    "AcquisitionDate",
    "AcquisitionTime",
    "ContentDate",
    "ContentTime",
    "FrameTime",
    "FrameTimeVector",
    "CineRate",
    "RecommendedDisplayFrameRate",
    "LossyImageCompression",
    "SequenceOfUltrasoundRegions",
    "PixelSpacing",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "PixelRepresentation",
    "RescaleSlope",
    "RescaleIntercept",
    "ExtendedOffsetTable",
    *(
        f"{c}PaletteColorLookupTable{part}"
        for c in ("Red", "Green", "Blue")
        for part in ("Descriptor", "Data")
    ),
    *(f"Segmented{c}PaletteColorLookupTableData" for c in ("Red", "Green", "Blue")),
)


def header_of(ds: Any, syntax: UID, photometric: str, bits_stored: int) -> Header:
    """The named tags that usimg uses, None where absent or broken."""
    named = {field_name: text(ds, keyword) for field_name, keyword in _HEADER_TAGS.items()}
    named["probe"] = named["probe"] or text(ds, "TransducerType")
    named["laterality"] = named["laterality"] or text(ds, "ImageLaterality")
    kinds = value(ds, "ImageType")
    lossy = text(ds, "LossyImageCompression")
    return Header(
        format="DICOM",
        transfer_syntax=syntax.name,
        photometric=photometric or None,
        bits_stored=bits_stored,
        image_type=() if kinds is None else (kinds,) if isinstance(kinds, str) else tuple(map(str, kinds)),
        acquired_at=_acquired_at(ds),
        lossy=None if lossy is None else lossy == "01",
        frame_time_ms=_frame_time(ds),
        frame_times_ms=tuple(numbers(ds, "FrameTimeVector") or ()),
        extra={
            "modality": text(ds, "Modality"),
            "transfer_syntax_uid": str(syntax),
            # For the age at the scan, which alone is kept of them.
            "birth_date": text(ds, "PatientBirthDate"),
            "patient_age": text(ds, "PatientAge"),
        },
        **named,
    )


def _acquired_at(ds: Any) -> str | None:
    whole = text(ds, "AcquisitionDateTime")
    if whole is not None:
        return whole
    for kind in ("Acquisition", "Content"):
        date, time = text(ds, f"{kind}Date"), text(ds, f"{kind}Time")
        if date is not None and time is not None:
            return f"{date}{time}"
    return None


def _frame_time(ds: Any) -> float | None:
    stated = numbers(ds, "FrameTime")
    if stated is not None and stated[0] > 0:
        return stated[0]
    for keyword in ("CineRate", "RecommendedDisplayFrameRate"):
        rate = numbers(ds, keyword)
        if rate is not None and rate[0] > 0:
            return 1000.0 / rate[0]
    return None
