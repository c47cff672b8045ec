"""What people say beside outlines: grades, labels, scales, what was not done; a line replaces its kind.

A screen that writes many lines cannot fold the study after each: it keeps one `Rulings`, made from what
stood when it opened, and every line that it writes here names what it replaces.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from usimg.errors import StudyRefused
from usimg.study.decisions import Decision, Sitting, Target

GRADES = (1, 2, 3, 4)


class Rulings:
    """What stands beside outlines.

    Parameters
    ----------
    standing : iterable of Decision
        `usimg.study.fold.Fold.others`.

    Examples
    --------
    ``rulings = Rulings(study.fold(geometry=False).others)``, then
    ``rulings.grade(sitting, target, 3)``, and after a second thought ``rulings.grade(sitting, target, 2)``.
    """

    def __init__(self, standing: Iterable[Decision]) -> None:
        self._standing = {decision.id: decision for decision in standing}
        # What was replaced by a line, what was taken back by one, and by which line something stands again.
        self._replaced: dict[str, list[Decision]] = {}
        self._undone: dict[str, Decision] = {}
        self._through: dict[str, Decision] = {}

    def of(self, kind: str, target: Target | None = None) -> list[Decision]:
        """What stands of a kind, about one target or all of them."""
        return [
            decision
            for decision in self._standing.values()
            if decision.kind == kind and target in (None, decision.target)
        ]

    def grade(
        self,
        sitting: Sitting,
        target: Target,
        grade: int | None = None,
        *,
        fasciculations: bool | None = None,
    ) -> Decision:
        """Grade a muscle by eye; what is left out stays as this reader said it before.

        Parameters
        ----------
        target : Target
            The structure in the picture (`usimg.study.target_of` of its row).
        grade : int, optional
            Heckmatt grade, 1 to 4.
        fasciculations : bool, optional
            Whether some were seen.

        Raises
        ------
        StudyRefused
            Another grade, or nothing is said.
        """
        if grade is not None and grade not in GRADES:
            raise StudyRefused(f"{grade!r} is no Heckmatt grade: it is 1, 2, 3 or 4")
        mine = [
            decision
            for decision in self.of("grade", target)
            if (decision.reader, decision.arm) == (sitting.reader, sitting.arm)
        ]
        said: dict[str, Any] = {}
        for decision in mine:
            said |= decision.content
        said |= {} if grade is None else {"grade": int(grade)}
        said |= {} if fasciculations is None else {"fasciculations": bool(fasciculations)}
        return self._write(sitting, "grade", target, said, mine)

    def label(self, sitting: Sitting, target: Target, label: Mapping[str, Any]) -> Decision:
        """Say what a picture shows and whose it is; `usimg extract` takes it before any other source.

        Parameters
        ----------
        target : Target
            Scan, and frame and region where a person chose them; nothing else.
        label : mapping
            Fields of `usimg.study.manifest.Label` by name. Subjects are study ids, never names.

        Raises
        ------
        StudyRefused
            A field that a label does not have, or a name that the anatomy list does not hold.
        """
        from usimg.study.labelled import checked  # noqa: PLC0415  the anatomy list, when something is labelled

        return self._write(sitting, "label", target, {"label": checked(label)}, self.of("label", target))

    def calibrate(
        self, sitting: Sitting, target: Target, row_mm: float, col_mm: float, *, how: str = ""
    ) -> Decision:
        """Give a picture its scale, in mm per pixel; `usimg extract` measures it again with that.

        Parameters
        ----------
        target : Target
            Scan, and region where the picture has several; nothing else.
        how : str
            What it was read from, e.g. ``"ruler, 40 mm over 812 px"``.

        Raises
        ------
        StudyRefused
            No size of a pixel.
        """
        if not all(math.isfinite(mm) and mm > 0.0 for mm in (row_mm, col_mm)):
            raise StudyRefused(f"{row_mm!r} by {col_mm!r} is no size of a pixel in mm (such as 0.0592)")
        content = {"row_mm": float(row_mm), "col_mm": float(col_mm), "how": how}
        return self._write(sitting, "calibrate", target, content, self.of("calibrate", target))

    def not_done(
        self,
        sitting: Sitting,
        subject: str,
        visit: str,
        what: str,
        reason: str,
        *,
        site: str = "",
        side: str = "",
        day: int | None = None,
    ) -> Decision:
        """Say that a view or structure of the protocol was not scanned at a visit, and why.

        Parameters
        ----------
        what : str
            A view or structure of the anatomy list.
        day : int, optional
            ``day`` of the visit's rows: a visit that is called v2 by its day may be v3 tomorrow.
        """
        target = Target("", structure=what, site=site, side=side)
        earlier = [
            decision
            for decision in self.of("not_done", target)
            if (decision.content.get("subject"), decision.content.get("visit")) == (subject, visit)
        ]
        content: dict[str, Any] = {"reason": reason, "subject": subject, "visit": visit}
        if day is not None:
            content["day"] = int(day)
        return self._write(sitting, "not_done", target, content, earlier)

    def undo(self, sitting: Sitting, decision: Decision) -> Decision:
        """Take a line of this screen back; what it had replaced stands again. Of an undo, that is a redo."""
        undone = self._undone.pop(decision.id, None)
        line = sitting.undo(self._through.pop(decision.id, decision))
        if undone is None:
            self._standing.pop(decision.id, None)
            self._stand(self._replaced.get(decision.id, []), line)
            self._undone[line.id] = decision
        else:
            for earlier in self._replaced.get(undone.id, []):
                self._standing.pop(earlier.id, None)
            self._stand([undone], line)
        return line

    def _stand(self, decisions: list[Decision], line: Decision) -> None:
        """These stand again by ``line``, which is what the next line replaces."""
        for decision in decisions:
            self._standing[decision.id] = decision
            self._through[decision.id] = line

    def _write(
        self,
        sitting: Sitting,
        kind: str,
        target: Target,
        content: Mapping[str, Any],
        replaced: Iterable[Decision],
    ) -> Decision:
        replaced = list(replaced)
        parents = [self._through.get(decision.id, decision).id for decision in replaced]
        line = sitting.decide(kind, target, content, parents=parents)
        for decision in replaced:
            self._standing.pop(decision.id, None)
        self._replaced[line.id] = replaced
        self._standing[line.id] = line
        return line


def unreplaced(decisions: Iterable[Decision]) -> list[Decision]:
    """Those that no other of them names as a parent, whoever wrote it: a label or scale is nobody's own."""
    listed = list(decisions)
    named = {parent for decision in listed for parent in decision.parents}
    return [decision for decision in listed if decision.id not in named]
