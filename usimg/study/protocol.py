"""A laboratory's protocol: what is to be scanned of a patient, how often, and how it is measured.

How it is written in a file: `usimg.study.protocol_file`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

from usimg import anatomy
from usimg.study.canonical import content_id
from usimg.study.manifest import Label
from usimg.study.recognition import Step

# Which frame of a clip is measured where nobody names one: a word, or its number from 0.
FrameRule = str | int
FRAME_RULES = ("middle", "sharpest")


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing to scan.

    Attributes
    ----------
    view, structure : str
        Names of the anatomy list; one of them is empty.
    site : str
        Of a structure; empty: any.
    sides : tuple of str
        Each is wanted; empty: whichever side is scanned.
    repeats : int
        Least number of captures a side.
    state : str
        Of the muscle or of breathing; empty: any.
    essential : bool
        A visit without it is not complete.
    frame : str or int or None
        Of a clip: ``"middle"``, ``"sharpest"``, or a number from 0; None takes the protocol's.
    spread : float or None
        Largest (max - min) / mean of repeats before a person is asked to look again; None takes the
        protocol's.
    source : str
    verified : bool
        Whether place and borders were read in ``source``.
    """

    view: str = ""
    structure: str = ""
    site: str = ""
    sides: tuple[str, ...] = ()
    repeats: int = 1
    state: str = ""
    essential: bool = True
    frame: FrameRule | None = None
    spread: float | None = None
    source: str = ""
    verified: bool = False

    @property
    def what(self) -> str:
        """The view or structure."""
        return self.view or self.structure

    def shown_by(self, label: Label, side: str) -> bool:
        """Whether a picture with this label is one of those that are wanted of that side."""
        if side and label.side != side and not (side == "midline" and not label.side):
            return False
        # A muscle is scanned relaxed unless somebody says otherwise; a phase of breath has to be said.
        if self.state and (label.state or "relaxed") != self.state:
            return False
        if label.view:
            return label.view == self.view if self.view else self._within(label.view)
        if self.view:
            # A single structure of the view is a capture of it when the view is its usual place.
            view = anatomy.view(self.view)
            usual = view.sites.get(label.structure, label.site)
            return label.structure in view.structures and label.site in ("", usual)
        return label.structure == self.structure and self.site in ("", label.site)

    def _within(self, name: str) -> bool:
        view = anatomy.view(name)
        return self.structure in view.structures and self.site in ("", view.sites.get(self.structure, ""))


@dataclass(frozen=True, slots=True)
class Missing:
    """What a visit lacks."""

    entry: Entry
    side: str
    found: int

    def __str__(self) -> str:
        """In words, e.g. ``upper_arm left: 1 of 3``; a muscle at rest is not said to be."""
        state = "" if self.entry.state == "relaxed" else self.entry.state
        place = " ".join(part for part in (self.entry.what, self.entry.site, self.side, state) if part)
        return f"{place}: {self.found} of {self.entry.repeats}"


@dataclass(frozen=True)
class Recipe:
    """How pictures are measured: what a worker needs of a protocol.

    Attributes
    ----------
    definitions : anatomy.Protocol
        Primary thickness and the region for echo intensity, laid over the anatomy list.
    segmenter : str
        Which outliner; empty: the usual one.
    frame : str or int
        Of a clip, where nobody names a frame.
    frames : mapping of str to str or int
        By view or structure, before ``frame``.
    """

    definitions: anatomy.Protocol = field(default_factory=anatomy.generic_protocol)
    segmenter: str = ""
    frame: FrameRule = "middle"
    frames: Mapping[str, FrameRule] = field(default_factory=dict, hash=False)

    def frame_of(self, label: Label) -> FrameRule:
        """Which frame of a clip with this label is measured."""
        return self.frames.get(label.view or label.structure, self.frame)

    @property
    def definitions_id(self) -> str:
        """Short hash of what it measures otherwise than the anatomy list; empty when nothing."""
        own = self.definitions
        if own.echo_roi is None and not own.thickness:
            return ""
        numbers = {
            "echo_roi": None if own.echo_roi is None else own.echo_roi.rule,
            "thickness": {place: definition.rule for place, definition in own.thickness.items()},
        }
        return content_id(numbers)[:12]


@dataclass(frozen=True, slots=True)
class StudyProtocol:
    """What is scanned of each patient at each visit, and how it is measured.

    Attributes
    ----------
    recipe : Recipe
    spread : float or None
        Largest (max - min) / mean of repeats before a person is asked to look again.
    order : tuple of Step
        In which order pictures are taken; proposals rest on it.
    """

    name: str
    label: str = ""
    source: str = ""
    entries: tuple[Entry, ...] = ()
    order: tuple[Step, ...] = ()
    recipe: Recipe = field(default_factory=Recipe)
    spread: float | None = None

    @property
    def id(self) -> str:
        """Hash of everything that it says."""
        return content_id(asdict(self))

    def missing(self, labels: Iterable[Label]) -> list[Missing]:
        """What the pictures of one visit lack, in the protocol's order.

        Parameters
        ----------
        labels : iterable of Label
            One of each picture; what says nothing counts for nothing.
        """
        pictures = [label for label in labels if label.says_what]
        lacking: list[Missing] = []
        for entry in self.entries:
            for side in entry.sides or ("",):
                found = sum(entry.shown_by(label, side) for label in pictures)
                if found < entry.repeats:
                    lacking.append(Missing(entry, side, found))
        return lacking

    def complete(self, labels: Iterable[Label]) -> bool:
        """Whether a visit has all that is essential."""
        return not any(missing.entry.essential for missing in self.missing(labels))

    def entry_of(self, structure: str, site: str, side: str, state: str) -> Entry | None:
        """The entry that asks for an average's captures; None when none does."""
        place = Label(structure=structure, site=site, state=state, side=side)
        for entry in self.entries:
            if any(entry.shown_by(place, wanted) for wanted in entry.sides or ("",)):
                return entry
        return None

    def remarks(self, entry: Entry | None, n: int, lowest: float, highest: float, mean: float) -> list[str]:
        """Why an average over repeats is to be looked at again, in words.

        Parameters
        ----------
        entry : Entry or None
            What asks for it (`entry_of`).
        n : int
            How many captures went in.
        lowest, highest, mean : float
            Of their values.
        """
        words: list[str] = []
        if entry is not None and n < entry.repeats:
            words.append(f"{n} of {entry.repeats} repeats")
        most = self.spread if entry is None or entry.spread is None else entry.spread
        if most is not None and n > 1 and mean > 0.0 and (highest - lowest) / mean > most:
            spread = (highest - lowest) / mean
            words.append(f"repeats spread over {spread:.0%} of their mean, more than {most:.0%}")
        return words
