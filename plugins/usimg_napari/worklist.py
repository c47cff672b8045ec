"""What is to do in a study, by patient and visit: status, order, filter, what is left. No Qt."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from usimg.errors import StudyRefused
from usimg_napari.pages import Page, Status
from usimg_napari.review import Review

# A sign beside the word, so that no state depends on colour.
SIGNS = {
    "look": "?", "to do": "○", "corrected": "✎", "accepted": "✓", "rejected": "✗", "to label": "□",
    "label changed": "↷", "signed": "✍",
}  # fmt: skip
# The word of a state where it is counted and filtered: what has to be looked at is called flagged.
WORDS = {"look": "flagged"}
LEFT = ("look", Status.TO_DO.value, Status.CORRECTED.value, Status.TO_LABEL.value, Status.MOVED.value)
BY_VISIT, BY_DOUBT = "by patient and visit", "most doubtful first"
ORDERS = (BY_VISIT, BY_DOUBT)


@dataclass(frozen=True)
class Line:
    """One line of the list: a visit's heading, or a page.

    Attributes
    ----------
    index : int or None
        Of the page; None for a heading.
    """

    text: str
    index: int | None = None
    status: str = ""


class Worklist:
    """Pages of a review as a list that is filtered and ordered.

    Parameters
    ----------
    review : Review
    """

    def __init__(self, review: Review) -> None:
        self.review = review
        self.filter = ""
        self.order = BY_VISIT
        self.signed: set[tuple[str, str]] = set()
        self._spread: dict[int, float] = {}

    def status_of(self, index: int) -> str:
        """One word for a page; of a signed visit's that it is."""
        page, status = self.review.pages[index], self.review.status_of(index)
        settled = status in (Status.ACCEPTED.value, Status.REJECTED.value)
        return "signed" if settled and (page.subject, page.visit) in self.signed else status

    def lines(self) -> list[Line]:
        """What is listed, headings of visits included where the list goes by them."""
        shown = self.indices()
        lines: list[Line] = []
        last: tuple[str, str] | None = None
        for index in shown:
            page, status = self.review.pages[index], self.status_of(index)
            if self.order == BY_VISIT:
                of_visit = (page.subject, page.visit)
                if of_visit != last:
                    lines.append(Line(self._heading(page)))
                    last = of_visit
                text = " · ".join(page.title.split(" · ")[len(_head(page)) :]) or page.title
            else:
                text = page.title
            lines.append(Line(text, index, status))
        return lines

    def indices(self) -> list[int]:
        """Pages that the filter leaves, in the chosen order."""
        words = self.filter.casefold().split()
        pages = self.review.pages
        shown = [i for i in range(len(pages)) if not words or self._matches(i, words)]
        if self.order == BY_DOUBT:
            doubt = self.doubts()
            shown.sort(key=lambda i: -doubt[i])
        return shown

    def step(self, by: int) -> int:
        """The page before or after the one on the screen, as listed."""
        shown = self.indices()
        if self.review.at not in shown:
            return shown[0] if shown else self.review.at
        return shown[min(max(shown.index(self.review.at) + by, 0), len(shown) - 1)]

    def next_flagged(self) -> int:
        """The next listed page, from here and round, with something to look at; raises when there is none."""
        shown = self.indices()
        at = shown.index(self.review.at) if self.review.at in shown else -1
        for index in (*shown[at + 1 :], *shown[: at + 1]):
            if self.review.status_of(index) in ("look", Status.MOVED.value):
                return index
        raise StudyRefused("nothing is left that asks for a second look")

    def left(self) -> str:
        """What is left, in words."""
        counts = self.review.counts()
        left = sum(counts[status] for status in LEFT)
        if not left:
            return f"all {len(self.review.pages)} frames are done"
        words = [f"{counts[status]} {WORDS.get(status, status)}" for status in LEFT if counts[status]]
        return f"{left} of {len(self.review.pages)} frames left: {', '.join(words)}"

    def doubts(self) -> list[float]:
        """How much each open page asks for a look, 0 to 1: unsure outlines, and repeats that differ.

        The voices that disagree on an outline are in its confidence; of repeats it is the range over the
        mean of the same structure.
        """
        spread = self._spreads()
        doubts = []
        for index in range(len(self.review.pages)):
            open_ = [one for one in self.review.briefs_on(index) if self.review.status_of(index) in LEFT]
            unsure = max((1.0 - one.confidence if one.drawn else 1.0 for one in open_), default=0.0)
            doubts.append(max(unsure, spread.get(index, 0.0) if open_ else 0.0))
        return doubts

    def _spreads(self) -> dict[int, float]:
        repeats: dict[tuple[str, ...], list[tuple[int, float]]] = defaultdict(list)
        for index, page in enumerate(self.review.pages):
            for one in self.review.briefs_on(index):
                size = one.values.size
                if size is not None and one.status is not Status.REJECTED:
                    key = (page.subject, page.visit, page.row, one.structure, one.side)
                    repeats[key].append((index, size))
        spread: dict[int, float] = {}
        for sizes in repeats.values():
            values = [size for _, size in sizes]
            share = (max(values) - min(values)) / (sum(values) / len(values)) if sum(values) else 0.0
            for index, _ in sizes:
                spread[index] = max(spread.get(index, 0.0), min(share, 1.0))
        return spread

    def _matches(self, index: int, words: list[str]) -> bool:
        page, status = self.review.pages[index], self.status_of(index)
        text = f"{page.title} {page.scan[:12]} {WORDS.get(status, status)}".casefold()
        return all(word in text for word in words)

    def _heading(self, page: Page) -> str:
        head = " · ".join(_head(page)) or "pictures to read"
        return f"{head}   ✍ signed" if (page.subject, page.visit) in self.signed else head


def _head(page: Page) -> list[str]:
    named = page.subject or (f"scan {page.scan[:12]}" if page.scan else "")
    return [word for word in (named, page.visit) if word]
