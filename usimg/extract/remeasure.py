"""Numbers from the outlines that a study holds, measured again: protocols change, outlines stay."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import usimg
from usimg.errors import UsimgError
from usimg.extract.runlog import RunLog
from usimg.extract.running import Run, Summary, run_name
from usimg.extract.scan import Row, measured_by
from usimg.measurement import measure
from usimg.roi import Roi
from usimg.scan import Calibration, Frame
from usimg.study import Study
from usimg.study.decisions import Decision, read_decisions
from usimg.study.fold import REMEASURED, as_written, automatic_rows
from usimg.study.history import History
from usimg.study.labelled import Decided, decided
from usimg.study.methods import SEPARATOR, method_that_holds, methods_of
from usimg.study.pixels import open_scan
from usimg.study.private import short
from usimg.study.protocol import Recipe
from usimg.study.schema import features_of, plain, roi_of

# A scale that is neither in the file nor a person's line is in the row: the manifest or a ruler gave it.
BROUGHT = ("given", "ruler")


def measure_again(
    study: Study,
    *,
    scans: Collection[str] | None = None,
    on_scan: Callable[[int, int, int], None] | None = None,
) -> Summary:
    """Measure every outline of a study again, automatic ones and people's; nothing is outlined.

    The new rows replace those before. With another usimg than before they lie beside them, and hold once
    a person chooses them (`usimg.study.methods`). A scan that is not there any more keeps its numbers,
    and is listed.

    Parameters
    ----------
    study : Study
    scans : collection of str, optional
        Hashes of the scans that are measured again, as when a person gave them a scale; else all.
    on_scan : callable, optional
        ``on_scan(done, total, failed)`` after each scan.

    Raises
    ------
    StudyRefused
        The folder cannot be written. Parts already written hold.
    """
    began = time.monotonic()
    automatic, problems = automatic_rows(study, geometry=True)
    decisions, torn = read_decisions(study.people)
    others = History(decisions).others()
    by = _By(study.protocol.recipe, decided(others))
    method, disagreements = method_that_holds(methods_of(automatic), others)
    generation = int(automatic["generation"].max()) if len(automatic) else 0
    if scans is not None:
        automatic = automatic[automatic["scan"].isin(set(scans))]
    held = as_written(automatic, method)
    by_scan: dict[str, list[Row]] = defaultdict(list)
    for record in held.to_dict("records"):
        by_scan[str(record["scan"])].append({str(name): plain(value) for name, value in record.items()})
    drawn: dict[str, list[Decision]] = defaultdict(list)
    for decision in decisions.values():
        if decision.kind == "outline" and (scans is None or decision.target.scan in scans):
            drawn[decision.target.scan].append(decision)
    name = run_name()
    run = Run(study, name, generation + 1, {}, RunLog(study.runs / f"{name}.log.jsonl"))
    run.problems += [("", problem) for problem in (*problems, *torn, *disagreements, *by.said.problems)]
    study.bring_forward()
    segmenter = method.partition(SEPARATOR)[0]
    every = sorted({*by_scan, *drawn})
    stopped = False
    try:
        for done, scan in enumerate(every, start=1):
            _one_scan(run, scan, by_scan[scan], drawn[scan], segmenter, by)
            if on_scan is not None:
                on_scan(done, len(every), run.counts["failed_scans"])
    except KeyboardInterrupt:
        stopped = True
    finally:
        run.flush()
        run.log.close()
    seconds = time.monotonic() - began
    run.record("stopped" if stopped else "finished", seconds, {"remeasure": True}, segmenter)
    return Summary(name, dict(run.counts), seconds, run.problems, stopped)


@dataclass(frozen=True)
class _By:
    """What numbers are measured by now."""

    recipe: Recipe
    said: Decided


def _one_scan(run: Run, scan: str, rows: list[Row], drawn: list[Decision], segmenter: str, by: _By) -> None:
    run.counts["scans"] += 1
    measured = [row for row in rows if row["status"] == "measured"]
    rest = [row for row in rows if row["status"] != "measured"]
    if not measured and not drawn:
        run.keep(rest)
        return
    try:
        frames = open_scan(run.study, scan).frames
        again = [_measured_again(frames, row, by) for row in measured]
        theirs = [_of_person(frames, decision, segmenter, by) for decision in drawn]
    except (UsimgError, IndexError) as error:
        run.counts["failed_scans"] += 1
        run.problems.append((short(scan), f"not measured again, its numbers are the old ones: {error}"))
        run.log.line("scan", scan=short(scan), failed=1)
        return
    run.counts["measured"] += len(again) + len(theirs)
    run.keep([*again, *rest, *theirs])
    run.log.line("scan", scan=short(scan), measured=len(again) + len(theirs))


def _measured_again(frames: Sequence[Frame], row: Row, by: _By) -> Row:
    fields = _features(frames[row["frame"] or 0], roi_of(row), row, by)
    return row | fields | {"work": measured_by(str(row.get("work") or ""), by.recipe)}


def _of_person(frames: Sequence[Frame], decision: Decision, segmenter: str, by: _By) -> Row:
    values: dict[str, Any] = {**decision.content["values"], **decision.content["outline"]}
    target = decision.target.as_dict()
    row = values | target
    fields = _features(frames[decision.target.frame], roi_of(row), row, by)
    return target | fields | {"outline": decision.id, "status": REMEASURED, "method": segmenter}


def _features(frame: Frame, roi: Roi, row: Row, by: _By) -> Row:
    scale = by.said.scale(str(row["scan"]), roi.region)
    if scale is not None:
        frame = frame.with_calibration(Calibration(*scale, "person", region=roi.region))
    elif row.get("calibration_source") in BROUGHT and row.get("row_mm") and row.get("col_mm"):
        given = Calibration(row["row_mm"], row["col_mm"], row["calibration_source"], region=roi.region)
        frame = frame.with_calibration(given)
    pixels = frame.pixels
    definitions = by.recipe.definitions
    return features_of(measure(frame, [roi], protocol=definitions).iloc[0].to_dict()) | {
        "decoder": pixels.decoder,
        "grey_rule": pixels.grey_rule,
        "protocol": definitions.name,
        "usimg_version": usimg.__version__,
    }
