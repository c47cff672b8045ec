"""What every exported column means: label, unit, definition and its source."""

from __future__ import annotations

from dataclasses import dataclass

from usimg import anatomy
from usimg.errors import AnatomyUnknown

_MM2 = "mm\N{SUPERSCRIPT TWO}"
_GREY = "grey level 0-255"
# Feature -> (label, unit, definition).
FEATURE_WORDS: dict[str, tuple[str, str, str]] = {
    "thickness_mm": ("thickness", "mm", "between the inner edges, by the structure's own rule"),
    "csa_mm2": ("cross-sectional area", _MM2, "shoelace area of the drawn outline"),
    "perimeter_mm": ("perimeter", "mm", "length of the drawn outline"),
    "roundness": ("roundness", "", "4 pi area / perimeter squared"),
    "echo_intensity": ("echo intensity", _GREY, "mean over the pixels inside the outline"),
    "echo_intensity_sd": ("echo intensity, SD", _GREY, "standard deviation inside the outline"),
    "echovariation": ("echovariation", "", "SD divided by mean of the grey levels"),
    "echo_intensity_protocol": (
        "echo intensity, protocol's region",
        _GREY,
        "mean over the protocol's region",
    ),
}
COUNT_WORDS = {
    "n_automatic": "automatic values in the average",
    "n_accepted": "accepted values in the average",
    "n_corrected": "corrected values in the average",
}
OTHER_WORDS = {
    "subject": "study id of the person",
    "visit": "visit as labelled; v1, v2, ... in the order of days where nobody named it",
    "days_since_first": "days from the subject's first scan to this one",
    "age_years": "age on the day of the scan",
    "years_since_onset": "from the first symptom to the day of the scan",
    "settings": "device and settings, ? is not known: grey levels compare where all is known and equal",
    "depth_mm": "depth of the picture",
    "missing": "what the protocol asks for and is not there",
    "not_done": "what a person said was not done, and why",
    "complete": "whether all that the protocol calls essential is there",
    "unsettled": "decisions of one reader that disagree",
    "signature": "holds, or void with what has changed since",
    "remarks": "what the protocol has to say of the repeats",
    "session": "session within the visit",
    "measurement_id": "usimg info STUDY --value ID says where it comes from",
    "state": "automatic, accepted, corrected, draft, rejected, conflict, moved, empty",
    "counts": "whether it enters patient rows",
    "counts_reason": "why it does not",
    "scan": "short hash of the file",
    "frame": "number of the frame, from 0",
    "region": "panel of the picture",
    "repeat": "which of the repeated captures",
    "muscle_state": "relaxed, contracted, or phase of breathing",
    "confidence": "probability, 0 to 1, that the outline is right",
    "validated": "whether human-labelled validation exists for this structure, plane and kind of device",
    "flags": "reasons to look again",
    "reason": "why a value is missing",
    "thickness_rule": "where and along which line the thickness is taken",
    "trace_rule": "which contour the area is of",
    "echo_rule": "region that the protocol's echo intensity is taken over",
    "row_mm": "millimetres per pixel, down",
    "col_mm": "millimetres per pixel, across",
    "calibration_source": "where the scale comes from",
    "method": "what outlined it",
    "usimg_version": "version that measured it",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One column of an export."""

    column: str
    label: str
    unit: str = ""
    definition: str = ""
    source: str = ""


def described(column: str) -> Entry:
    """What a column of any export means.

    >>> described("median_nerve__wrist__left__csa_mm2").label
    'Median nerve, wrist, left: cross-sectional area'
    """
    parts = column.split("__")
    if len(parts) != 4:
        return Entry(column, OTHER_WORDS.get(column, column.replace("_", " ")), _unit(column))
    structure, site, side, feature = parts
    try:
        known = anatomy.structure(structure)
        label, source = known.label, known.source
    except AnatomyUnknown:
        label, source = structure.replace("_", " "), ""
    place = ", ".join(word for word in (label, site.replace("_", " ").replace(".", ", "), side) if word)
    if feature in COUNT_WORDS:
        return Entry(column, f"{place}: {COUNT_WORDS[feature]}")
    words, unit, definition = FEATURE_WORDS.get(feature, (feature.replace("_", " "), _unit(feature), ""))
    return Entry(column, f"{place}: {words}", unit, definition, source)


def _unit(column: str) -> str:
    known = FEATURE_WORDS.get(column)
    if known is not None:
        return known[1]
    for ending, unit in (("_mm2", _MM2), ("_mm", "mm"), ("_px2", "px\N{SUPERSCRIPT TWO}"), ("_px", "px")):
        if column.endswith(ending):
            return unit
    return ""
