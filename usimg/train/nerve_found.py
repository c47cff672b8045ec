"""How suggestions without a prompt do on pictures that the network asked had not learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from usimg.outline.nerve_prompts import Answers, Seen
from usimg.outline.nerve_search import suggestions
from usimg.train.nerve_constants import Case, compare, fit_confidence
from usimg.train.nerve_dataset import Labelled

# A suggestion is a nerve's when their overlap over their union is above this (the pilot's).
MEANT = 0.3


@dataclass(frozen=True, eq=False)
class Found:
    """What suggestions found.

    Attributes
    ----------
    nerves, pictures : int
        How many there were.
    cases : list of Case
        Every suggestion; one that is no nerve has Dice 0 and an endless error.
    """

    nerves: int
    pictures: int
    cases: list[Case]

    @property
    def right(self) -> list[Case]:
        """Those that are nerves."""
        return [case for case in self.cases if case.dice > 0]

    def line(self) -> str:
        """The figures, in words."""
        right = self.right
        dice = float(np.mean([case.dice for case in right])) if right else 0.0
        false = (len(self.cases) - len(right)) / max(1, self.pictures)
        return (
            f"{len(right)} of {self.nerves} nerves in {self.pictures} pictures were suggested, their Dice"
            f" {dice:.2f}; {false:.2f} suggestions a picture were none"
        )


def look_for(folds: Sequence[tuple[Answers, Sequence[Labelled]]], table: dict[str, float]) -> Found:
    """Suggestions for every picture of the folds; nerves cut by the border count too."""
    nerves, cases = 0, []
    pictures = [(answers, picture) for answers, of in folds for picture in of]
    for answers, picture in pictures:
        nerves += sum(not part.vessel for part in picture.outlined)
        left = [part for part in picture.outlined if not part.vessel]
        for _, seen in suggestions(picture.gray, answers, table):
            scores = [compare(seen.polygons, picture, part) for part in left]
            best = max(range(len(left)), key=lambda k: scores[k][0], default=None)
            cases.append(_case(seen, None if best is None else scores[best]))
            if best is not None and cases[-1].dice > 0:
                # A nerve is found once.
                left.pop(best)
    return Found(nerves, len(pictures), cases)


def _case(seen: Seen, score: tuple[float, float] | None) -> Case:
    # Dice d is an overlap over the union of d / (2 - d).
    if score is None or score[0] / (2 - score[0]) <= MEANT:
        return Case(0.0, float("inf"), seen.described)
    return Case(*score, seen.described)


def fit_suggestions(
    folds: Sequence[tuple[Answers, Sequence[Labelled]]], click: dict[str, float]
) -> tuple[dict[str, float], Found]:
    """Constants of suggestions: drawn as clicks are, trusted as they turned out."""
    found = look_for(folds, click)
    return click | fit_confidence(found.cases), found
