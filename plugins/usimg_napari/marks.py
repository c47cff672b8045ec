"""Frames of a clip that a person chose or marked: an outline of each, accepted, in the study. No Qt."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from usimg import Frame, Roi
from usimg.errors import StudyRefused
from usimg.study.decisions import Decision, Target
from usimg.study.schema import outline_of, target_of
from usimg_napari.live import to_store
from usimg_napari.pages import Page

if TYPE_CHECKING:
    from usimg_napari.desk import StudyDesk


class Marks:
    """Writes outlines of further frames of a page's clip.

    Parameters
    ----------
    desk : StudyDesk
    """

    def __init__(self, desk: StudyDesk) -> None:
        self.desk = desk

    def next_breath(self, page: Page, target: str, state: str, frame: int) -> int:
        """Number of the breath that the next mark of a state belongs to, counted over the visit.

        Raises
        ------
        StudyRefused
            A later frame of this clip is marked so already: breaths are counted in their order.
        """
        own = self._row(page, target)
        place = ("structure", "site", "side")
        marked = [
            row
            for other in self.desk.pages()
            if (other.subject, other.visit) == (page.subject, page.visit)
            for row in self.desk.rows_of(other)
            if row["muscle_state"] == state
            and row["state"] != "rejected"
            and all(row[name] == own[name] for name in place)
        ]
        here = [row["frame"] for row in marked if row["scan"] == page.scan]
        if here and max(here) >= frame:
            raise StudyRefused(
                f"frame {max(here) + 1} has this mark already: mark breaths in their order, or undo (Ctrl-Z)"
            )
        return max((row["repeat"] or 0 for row in marked), default=0) + 1

    def mark(
        self,
        author: str,
        page: Page,
        target: str,
        index: int,
        frame: Frame,
        roi: Roi,
        state: str | None,
        breath: int | None,
    ) -> list[str]:
        """Write an outline of frame ``index`` and accept it; the lines' ids.

        Parameters
        ----------
        state : str or None
            State of the muscle there; None as on the page.
        breath : int or None
            Its repeat; None as on the page.
        """
        row = self._row(page, target)
        own = target_of(row)
        where = Target(
            own.scan,
            index,
            own.region,
            own.structure,
            own.site,
            own.side,
            own.repeat if breath is None else breath,
        )
        values = to_store(frame, roi, self.desk.definitions)
        values |= {"muscle_state": row["muscle_state"] if state is None else state, "plane": row["plane"]}
        values |= {"view": row["view"], "kind": row["kind"]}
        sitting = self.desk.sitting(author)
        drawn = sitting.outline(where, outline_of(roi), values, parents=())
        accepted = sitting.accept(where, drawn.id, parents=(drawn.id,))
        heads = [accepted.id]
        self.desk.refresh()
        return [self._keep(one, heads) for one in (drawn, accepted)]

    def _row(self, page: Page, target: str) -> dict[str, Any]:
        return self.desk.row_of(page, target)

    def _keep(self, decision: Decision, heads: list[str]) -> str:
        self.desk.keep_undo(decision, self._taking_back(decision, heads))
        return decision.id

    def _taking_back(self, decision: Decision, heads: list[str]) -> Callable[[str], Decision]:
        def take_back(author: str) -> Decision:
            line = self.desk.sitting(author).undo(decision, parents=tuple(heads))
            heads[:] = [line.id]
            self.desk.refresh()
            self._keep(line, heads)
            return line

        return take_back
