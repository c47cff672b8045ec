"""The synthetic archive that ships with the project: `sample_dicoms/`.

Eight invented subjects along a gradient of severity, four views each, in the encodings of real
scanners, and a few files that are there to be awkward. `write` makes the same files anywhere.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from usimg.simulate.acoustics import Scanner
from usimg.simulate.dicom import ENCODINGS, Encoding, PixelRegion, Tags, write_dicom
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
# Columns between the points of an edge that `truth_outlines.json` keeps.
EDGE_STEP = 8

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


@dataclass(frozen=True, slots=True)
class Sample:
    """One file to write: frames, each of one or two panels."""

    name: str
    subject: str
    encoding: str
    frames: tuple[tuple[Panel, ...], ...]


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
    for number, sample in enumerate(_samples(), start=1):
        path = folder / sample.name
        _write_file(path, sample, number)
        written.append(path)
        labels += _label_rows(sample)
        for row, outline in _truth_rows(sample):
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


def _samples() -> Iterator[Sample]:
    """Every file of the archive, in order, made when asked for."""
    makers: tuple[Callable[..., Phantom], ...] = (
        upper_arm, anterior_thigh, posterior_lower_leg, median_nerve_wrist,
    )  # fmt: skip
    # Uncompressed colour is large: one of it is enough, among the awkward ones.
    encodings = [name for name in ENCODINGS if name != "ybr_422_native"]
    number = 0
    for subject, person in SUBJECTS.items():
        for maker in makers:
            number += 1
            encoding = encodings[(number + number // len(encodings)) % len(encodings)]
            wide = number % 3 == 0 and encoding in ("grey_jpegls", "ybr_jpeg", "grey_jpeg2000", "ybr_rle")
            setup = _setup((600, 800) if wide else (480, 640))
            extra = {"area_mm2": WRIST_MM2[subject]} if maker is median_nerve_wrist else {}
            phantom = maker(number, person=person, setup=setup, **extra)
            # Archives hold files without a suffix too.
            name = f"IM_{number:04d}" + ("" if number == 7 else ".dcm")
            yield Sample(name, subject, encoding, ((Panel(phantom, "right"),),))
    yield from _awkward(number)


def _awkward(number: int) -> Iterator[Sample]:
    """Other views, two panels, two scales, a cine, a curved probe, unequal pixels, no scale."""

    def name(k: int) -> str:
        return f"IM_{number + k:04d}.dcm"

    people, small = SUBJECTS, _setup((480, 640))
    tibialis = anterior_lower_leg(101, person=people["S02"], setup=small)
    yield Sample(name(1), "S02", "grey_jpegls", ((Panel(tibialis, "left"),),))
    hand = hand_dorsal(102, person=people["S07"], setup=small)
    yield Sample(name(2), "S07", "palette_rle", ((Panel(hand, "right"),),))
    forearm = median_nerve_forearm(103, person=people["S05"], setup=small)
    yield Sample(name(3), "S05", "ybr_jpeg", ((Panel(forearm, "right"),),))

    halves = [Setup(shape=(480, 800), window=(60, left, 440, left + 330)) for left in (40, 430)]
    pair = tuple(
        Panel(upper_arm(104 + k, person=people["S01"], setup=half), side, repeat=2)
        for k, (half, side) in enumerate(zip(halves, ("right", "left"), strict=True))
    )
    yield Sample(name(4), "S01", "grey_jpeg_lossless", (pair,))
    deeper = Setup(shape=(480, 800), window=halves[1].window, field=Field.linear(68.0, 46.0))
    scales = (
        Panel(anterior_thigh(106, person=people["S06"], setup=halves[0]), "right", repeat=2),
        Panel(anterior_thigh(107, person=people["S06"], setup=deeper), "left"),
    )
    yield Sample(name(5), "S06", "grey_jpeg2000", (scales,))

    mild = people["S03"]
    frames = []
    for k in range(5):  # a slight contraction: the same tissue, thicker from frame to frame
        tensed = Person(mild.severity, mild.build * (1.0 + 0.012 * k), mild.fat)
        frames.append((Panel(upper_arm(108, person=tensed, setup=_setup((360, 480))), "left"),))
    yield Sample(name(6), "S03", "ybr_jpeg", tuple(frames))

    curved = Setup(
        shape=(480, 640),
        window=(44, 70, 456, 570),
        field=Field.curved(75.0, radius_mm=50.0, half_angle_deg=28.0),
        scanner=Scanner(frequency_mhz=5.0, focus_mm=35.0, tgc_db_per_mm=0.62),
    )
    thigh = anterior_thigh(109, person=people["S04"], setup=curved)
    yield Sample(name(7), "S04", "ybr_422_native", ((Panel(thigh, "left"),),))
    unequal = Setup(shape=(480, 640), window=(44, 100, 456, 540), pixel_aspect=1.25)
    arm = upper_arm(110, person=people["S08"], setup=unequal)
    yield Sample(name(8), "S08", "grey_deflated", ((Panel(arm, "left"),),))
    unknown = anterior_lower_leg(111, person=people["S05"], setup=small)
    yield Sample(name(9), "S05", "grey_native", ((Panel(unknown, "left", calibrated=False),),))


def _setup(shape: tuple[int, int]) -> Setup:
    rows, cols = shape
    return Setup(shape=shape, window=(44, cols // 8, rows - 24, cols - cols // 8))


def _write_file(path: Path, sample: Sample, number: int) -> None:
    encoding = ENCODINGS[sample.encoding]
    style = STYLES[sample.encoding]
    screens = np.stack([_screen(panels, style) for panels in sample.frames])
    first = sample.frames[0]
    regions = [PixelRegion(p.phantom.display.box, p.phantom.spacing) for p in first if p.calibrated]
    scanner = first[0].phantom.scanner
    tags = Tags(
        subject=sample.subject,
        protocol="MSK",
        model=style.name,
        frequency_khz=round(scanner.frequency_mhz * 1000.0),
        number=number,
    )
    write_dicom(path, _storable(screens, encoding), encoding, tags, regions)


def _storable(screens: NDArray[np.uint8], encoding: Encoding) -> NDArray[np.uint8]:
    """Screens as the encoding can hold them: 4:2:2 needs an even number of columns."""
    if encoding.name == "ybr_422_native" and screens.shape[2] % 2:
        return np.ascontiguousarray(screens[:, :, :-1])
    return screens


def _screen(panels: Sequence[Panel], style: Style) -> NDArray[np.uint8]:
    title = panels[0].phantom.view.replace("_", " ")
    title = title if len(panels) > 1 else f"{title} {panels[0].side[0]}"
    rulers = all(p.calibrated for p in panels)
    return draw_screen([p.phantom for p in panels], style, title, rulers=rulers)


def _label_rows(sample: Sample) -> Iterator[dict[str, object]]:
    """What a person would write: one line a picture; of a cine, its middle frame."""
    middle = len(sample.frames) // 2
    for region, panel in enumerate(sample.frames[middle]):
        yield {
            "file": sample.name,
            "frame": middle if len(sample.frames) > 1 else "",
            "region": region if len(sample.frames[middle]) > 1 else "",
            "subject": sample.subject,
            "visit": 1,
            "view": panel.phantom.view,
            "structure": "",
            "site": "",
            "side": panel.side,
            "repeat": panel.repeat,
        }


def _truth_rows(sample: Sample) -> Iterator[tuple[dict[str, object], dict[str, object]]]:
    """One row and its outlines for every structure, panel and frame."""
    for frame, panels in enumerate(sample.frames):
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
                        "inside_rim": _points(section.inside_rim[::EDGE_STEP]),
                        "outside_rim": _points(section.outside_rim[::EDGE_STEP]),
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
