"""A patient's visit as a grid: a row a view and side, repeats side by side, and what is decided. No Qt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from usimg import Roi
from usimg.errors import StudyRefused, UsimgError
from usimg.study.manifest import Label
from usimg.study.protocol import StudyProtocol
from usimg_napari.cards import DONE, EMPTY, FLAGGED, OUT, PLAIN, Card, Line, Source
from usimg_napari.cards import Row as CardRow
from usimg_napari.labelling import in_words
from usimg_napari.looks import colour_of
from usimg_napari.pages import OPEN, Brief, Page, Status
from usimg_napari.review import Review
from usimg_napari.worklist import SIGNS, WORDS

# Repeats that lie farther apart than this share of their mean are marked. Chosen here: readers of one
# picture differ by 5 to 10 %, so that more is another picture and not another hand.
FAR_APART = 0.15
_TONES = {
    "look": FLAGGED,
    "label changed": FLAGGED,
    "to label": FLAGGED,
    "accepted": DONE,
    "rejected": OUT,
}


@dataclass(frozen=True)
class GridRow:
    """One view or structure of one side: its repeats, or what the protocol lacks.

    Attributes
    ----------
    pages : tuple of int
        Of the review; empty when nothing was scanned.
    missing : Label or None
        What the protocol asks for.
    not_done : str
        Why it was not scanned, where somebody said so.
    """

    name: str
    pages: tuple[int, ...] = ()
    missing: Label | None = None
    not_done: str = ""


@dataclass
class _Warned:
    """The flagged tile that the person was told about last: a second Enter accepts it."""

    page: int = -1
    reasons: list[str] = field(default_factory=list)


class Grid:
    """The visit of the page on the screen, tile by tile.

    Parameters
    ----------
    review : Review
    labels_of : callable
        Labels of a page's pictures, as the protocol counts them.
    protocol : StudyProtocol
    path_of : callable
        Where a page's file lies; raises `StudyRefused` when it is gone.
    not_done : callable
        (page, what, reason, author) -> id of the line.
    said_not_done : callable
        (subject, visit, what) -> the reason that was given, or "".
    """

    def __init__(
        self,
        review: Review,
        *,
        labels_of: Callable[[Page], Sequence[Label]],
        protocol: StudyProtocol,
        path_of: Callable[[Page], str],
        not_done: Callable[[str, Page, Label, str], str],
        said_not_done: Callable[[str, str, Label], str],
    ) -> None:
        self.review = review
        self.protocol = protocol
        self._labels_of = labels_of
        self._path_of = path_of
        self._not_done = not_done
        self._said_not_done = said_not_done
        self._warned = _Warned()
        self.row = 0

    # Looking

    @property
    def visit(self) -> tuple[str, str]:
        """Subject and visit of the page on the screen."""
        return (self.review.page.subject, self.review.page.visit)

    @property
    def visits(self) -> list[tuple[str, str]]:
        """All of them, in the order of the pages."""
        return list(dict.fromkeys((page.subject, page.visit) for page in self.review.pages))

    def pages_of(self, visit: tuple[str, str]) -> list[int]:
        """Pages of a visit."""
        pages = enumerate(self.review.pages)
        return [index for index, page in pages if (page.subject, page.visit) == visit]

    def rows(self) -> list[GridRow]:
        """Rows of the visit: what was scanned, then what the protocol lacks."""
        by_row: dict[str, list[int]] = {}
        pages = self.pages_of(self.visit)
        for index in pages:
            by_row.setdefault(self.review.pages[index].row or self.review.pages[index].title, []).append(
                index
            )
        rows = [GridRow(name, tuple(own)) for name, own in by_row.items()]
        labels = [label for index in pages for label in self._labels_of(self.review.pages[index])]
        for lacking in self.protocol.missing(labels):
            entry = lacking.entry
            what = Label(view=entry.view, structure=entry.structure, site=entry.site, side=lacking.side)
            reason = self._said_not_done(*self.visit, what)
            if not lacking.found:
                rows.append(GridRow(in_words(what), missing=what, not_done=reason))
        return rows

    def _name(self, index: int) -> str:
        page = self.review.pages[index]
        return page.row or page.title

    @property
    def place(self) -> tuple[int, int]:
        """Row and column of the tile under the cursor."""
        rows = self.rows()
        for number, row in enumerate(rows):
            if self.review.at in row.pages and (self.row >= len(rows) or rows[self.row].pages):
                return number, row.pages.index(self.review.at)
        return min(self.row, len(rows) - 1), 0

    def go(self, row: int, column: int) -> None:
        """Put the cursor on a tile, or on a row that nothing was scanned of."""
        rows = self.rows()
        if not 0 <= row < len(rows):
            return
        self.row = row
        pages = rows[row].pages
        if pages:
            index = pages[min(column, len(pages) - 1)]
            if index != self.review.at:
                self.review.go(index)

    def go_visit(self, by: int) -> None:
        """Show the visit before or after, at its first tile to do."""
        visits = self.visits
        at = min(max(visits.index(self.visit) + by, 0), len(visits) - 1)
        pages = self.pages_of(visits[at])
        self.row = 0
        self.review.go(next((i for i in pages if self._is_open(i)), pages[0]))

    def cards(self) -> list[CardRow]:
        """The rows as they are drawn."""
        return [
            CardRow(self._heading(row), tuple(self._card(index) for index in row.pages) or (_missing(row),))
            for row in self.rows()
        ]

    def left(self) -> str:
        """What is left of this visit, in words."""
        words = [self.review.status_of(index) for index in self.pages_of(self.visit)]
        open_ = sum(word not in ("accepted", "rejected") for word in words)
        flagged = words.count("look")
        if open_:
            return f"{open_} of {len(words)} tiles left, {flagged} flagged"
        return f"all {len(words)} tiles are decided: sign the visit (Ctrl-S)"

    def _heading(self, row: GridRow) -> str:
        if not row.pages:
            return f"{row.name}\nnot scanned"
        before, earlier = self._before(row)
        words, far = [row.name], False
        for structure, values in self._sizes(row.pages).items():
            mean = sum(values) / len(values)
            spread = (max(values) - min(values)) / mean if mean else 0.0
            far = far or spread > FAR_APART
            within = f" ±{50 * spread:.0f} %" if len(values) > 1 else ""
            then = f"\n   {earlier}: {before[structure]:.1f}" if structure in before else ""
            words.append(f"{structure} {mean:.1f}{within}{then}")
        return "\n".join([*words, "repeats lie far apart"] if far else words)

    def _sizes(self, pages: Sequence[int]) -> dict[str, list[float]]:
        sizes: dict[str, list[float]] = {}
        for index in pages:
            for one in self.review.briefs_on(index):
                if one.values.size is not None and one.status is not Status.REJECTED:
                    sizes.setdefault(one.structure.replace("_", " "), []).append(one.values.size)
        return sizes

    def _before(self, row: GridRow) -> tuple[dict[str, float], str]:
        """Means of the same row at the visit before, for comparison, and what that visit is called."""
        subject, visit = self.visit
        earlier = [other for own, other in self.visits if own == subject and other < visit]
        if not earlier:
            return {}, ""
        last = max(earlier)
        pages = [i for i in self.pages_of((subject, last)) if self._name(i) == row.name]
        return {name: sum(values) / len(values) for name, values in self._sizes(pages).items()}, last

    def _card(self, index: int) -> Card:
        page, word = self.review.pages[index], self.review.status_of(index)
        try:
            source: Source | None = Source(self._path_of(page), page.frame, scan=page.scan)
            gone = ""
        except UsimgError as error:
            source, gone = None, str(error)
        briefs = self.review.briefs_on(index)
        flags = [flag for one in briefs for flag in (*one.flags, one.reason) if flag]
        number = f"no. {page.repeat}" if page.repeat is not None else ""
        status = WORDS.get(word, word)
        return Card(
            source=source,
            title=f"{number}  {status}" if number else status,
            sign=SIGNS[word],
            lines=tuple(self._line(one) for one in briefs[:4]),
            tone=_TONES.get(word, PLAIN),
            outlines=() if gone else self._outlines(index, briefs),
            tip="\n".join(dict.fromkeys([gone, *flags] if gone else flags)),
        )

    def _line(self, one: Brief) -> str:
        grade = f"  H{one.grade}" if one.grade else ""
        twitch = "  F" if one.fasciculations else ""
        shown = one.values.short if one.drawn else "no outline"
        if one.status is Status.REJECTED:
            shown = f"✗ {one.reason}"
        return f"{one.structure.replace('_', ' ')}  {shown}{grade}{twitch}"

    def _outlines(self, index: int, briefs: Sequence[Brief]) -> tuple[Line, ...]:
        lines: list[Line] = []
        for one in briefs:
            if not one.drawn or one.status is Status.REJECTED:
                continue
            roi: Roi = self.review.outline(index, one.target)
            colour = colour_of(roi.structure)
            lines += [Line(polygon, colour) for polygon in roi.polygons]
            if roi.line is not None:
                lines.append(Line(roi.line, colour, closed=False))
        return tuple(lines)

    # Deciding

    def accept(self) -> str:
        """Accept the row of repeats when nothing of it is flagged, else this tile; a flagged one asks."""
        number, column = self.place
        row = self.rows()[number]
        if not row.pages:
            raise StudyRefused("nothing was scanned here: say why (U), or go on")
        open_ = [index for index in row.pages if self._is_open(index)]
        if not open_:
            self._next_open()
            return "this row is decided already"
        doubtful = [index for index in open_ if self._is_flagged(index)]
        at = row.pages[column]
        if not doubtful:
            self.review.accept_pages(open_)
            said = f"Accepted: {row.name}, {len(open_)} of {len(row.pages)} repeats"
        elif at not in doubtful:
            self.review.accept_pages([at])
            said = f"Accepted: this tile; {len(doubtful)} of the row are flagged and wait for a look"
        elif self._warned.page != at:
            self._warned.page = at
            reasons = [flag for one in self.review.briefs_on(at) for flag in one.flags if one.doubtful]
            why = "; ".join(dict.fromkeys(reasons)) or "the outline is unsure"
            return f"Flagged: {why}. O opens it to mend it; Enter again accepts it as it is."
        else:
            self.review.accept_pages([at])
            said = "Accepted although it was flagged"
        self._warned = _Warned()
        self._next_open()
        return said

    def reject(self, reason: str) -> str:
        """Reject the tile under the cursor, all of its structures."""
        number, column = self.place
        row = self.rows()[number]
        if not row.pages:
            raise StudyRefused("nothing was scanned here: say why (U)")
        self.review.reject_pages([row.pages[column]], reason)
        self._next_open()
        return f"Rejected: {row.name}, {reason}"

    def not_done(self, reason: str) -> str:
        """Say why what the protocol asks for was not scanned."""
        row = self.rows()[self.place[0]]
        if row.missing is None:
            raise StudyRefused("this was scanned: reject it with a reason (R)")
        what, page = row.missing, self.review.page
        sentence = f"not done: {row.name}"
        self.review.note(sentence, lambda author: self._not_done(author, page, what, reason))
        return f"Not done: {row.name}, {reason}"

    def _is_open(self, index: int) -> bool:
        return any(one.status in OPEN for one in self.review.briefs_on(index))

    def _is_flagged(self, index: int) -> bool:
        return any(one.doubtful for one in self.review.briefs_on(index))

    def _next_open(self) -> None:
        """Go on to the next tile of this visit, from here and round, that waits for a decision."""
        number, column = self.place
        rows = self.rows()
        places = [(r, c, index) for r, row in enumerate(rows) for c, index in enumerate(row.pages)]
        after = [place for place in places if place[:2] > (number, column)]
        for r, c, index in (*after, *places):
            if self._is_open(index):
                self.go(r, c)
                return


def _missing(row: GridRow) -> Card:
    said = f"not done: {row.not_done}" if row.not_done else "U: not done, and why"
    return Card(None, "not scanned", sign="·", lines=(said,), tone=OUT if row.not_done else EMPTY)
