"""A messy archive, as laboratories have them, with its truth and what a person would write about it.

Misspelt ids, two devices on one share, repeats, both sides in one frame, a twin with calipers, Doppler, a
page of text, a file without a scale, tags that name the wrong muscle, a copy, two visits. Nobody in it is
real. `write` makes the same files on every machine.
"""

from __future__ import annotations

import csv
import shutil
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset

from usimg import anatomy
from usimg.simulate.dicom import ENCODINGS, PixelRegion, Tags, write_dicom
from usimg.simulate.muscles import anterior_thigh, upper_arm
from usimg.simulate.phantom import Phantom
from usimg.simulate.screen import RgbImage, Style, draw_screen, draw_text
from usimg.simulate.stage import Person, Setup

PEOPLE = {
    "ALS-001": Person(0.10, 1.00, 0.9),
    "ALS-002": Person(0.35, 0.98, 1.0),
    "ALS-003": Person(0.20, 1.04, 1.1),
}
# Invented, and unlike each other.
NAMES = {"ALS-001": "LARCH^S", "ALS-002": "ROWAN^S", "ALS-003": "BEECH^S"}
SUBJECTS_COLUMNS = ("alias", "id", "sex", "birth_year", "height_cm", "onset_date")
MANIFEST_COLUMNS = (
    "file", "frame", "region", "subject", "visit", "view", "side", "repeat", "row_mm", "col_mm", "exclude",
    "reason",
)  # fmt: skip
TRUTH_COLUMNS = ("subject", "visit", "structure", "site", "side", "thickness_mm", "repeats")
LEFT_OUT_COLUMNS = ("file", "why")


@dataclass(frozen=True, slots=True)
class Device:
    """A scanner of one of the two sites."""

    maker: str
    style: Style
    encoding: str
    preset: str


DEVICES = {
    "clinic_a": Device("usimg simulated", Style("SIM-GREY"), "grey_native", "Free Form"),
    "clinic_b": Device("usimg simulated", Style("SIM-JPEG", ticks="left", coloured=True), "ybr_jpeg", "MSK"),
}


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture within a frame."""

    phantom: Phantom
    side: str


@dataclass(frozen=True, slots=True)
class Visit:
    """Who was scanned and when, in truth; ``number`` is the manifest's label."""

    subject: str
    number: str
    date: str


@dataclass(frozen=True, slots=True)
class File:
    """One file of the archive.

    Attributes
    ----------
    path : str
        Below the archive; its first folder is the site.
    patient : str
        PatientID as somebody typed it.
    visit : Visit
    time : str
        Of acquisition.
    panels : tuple of Panel
    repeat : int
    calibrated : bool
    tags : dict
        DICOM keywords and values beside the usual ones.
    draw : callable or None
        Changes the screen: calipers, flow, a page of text.
    left_out : str
        Why a person excludes it; empty: it is measured.
    """

    path: str
    patient: str
    visit: Visit
    time: str
    panels: tuple[Panel, ...]
    repeat: int = 1
    calibrated: bool = True
    tags: dict[str, str] = field(default_factory=dict)
    draw: Callable[[RgbImage, Phantom], None] | None = None
    left_out: str = ""


def write(folder: Path) -> list[Path]:
    """Make the archive, and beside it what a person knows and what is true.

    Parameters
    ----------
    folder : Path
        Made when missing: ``scans/`` (the archive), ``manifest.csv`` and ``subjects.csv`` (what a person
        would write), ``truth.csv`` (thickness of every structure, mean of its repeats), ``left_out.csv``.

    Returns
    -------
    list of Path
        Everything written.
    """
    scans = folder / "scans"
    written: list[Path] = []
    files = plan()
    for number, file in enumerate(files, start=1):
        written.append(_write_file(scans / file.path, file, number))
    copy = scans / "backup" / "old" / Path(files[0].path).name
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(scans / files[0].path, copy)
    note = scans / "clinic_a" / "Readme first.txt"
    note.write_text("Export of the first quarter\n", encoding="utf-8", newline="\n")
    tables = (
        ("manifest.csv", MANIFEST_COLUMNS, _manifest(files), ";"),
        ("subjects.csv", SUBJECTS_COLUMNS, _subjects(files), ","),
        ("truth.csv", TRUTH_COLUMNS, _truth(files), ","),
        ("left_out.csv", LEFT_OUT_COLUMNS, [(f.path, f.left_out) for f in files if f.left_out], ","),
    )
    for name, columns, rows, separator in tables:
        with (folder / name).open("w", encoding="utf-8", newline="") as stream:
            table = csv.writer(stream, delimiter=separator, lineterminator="\n")
            table.writerow(columns)
            table.writerows(rows)
        written.append(folder / name)
    return [*written, copy, note]


def plan() -> list[File]:
    """Every file, in the order of its site and time."""
    first, second = Visit("ALS-001", "1", "20260112"), Visit("ALS-002", "1", "20260113")
    again, third = Visit("ALS-001", "2", "20260420"), Visit("ALS-003", "1", "20260421")
    arm = [_one(upper_arm, seed, "ALS-001", "left") for seed in (201, 202, 203)]
    arm_again = _one(upper_arm, 208, "ALS-001", "left")
    return [
        File("clinic_a/IM_0001.dcm", "ALS-001", first, "090000", (arm[0],)),
        File("clinic_a/IM_0002.dcm", "ALS-001", first, "090100", (arm[1],), repeat=2),
        # The third was scanned after the patient had been entered again, with the letter O.
        File("clinic_a/IM_0003.dcm", "ALS-OO1", first, "090200", (arm[2],), repeat=3),
        File("clinic_a/IM_0004.dcm", "ALS-001", first, "090230", (arm[0],), draw=_calipers,
             left_out="calipers drawn on IM_0001"),
        File("clinic_a/IM_0005.dcm", "ALS-001", first, "090500", _thighs("ALS-001", 204, 205)),
        File("clinic_a/IM_0006.dcm", "ALS-001", first, "091000", (arm[1],), draw=_page, calibrated=False,
             left_out="page of text"),
        # A preset that names one muscle and side was left on for another.
        File("clinic_a/IM_0007.dcm", "ALS-002", second, "100000",
             (_one(anterior_thigh, 206, "ALS-002", "left"),), tags={"SeriesDescription": "Soleus right"}),
        File("clinic_a/IM_0008.dcm", "als 002", second, "100200", (_one(upper_arm, 207, "ALS-002", "right"),),
             calibrated=False),
        File("clinic_b/ALS-001/2026-04-20/0001.dcm", "ALS-001", again, "140000", (arm_again,)),
        File("clinic_b/ALS-001/2026-04-20/0002.dcm", "ALS-001", again, "140100", (arm_again,), draw=_flow,
             left_out="Doppler"),
        File("clinic_b/ALS-003/oberschenkel_links.dcm", "ALS-003", third, "150000",
             (_one(anterior_thigh, 209, "ALS-003", "left"),)),
        File("clinic_b/ALS-003/oberarm_rechts.dcm", "ALS-003", third, "150100",
             (_one(upper_arm, 210, "ALS-003", "right"),)),
    ]  # fmt: skip


def _one(maker: Callable[..., Phantom], seed: int, subject: str, side: str) -> Panel:
    setup = Setup(shape=(320, 400), window=(30, 50, 304, 350))
    return Panel(maker(seed, person=PEOPLE[subject], setup=setup), side)


def _thighs(subject: str, *seeds: int) -> tuple[Panel, ...]:
    places = (("right", 20), ("left", 290))
    return tuple(
        Panel(
            anterior_thigh(
                seed,
                person=PEOPLE[subject],
                setup=Setup(shape=(330, 560), window=(40, left, 310, left + 250)),
            ),
            side,
        )
        for seed, (side, left) in zip(seeds, places, strict=True)
    )


def _calipers(screen: RgbImage, phantom: Phantom) -> None:
    """Two crosses, a dotted line between them, and the printed length on its dark box."""
    layer = phantom.layers[1]
    middle = len(layer.upper) // 2
    (r0, c), (r1, _) = layer.upper[middle], layer.lower[middle]
    top, bottom, col = round(r0), round(r1), round(c)
    for row in (top, bottom):
        screen[row - 5 : row + 6, col] = screen[row, col - 5 : col + 6] = 255
    screen[top + 8 : bottom - 7 : 6, col] = 255
    box_top, box_left = phantom.display.box[2] - 16, phantom.display.box[0] + 30
    screen[box_top : box_top + 12, box_left : box_left + 74] = 0
    length_cm = (bottom - top) * phantom.spacing[0] / 10.0
    draw_text(screen, f"D {length_cm:.2f} CM", box_top + 3, box_left + 4, (255, 255, 255))


def _flow(screen: RgbImage, phantom: Phantom) -> None:
    """Red beside blue in an oval, as flow is painted."""
    r0, c0, r1, c1 = phantom.display.box
    rows, cols = np.mgrid[: screen.shape[0], : screen.shape[1]]
    oval = ((rows - (r0 + r1) / 2) / 30.0) ** 2 + ((cols - (c0 + c1) / 2) / 45.0) ** 2 < 1.0
    screen[oval & (cols < (c0 + c1) / 2)] = (210, 40, 20)
    screen[oval & (cols >= (c0 + c1) / 2)] = (20, 60, 210)


def _page(screen: RgbImage, _: Phantom) -> None:
    """A page of results instead of a picture."""
    screen[:] = 0
    for k, line in enumerate(("REPORT", "BICEPS LEFT 1.6 CM", "BICEPS RIGHT 1.7 CM", "PAGE 1/1")):
        draw_text(screen, line, 40 + 30 * k, 40, (220, 220, 220))


def _write_file(path: Path, file: File, number: int) -> Path:
    device = DEVICES[file.path.partition("/")[0]]
    phantoms = [panel.phantom for panel in file.panels]
    screen = draw_screen(phantoms, device.style, "MSK")
    if file.draw is not None:
        file.draw(screen, phantoms[0])
    regions = [PixelRegion(p.display.box, p.spacing) for p in phantoms] if file.calibrated else []
    tags = Tags(file.patient, device.preset, device.style.name, number=number)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_dicom(path, screen[None], ENCODINGS[device.encoding], tags, regions)
    _retag(path, file, device)
    return path


def _retag(path: Path, file: File, device: Device) -> None:
    """What the usual tags do not say: who, when, which device, and what is wrong with them."""
    dataset: Dataset = dcmread(path)
    dataset.Manufacturer = device.maker
    dataset.PatientName = NAMES[file.visit.subject]
    for kind in ("Study", "Series", "Content"):
        setattr(dataset, f"{kind}Date", file.visit.date)
        setattr(dataset, f"{kind}Time", file.time)
    for keyword, value in file.tags.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path, enforce_file_format=True)


def _manifest(files: Sequence[File]) -> list[tuple[object, ...]]:
    """What a person would write: one line a picture, a scale where it was read off the ruler."""
    rows: list[tuple[object, ...]] = []
    for file in files:
        if file.left_out:
            rows.append((file.path, "", "", "", "", "", "", "", "", "", "yes", file.left_out))
            continue
        for region, panel in enumerate(file.panels):
            sizes: tuple[str, ...] = ("", "")
            if not file.calibrated:
                # A decimal comma, as a German spreadsheet writes it.
                sizes = tuple(f"{size:.6f}".replace(".", ",") for size in panel.phantom.spacing)
            which = region if len(file.panels) > 1 else ""
            what = (panel.phantom.view, panel.side, file.repeat)
            rows.append((file.path, "", which, file.visit.subject, file.visit.number, *what, *sizes, "", ""))
    return rows


def _subjects(files: Sequence[File]) -> list[tuple[object, ...]]:
    """Every way in which an id is written, and what else is known, in the subject's first line."""
    known = {
        "ALS-001": ("f", 1961, 168, "2025-03-01"),
        "ALS-002": ("m", 1955, 181, "2024"),
        "ALS-003": ("w", "", "", ""),
    }
    aliases = sorted({(file.visit.subject, file.patient) for file in files})
    return [(alias, subject, *known[subject]) for subject, alias in aliases]


def _truth(files: Sequence[File]) -> list[tuple[object, ...]]:
    found: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for file in files:
        for panel in () if file.left_out else file.panels:
            view = anatomy.view(panel.phantom.view)
            for layer in panel.phantom.layers:
                site = view.sites.get(layer.structure, view.name)
                key = (file.visit.subject, file.visit.number, layer.structure, site, panel.side)
                found[key].append(layer.thickness_mm)
    return [(*key, f"{float(np.mean(values)):.6f}", len(values)) for key, values in sorted(found.items())]
