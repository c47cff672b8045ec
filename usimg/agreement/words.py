"""The methods paragraph and the answer at the head of the page, with the numbers filled in."""

from __future__ import annotations

import math
from statistics import median

from usimg.agreement.icc import Interval
from usimg.agreement.resampling import DRAWS
from usimg.agreement.result import Agreement, Estimate
from usimg.agreement.table import REREAD

_WHAT = {
    "readers": "different readers outlined the same stored images",
    "readings": "the same reader outlined the same stored images again",
    "methods": "different methods outlined the same stored images",
    "versions": "different versions outlined or measured the same stored images",
    "repeats": "another image was captured in the same session",
    "sessions": "the patient was scanned again in another session",
    "operators": "another operator scanned the patient",
}


def decimals(value: float) -> int:
    """Decimals that show two digits of an error this large.

    >>> decimals(0.42), decimals(3.1), decimals(57.0)
    (2, 1, 0)
    """
    if not math.isfinite(value) or value <= 0:
        return 2
    return max(0, min(4, 1 - math.floor(math.log10(value))))


def figure(value: float, places: int) -> str:
    """A number with a true minus sign; a dash where there is none."""
    if not math.isfinite(value):
        return "\N{EN DASH}"
    return f"{round(value, places) + 0.0:.{places}f}".replace("-", "\u2212")


def with_interval(value: Interval, places: int) -> str:
    """Value and interval, e.g. ``0.91 (0.84 to 0.95)``."""
    text = figure(value.value, places)
    if math.isfinite(value.low) and math.isfinite(value.high):
        text += f" ({figure(value.low, places)} to {figure(value.high, places)})"
    return text


def answer(found: Agreement) -> str:
    """The result in a sentence or two."""
    if not found.estimates:
        return "Nothing could be compared; the reasons are below."
    said = [_short(one) for one in found.estimates[:2]]
    more = len(found.estimates) - len(said)
    return " ".join(said) + (f" {more} more below." if more > 0 else "")


def _short(one: Estimate) -> str:
    known = [error for error in one.errors if not error.reason]
    icc = with_interval(one.icc["ICC(2,1)"], 3)
    text = f"{one.name[:1].upper()}{one.name[1:]}: ICC(2,1) {icc}"
    if known:
        places = decimals(known[0].mdc95.value)
        unit = f" {one.comparison.unit}" if one.comparison.unit else ""
        text += f"; MDC95 ({known[0].kind}) {with_interval(known[0].mdc95, places)}{unit}"
    return text + "."


def methods(found: Agreement) -> list[str]:
    """The reliability section's methods as paragraphs."""
    if not found.estimates:
        return []
    patients = sorted(one.patients for one in found.estimates)
    n = f"{patients[0]}" if patients[0] == patients[-1] else f"{patients[0]} to {patients[-1]}"
    levels = sorted({len(one.comparison.levels) for one in found.estimates})
    counted = " or ".join(map(str, levels))
    first = (
        f"Agreement was assessed in {n} patients between {counted} {found.between}: {_WHAT[found.between]}."
        f" {found.what_was_repeated} Each structure, site, side and measure was analysed on its own"
        f" ({len(found.estimates)} analyses); values of different structures were never pooled."
    )
    second = (
        "Intraclass correlations are two-way (Shrout and Fleiss 1979): ICC(2,1) for absolute agreement of a"
        f" single one of the {found.between}, ICC(2,k) for the mean of all {counted}, to be used only where"
        " that mean is what is reported, and ICC(3,1) for consistency, which ignores systematic offsets;"
        " intervals after McGraw and Wong (1996)."
    )
    third = (
        "The standard error of measurement (SEM) is the square root of the summed variances of what was done"
        f" again, offsets of {found.between} included. The minimal detectable change (MDC95) is"
        " 1.96 \N{MULTIPLICATION SIGN} \N{SQUARE ROOT}2 \N{MULTIPLICATION SIGN} SEM. For the mean of m images"
        " only the variance that belongs to one image was divided by m; that between sessions and between"
        " readers was not. Variance components were estimated by a mixed model, fitted by moments (the"
        " analysis of variance for complete tables). Their 95 % intervals are bootstrap-t over patients"
        f" ({DRAWS} draws; percentiles where more than a fifth of the patients show no difference at all)"
    )
    third += (
        ", which hold for these readers; those for others are generalised intervals of the mean squares."
        if found.between in REREAD
        else "."
    )
    fourth = (
        "Bias and 95 % limits of agreement are those of Bland and Altman (1986, 1999; 2007 for several values"
        " of a patient), intervals of the limits by MOVER (Zou 2013); proportional bias is the slope of the"
        " difference on the mean, by patient."
    )
    if found.outlines:
        fourth += (
            " Outlines of one picture were compared by the Dice coefficient and the 95th percentile Hausdorff"
            " distance in mm (the larger of the two directions)."
        )
    failed = sum(
        level.failed for one in found.estimates if one.failures != "left out" for level in one.levels
    )
    marked = sum(level.marked for one in found.estimates if one.failures == "counted" for level in one.levels)
    fifth = f"{_times(failed, 'outline')} failed and gave no value" if failed else "No outline failed"
    fifth += (
        f"; {marked} values were marked as failed, and results are given with and without them."
        if marked
        else "."
    )
    sd = median(one.between_sd / one.mean for one in found.estimates if one.mean)
    fifth += (
        f" An ICC depends on how different the patients are: the SD between them was {100 * sd:.0f} % of the"
        " mean (median of the analyses), and it stands beside each ICC."
    )
    return [first, second, third, fourth, fifth]


def _times(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")
