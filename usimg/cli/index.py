"""``usimg index``: what lies in a folder of scans, before anything is measured."""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from usimg.cli.screen import Exit, complain, err, out, print_json, safe, say

if TYPE_CHECKING:
    from usimg.extract.duplicates import Duplicate
    from usimg.extract.index import Index
    from usimg.extract.moved import Moved
    from usimg.study import Study
    from usimg.study.devices import Declared
    from usimg.study.protocol import StudyProtocol

LISTED = 10


def index(
    archive: Annotated[Path, typer.Argument(exists=True, help="Folder of scans, or one scan.")],
    *,
    study: Annotated[
        Path | None, typer.Option(help="Whose protocol, words and subjects count; made when it is not there.")
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="CSV or Excel: which file shows what, of whom."),
    ] = None,
    gap: Annotated[int, typer.Option(min=1, help="Visits closer than this many days are listed.")] = 14,
    label: Annotated[
        bool, typer.Option("--label", help="Make a sheet of thumbnails and an Excel table to fill in.")
    ] = False,
    duplicates: Annotated[
        bool, typer.Option("--duplicates", help="Read pixels: pictures stored twice, twins with calipers.")
    ] = False,
    ocr: Annotated[
        bool, typer.Option("--ocr", help="Read text in unlabelled pictures for proposals (needs Tesseract).")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List what is in a folder of scans: patients, visits, devices, what is recognised and what is missing.

    Reads headers only, save for --duplicates and --ocr. With --study it writes a page into the study and
    finds moved scans again.
    --label puts a table of what is not labelled into the study's private folder: fill it in and give it to
    usimg extract --manifest.

    Example: usimg index scans/ --study my_study
    """
    from usimg.extract.index_json import as_json as plain
    from usimg.extract.labels import Labelling, labelling_of
    from usimg.study.manifest import own_manifest, read_manifest
    from usimg.study.private import SubjectIds

    if label and study is None:
        raise typer.BadParameter(
            "the sheet goes into a study's private folder: give --study", param_hint="--label"
        )
    opened = _study(study, archive)
    manifest = manifest or (own_manifest(opened.private) if opened is not None else None)
    labels = read_manifest(manifest) if manifest is not None else None
    if opened is not None:
        labelling = labelling_of(opened, manifest=labels)
    else:
        # Without a study there is no key: the names that this run gives to subjects are this run's alone.
        labelling = Labelling(manifest=labels, subjects=SubjectIds({}, secrets.token_bytes(32)))
    found = _look(archive, opened, labelling, gap, ocr=ocr)
    moved = _moved(opened, found)
    twins = _duplicates(found) if duplicates else []
    page = _page(opened, found, moved, twins)
    sheet = _sheet(opened, found, twins) if label and opened is not None else None
    if as_json:
        facts = plain(found)
        if moved is not None:
            facts |= {"found_again": dict(moved.found), "absent": list(moved.absent)}
        if duplicates:
            facts["duplicates"] = [asdict(twin) for twin in twins]
        print_json(facts | {"page": page, "sheet": sheet})
    else:
        _show(found)
        _list("one picture twice (the first is proposed)", [f"{t.keep} and {t.drop}: {t.why}" for t in twins])
        _show_moved(moved)
        if page is not None:
            say(f"page     {page}", "bold")
        if label:
            _show_sheet(sheet, archive, study)
    if not found.survey.files:
        complain(f"{archive}: no scan found; usimg reads DICOM, PNG, TIFF, JPEG, BMP and WebP")
        raise typer.Exit(Exit.NOTHING_FOUND)


def _study(path: Path | None, archive: Path) -> Study | None:
    from usimg.study import Study

    if path is None:
        return None
    if (path / "study.toml").exists():
        return Study.open(path)
    return Study.create(path, source=archive if archive.is_dir() else None)


def _look(archive: Path, study: Study | None, labelling: Any, gap: int, *, ocr: bool) -> Index:
    from usimg.extract.index import index as look
    from usimg.study.devices import read_devices

    protocol: StudyProtocol | None = None
    declared: tuple[Declared, ...] = ()
    if study is not None:
        protocol = study.protocol
        declared = read_devices(study.root / "devices.csv")
    with err().status("looking at headers") as status:
        return look(
            archive,
            labelling,
            protocol=protocol,
            declared=declared,
            gap_days=gap,
            read_text=ocr,
            on_text=lambda n: status.update(f"reading text in pictures: {n}"),
            on_file=lambda n: status.update(f"looking at headers: {n}") if not n % 100 else None,
        )


def _moved(study: Study | None, found: Index) -> Moved | None:
    from usimg.extract.moved import find_moved

    return None if study is None else find_moved(study, found.survey)


def _duplicates(found: Index) -> list[Duplicate]:
    from usimg.extract.duplicates import find_duplicates

    with err().status("comparing pictures") as status:
        return find_duplicates(found, on_picture=lambda n: status.update(f"comparing pictures: {n}"))


def _page(study: Study | None, found: Index, moved: Moved | None, twins: list[Duplicate]) -> Path | None:
    from usimg.report.index_page import index_page

    if study is None:
        return None
    return index_page(
        found, study.exports / "index.html", absent=len(moved.absent) if moved is not None else 0
    )


def _sheet(study: Study, found: Index, twins: list[Duplicate]) -> Path | None:
    """The table to fill in, with its page beside it; None when nothing is left to label."""
    from usimg.extract.labelsheet import LIMIT, sheet_lines, write_sheet
    from usimg.report.label_page import label_page

    lines = sheet_lines(found, twins)
    if not lines:
        return None
    if len(lines) > LIMIT:
        complain(
            f"the sheet takes {LIMIT} of {len(lines)} pictures; label these, and ask for the next", "yellow"
        )
    table = write_sheet(lines[:LIMIT], study.private)
    with err().status("drawing thumbnails") as status:
        label_page(
            lines[:LIMIT],
            found.survey.root,
            table.with_suffix(".html"),
            table=table.name,
            on_picture=lambda n: status.update(f"drawing thumbnails: {n}"),
        )
    return table


def _show_sheet(sheet: Path | None, archive: Path, study: Path | None) -> None:
    if sheet is None:
        say("nothing is left to label")
        return
    say(f"pictures {sheet.with_suffix('.html')}")
    say(f"table    {sheet}", "bold")
    say(f"then     usimg extract {archive} --study {study} --manifest {sheet}")


def _show(found: Index) -> None:
    readable = found.survey.readable
    recognised = len(found.pictures) - len(found.unrecognised)
    say(
        f"{len(found.survey.files)} scans, {len(readable)} readable, {len(found.pictures)} pictures:"
        f" {sum(not p.scale_reason for p in found.pictures)} with a scale, {recognised} recognised",
        "bold",
    )
    _tables(found)
    for reason, count in found.uncalibrated.most_common():
        complain(f"without a scale: {count} ({reason})", "yellow")
    _list("not recognised", [picture.file for picture in found.unrecognised])
    _list("cannot be read", [f"{f.relative}: {f.refused}" for f in found.survey.files if f.refused])
    _list("left out", [f"{file}: {why}" for file, why in found.survey.excluded])
    _list("the same content twice", [f"{copy} and {first}" for copy, first in found.survey.copies])
    _list("one UID, different contents", [", ".join(files) for files in found.survey.contradictions])
    _list(
        "one person under two ids? (join them in private/subjects.csv if so)",
        [f"{pair.one} and {pair.other}: {pair.why}" for pair in found.alike if pair.other],
    )
    _list("two persons under one id?", [f"{pair.one}: {pair.why}" for pair in found.alike if not pair.other])
    _list(
        f"visits closer than {found.gap_days} days",
        [f"{subject}: {first} and {second}, {days} days" for subject, first, second, days in found.close],
    )


def _tables(found: Index) -> None:
    _table(
        "Patients",
        (
            "subject",
            "id in the scans",
            "visit",
            "pictures",
            "recognised",
            f"lacks of protocol {found.protocol.name}",
        ),
        [
            (
                visit.subject or "nobody",
                ", ".join(found.patients.get(visit.subject, [])),
                visit.visit,
                visit.pictures,
                visit.recognised + visit.proposed,
                _lacks(visit.missing, visit.why_no_order),
            )
            for visit in found.visits
        ],
    )
    _table(
        "Devices and settings (? is not known; echo intensities compare only where all is known and equal)",
        ("maker", "model", "probe", "preset", "gain dB", "depth mm", "range dB", "map", "pictures"),
        _devices(found),
    )
    _table("Kinds of picture", ("kind", "pictures"), found.kinds.most_common())
    by_what: Counter[tuple[str, str, str]] = found.recognised
    _table(
        "Recognised",
        ("shows", "side", "on the evidence of", "pictures"),
        [(what.replace("_", " "), side, by, count) for (what, side, by), count in sorted(by_what.items())],
    )


def _devices(found: Index) -> list[tuple[Any, ...]]:
    """One row a device and preset; settings that vary stand in one cell."""
    groups: dict[tuple[str, ...], list[Any]] = {}
    for combination in found.devices:
        settings = [str(getattr(combination.settings, name)) for name in combination.settings.__slots__]
        groups.setdefault(tuple(settings[:4]), []).append((settings[4:], combination.count))
    rows: list[tuple[Any, ...]] = []
    for device, members in groups.items():
        varying = zip(*(settings for settings, _ in members), strict=True)
        cells = (", ".join(dict.fromkeys(sorted(values, key=_by_size))) for values in varying)
        rows.append((*device, *cells, sum(count for _, count in members)))
    return rows


def _by_size(text: str) -> tuple[float, str]:
    try:
        return (float(text.split(maxsplit=1)[0]), text)
    except ValueError:
        return (float("inf"), text)


def _lacks(missing: tuple[str, ...], why_no_order: str) -> str:
    words = list(missing[:3])
    if len(missing) > len(words):
        words.append(f"{len(missing) - len(words)} more")
    if why_no_order:
        words.append(f"order not used: {why_no_order}")
    return "; ".join(words).replace("_", " ")


def _table(title: str, names: tuple[str, ...], rows: list[Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    if not rows:
        return
    table = Table(title=Text(title), title_justify="left", title_style="bold")
    for name in names:
        figures = name in ("pictures", "recognised")
        table.add_column(name, overflow="fold", justify="right" if figures else "left")
    for row in rows:
        table.add_row(*(Text(safe(cell)) for cell in row))
    out().print(table)


def _list(title: str, lines: list[str]) -> None:
    if not lines:
        return
    complain(f"{title}: {len(lines)}", "yellow")
    for line in lines[:LISTED]:
        complain(f"  {line}", "")
    if len(lines) > LISTED:
        complain(f"  ... {len(lines) - LISTED} more (--json lists all)", "")


def _show_moved(moved: Moved | None) -> None:
    if moved is None:
        return
    if moved.found:
        say(f"{len(moved.found)} scans of the study had moved and were found again here")
    if moved.absent:
        complain(f"{len(moved.absent)} scans of the study are neither here nor where they were", "yellow")
