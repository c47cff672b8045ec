"""The synthetic archive that ships with the project: `sample_dicoms/`.

Eight invented subjects along a gradient of severity, four views each, in the encodings of real
scanners, and a few files that are there to be awkward. `write` makes the same files anywhere.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import resources
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from usimg.simulate.acoustics import Scanner
from usimg.simulate.dicom import ENCODINGS, PixelRegion, Tags, write_dicom
from usimg.simulate.field import Field
from usimg.simulate.muscles import (
    anterior_lower_leg,
    anterior_thigh,
    hand_dorsal,
    posterior_lower_leg,
    upper_arm,
)
from usimg.simulate.nerves import median_nerve_forearm, median_nerve_wrist
from usimg.simulate.phantom import Phantom
from usimg.simulate.screen import Style, draw_screen
from usimg.simulate.stage import Person, Setup

MANIFEST_COLUMNS = (
    "file", "frame", "region", "subject", "visit", "view", "structure", "site", "side", "repeat",
)  # fmt: skip
TRUTH_COLUMNS = (
    "file", "frame", "region", "subject", "severity", "view", "structure", "site", "side", "row_mm", "col_mm",
    "thickness_mm", "thickness_centre_mm", "csa_mm2", "csa_outside_rim_mm2", "echo_intensity", "level_db",
)  # fmt: skip
# Of the points of an edge (one a column) and of a rim (720) `truth_outlines.json` keeps every so-many-th;
# 180 chords instead of a rim's curve cost 0.02 % of its area.
EDGE_STEP, RIM_STEP = 8, 4

# Severity, muscle build and fat of each subject: four mild, four severe, build and fat unrelated to it.
SUBJECTS = {
    "S01": Person(0.04, 1.06, 0.90),
    "S02": Person(0.12, 0.93, 1.30),
    "S03": Person(0.20, 1.02, 0.75),
    "S04": Person(0.27, 0.97, 1.10),
    "S05": Person(0.62, 1.04, 1.20),
    "S06": Person(0.72, 0.95, 0.80),
    "S07": Person(0.82, 1.08, 1.00),
    "S08": Person(0.93, 0.98, 1.35),
}
# Median nerve inside its rim at the wrist, mm2: within the spread of published healthy values.
WRIST_MM2 = {"S01": 8.9, "S02": 7.6, "S03": 9.6, "S04": 8.2, "S05": 7.9, "S06": 8.8, "S07": 7.2, "S08": 8.1}

STYLES = {
    "palette_rle": Style("SIM-PALETTE", coloured=True),
    "ybr_jpeg": Style("SIM-JPEG", background=44, ticks="right", coloured=True),
    "grey_jpegls": Style("SIM-LS", ticks="left"),
    "grey_jpeg_lossless": Style("SIM-LOSSLESS", letters=2),
    "grey_jpeg2000": Style("SIM-J2K", background=20, ticks="left", minor_mm=2.0),
    "grey_native": Style("SIM-GREY"),
    "grey_deflated": Style("SIM-DEFLATED", ticks="left"),
    "ybr_422_native": Style("SIM-YBR", coloured=True),
    "ybr_rle": Style("SIM-RLE", background=12, ticks="left", coloured=True),
}


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture within a frame, and what a person would call it."""

    phantom: Phantom
    side: str
    repeat: int = 1
    calibrated: bool = True


Frames = tuple[tuple[Panel, ...], ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """One file to write: ``make`` gives its frames, each of one or two panels."""

    name: str
    number: int
    subject: str
    encoding: str
    make: Callable[[], Frames]


def write(folder: Path) -> list[Path]:
    """Make the sample archive in ``folder``; the same pixels and truth on every machine.

    Parameters
    ----------
    folder : Path
        Made when missing; files of the same names are replaced.

    Returns
    -------
    list of Path
        Everything written: DICOM files, tables, ``truth_outlines.json``, ``README.md``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    labels: list[dict[str, object]] = []
    truths: list[dict[str, object]] = []
    outlines: dict[str, object] = {}
    for sample in plan():
        frames = sample.make()
        path = folder / sample.name
        write_sample(path, sample, frames)
        written.append(path)
        labels += _label_rows(sample, frames)
        for row, outline in truth_rows(sample, frames):
            truths.append(row)
            outlines["/".join(str(row[k]) for k in ("file", "frame", "region", "structure"))] = outline
    tables = ((MANIFEST_COLUMNS, labels, "manifest.csv"), (TRUTH_COLUMNS, truths, "truth.csv"))
    for columns, rows, name in tables:
        _write_table(folder / name, columns, rows)
        written.append(folder / name)
    edges, readme = folder / "truth_outlines.json", folder / "README.md"
    text = ",\n".join(f"{json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in outlines.items())
    edges.write_text("{\n" + text + "\n}\n", encoding="utf-8", newline="\n")
    text = resources.files("usimg.simulate").joinpath("samples.md").read_text(encoding="utf-8")
    readme.write_text(text, encoding="utf-8", newline="\n")
    return [*written, edges, readme]


def plan() -> list[Sample]:
    """Every file of the archive, in order; none is made yet."""
    makers: tuple[Callable[..., Phantom], ...] = (
        upper_arm, anterior_thigh, posterior_lower_leg, median_nerve_wrist,
    )  # fmt: skip
    # Uncompressed colour is large: one of it is enough, among the awkward ones.
    encodings = [name for name in ENCODINGS if name != "ybr_422_native"]
    samples: list[Sample] = []
    for subject, maker in product(SUBJECTS, makers):
        number = len(samples) + 1
        encoding = encodings[(number + number // len(encodings)) % len(encodings)]
        wide = number % 3 == 0 and encoding in ("grey_jpegls", "ybr_jpeg", "grey_jpeg2000", "ybr_rle")
        make = partial(_single, maker, number, subject, _setup((600, 800) if wide else (480, 640)))
        # Archives hold files without a suffix too.
        name = f"IM_{number:04d}" + ("" if number == 7 else ".dcm")
        samples.append(Sample(name, number, subject, encoding, make))
    for number, (subject, encoding, awkward) in enumerate(_awkward(), start=len(samples) + 1):
        samples.append(Sample(f"IM_{number:04d}.dcm", number, subject, encoding, awkward))
    return samples


def _single(
    maker: Callable[..., Phantom], seed: int, subject: str, setup: Setup, side: str = "right"
) -> Frames:
    extra = {"area_mm2": WRIST_MM2[subject]} if maker is median_nerve_wrist else {}
    phantom = maker(seed, person=SUBJECTS[subject], setup=setup, **extra)
    return ((Panel(phantom, side),),)


def _awkward() -> Iterator[tuple[str, str, Callable[[], Frames]]]:
    """Other views, two panels, two scales, a cine, a curved probe, unequal pixels, no scale."""
    small = _setup((480, 640))
    curved = Setup(
        shape=(480, 640),
        window=(44, 70, 456, 570),
        field=Field.curved(75.0, radius_mm=50.0, half_angle_deg=28.0),
        scanner=Scanner(frequency_mhz=5.0, focus_mm=35.0),
    )
    unequal = Setup(shape=(480, 640), window=(44, 100, 456, 540), pixel_aspect=1.25)
    yield "S02", "grey_jpegls", partial(_single, anterior_lower_leg, 101, "S02", small, "left")
    yield "S07", "palette_rle", partial(_single, hand_dorsal, 102, "S07", small)
    yield "S05", "ybr_jpeg", partial(_single, median_nerve_forearm, 103, "S05", small)
    yield "S01", "grey_jpeg_lossless", _both_arms
    yield "S06", "grey_jpeg2000", _two_scales
    yield "S03", "ybr_jpeg", _contraction
    yield "S04", "ybr_422_native", partial(_single, anterior_thigh, 109, "S04", curved, "left")
    yield "S08", "grey_deflated", partial(_single, upper_arm, 110, "S08", unequal, "left")
    yield "S05", "grey_native", _without_scale


def _half(left: int, field: Field | None = None) -> Setup:
    return Setup(shape=(480, 800), window=(60, left, 440, left + 330), field=field)


def _both_arms() -> Frames:
    person = SUBJECTS["S01"]
    right = upper_arm(104, person=person, setup=_half(40))
    left = upper_arm(105, person=person, setup=_half(430))
    return ((Panel(right, "right", repeat=2), Panel(left, "left", repeat=2)),)


def _two_scales() -> Frames:
    person = SUBJECTS["S06"]
    right = anterior_thigh(106, person=person, setup=_half(40))
    left = anterior_thigh(107, person=person, setup=_half(430, Field.linear(68.0, 46.0)))
    return ((Panel(right, "right", repeat=2), Panel(left, "left")),)


def _contraction() -> Frames:
    """Five frames of the same tissue, a little thicker from one to the next."""
    mild = SUBJECTS["S03"]
    tensed = [Person(mild.severity, mild.build * (1.0 + 0.012 * k), mild.fat) for k in range(5)]
    return tuple((Panel(upper_arm(108, person=p, setup=_setup((360, 480))), "left"),) for p in tensed)


def _without_scale() -> Frames:
    phantom = anterior_lower_leg(111, person=SUBJECTS["S05"], setup=_setup((480, 640)))
    return ((Panel(phantom, "left", calibrated=False),),)


def _setup(shape: tuple[int, int]) -> Setup:
    rows, cols = shape
    return Setup(shape=shape, window=(44, cols // 8, rows - 24, cols - cols // 8))


def write_sample(path: Path, sample: Sample, frames: Frames) -> None:
    """Write one of `plan`'s files."""
    style = STYLES[sample.encoding]
    scanner = frames[0][0].phantom.scanner
    tags = Tags(
        subject=sample.subject,
        protocol="MSK",
        model=style.name,
        frequency_khz=round(scanner.frequency_mhz * 1000.0),
        number=sample.number,
    )
    regions = [PixelRegion(p.phantom.display.box, p.phantom.spacing) for p in frames[0] if p.calibrated]
    screens = np.stack([_screen(panels, style) for panels in frames])
    write_dicom(path, screens, ENCODINGS[sample.encoding], tags, regions)


def _screen(panels: Sequence[Panel], style: Style) -> NDArray[np.uint8]:
    title = panels[0].phantom.view.replace("_", " ")
    title = title if len(panels) > 1 else f"{title} {panels[0].side[0]}"
    rulers = all(p.calibrated for p in panels)
    return draw_screen([p.phantom for p in panels], style, title, rulers=rulers)


def _label_rows(sample: Sample, frames: Frames) -> Iterator[dict[str, object]]:
    """What a person would write: one line a picture; of a cine, its middle frame."""
    middle = len(frames) // 2
    for region, panel in enumerate(frames[middle]):
        yield {
            "file": sample.name,
            "frame": middle if len(frames) > 1 else "",
            "region": region if len(frames[middle]) > 1 else "",
            "subject": sample.subject,
            "visit": 1,
            "view": panel.phantom.view,
            "structure": "",
            "site": "",
            "side": panel.side,
            "repeat": panel.repeat,
        }


def truth_rows(sample: Sample, frames: Frames) -> Iterator[tuple[dict[str, object], dict[str, object]]]:
    """One row and its outlines for every structure, panel and frame."""
    for frame, panels in enumerate(frames):
        for region, panel in enumerate(panels):
            phantom = panel.phantom
            common = {
                "file": sample.name,
                "frame": frame,
                "region": region,
                "subject": sample.subject,
                "severity": phantom.severity,
                "view": phantom.view,
                "side": panel.side,
                "row_mm": phantom.spacing[0],
                "col_mm": phantom.spacing[1],
            }
            for layer in phantom.layers:
                yield (
                    common
                    | {
                        "structure": layer.structure,
                        "thickness_mm": layer.thickness_mm,
                        "thickness_centre_mm": layer.thickness_centre_mm,
                        "echo_intensity": layer.echo_intensity,
                        "level_db": layer.level_db,
                    },
                    {"upper": _points(layer.upper[::EDGE_STEP]), "lower": _points(layer.lower[::EDGE_STEP])},
                )
            for section in phantom.sections:
                yield (
                    common
                    | {
                        "structure": section.structure,
                        "site": section.site,
                        "csa_mm2": section.inside_mm2,
                        "csa_outside_rim_mm2": section.outside_mm2,
                        "echo_intensity": section.echo_intensity,
                    },
                    {
                        "inside_rim": _points(section.inside_rim[::RIM_STEP]),
                        "outside_rim": _points(section.outside_rim[::RIM_STEP]),
                    },
                )


def _points(points: NDArray[np.float64]) -> list[list[float]]:
    return [[round(float(r), 3), round(float(c), 3)] for r, c in points]


def _write_table(path: Path, columns: Sequence[str], rows: Sequence[dict[str, object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(columns)
        for row in rows:
            table.writerow(_cell(row.get(column)) for column in columns)


def _cell(value: object) -> object:
    if value is None:
        return ""
    return f"{value:.12g}" if isinstance(value, float) else value
