"""Pictures that a person has to name, as the lines of a table; the table comes back as a manifest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from usimg import anatomy
from usimg.extract.duplicates import Duplicate, is_dropped
from usimg.extract.index import Index, Picture
from usimg.study.manifest import SIDES, STATES
from usimg.study.workbook import write_workbook

# Pictures of one sheet: what a person labels in an hour or two, and a page that a browser opens quickly.
LIMIT = 500
COLUMNS = (
    "picture", "file", "frame", "region", "patient", "taken", "subject", "visit", "view", "structure", "site",
    "side", "state", "repeat", "exclude", "reason", "evidence",
)  # fmt: skip
_WIDTHS = {"file": 34, "patient": 16, "taken": 12, "view": 26, "structure": 24, "reason": 24, "evidence": 40}


@dataclass(frozen=True, slots=True)
class SheetLine:
    """One picture to name.

    Attributes
    ----------
    number : int
        From 1, the same in the table and on the page.
    region : int or None
        Panel of a frame with several.
    patient : str
        As the scan has it: the sheet stays in ``private/``.
    twin : str
        Why it is proposed to be left out, as another file shows the same.
    """

    number: int
    picture: Picture
    region: int | None
    patient: str
    twin: str = ""

    @property
    def cells(self) -> tuple[str | int, ...]:
        """What the table says, by `COLUMNS`; subject and visit of the tags are left to the tags."""
        shows = self.picture.shows
        by_person = self.picture.label.source in ("manifest", "labels.toml")
        proposal = self.picture.proposal
        evidence = f"{proposal.by}: {proposal.evidence}" if proposal is not None else ""
        return (
            self.number,
            self.picture.file,
            "" if shows.frame is None else shows.frame,
            "" if self.region is None else self.region,
            self.patient,
            self.picture.label.visit,
            shows.subject if by_person else "",
            shows.visit if by_person else "",
            shows.view,
            shows.structure,
            shows.site,
            shows.side,
            shows.state,
            "" if shows.repeat is None else shows.repeat,
            "yes" if self.twin else "",
            self.twin,
            evidence,
        )


def sheet_lines(found: Index, duplicates: Sequence[Duplicate] = ()) -> list[SheetLine]:
    """Pictures whose label lacks a structure or a side, and twins, in the order of patients and time.

    A frame with several panels has a line for each of them.
    """
    lines: list[SheetLine] = []
    for picture in found.pictures:
        label = picture.label
        twin = is_dropped(picture, duplicates)
        if label.says_what and label.side and not twin:
            continue
        split = len(picture.panels) > 1 and label.region is None
        for region in picture.panels if split else (label.region,):
            patients = ", ".join(found.patients.get(label.subject, []))
            lines.append(SheetLine(len(lines) + 1, picture, region, patients, twin))
    return lines


def write_sheet(lines: list[SheetLine], folder: Path) -> Path:
    """Write ``labels.xlsx``, or ``labels-2.xlsx`` and so on: what a person filled in is never overwritten.

    Parameters
    ----------
    lines : list of SheetLine
    folder : Path
        The study's private folder.
    """
    names = ["labels", *(f"labels-{number}" for number in range(2, 1000))]
    free = next(path for name in names if not (path := folder / f"{name}.xlsx").exists())
    choices = {
        "view": [view.name for view in anatomy.views()],
        "structure": [structure.name for structure in anatomy.structures() if structure.kind != "bone"],
        "side": sorted(set(filter(None, SIDES.values()))),
        "state": list(STATES[1:]),
        "exclude": ["yes"],
    }
    write_workbook(free, COLUMNS, [line.cells for line in lines], choices=choices, widths=_WIDTHS)
    return free
