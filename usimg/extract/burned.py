"""Words that a sonographer typed into the picture, read by Tesseract: proposals, never labels.

Only the words that name a structure, a view or a side are kept as evidence: what else is written there
may be the patient's name.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from usimg.errors import DependencyMissing, FileRefused, PixelsRefused
from usimg.opening import read
from usimg.scan import Frame
from usimg.study.recognition import NO_WORDS, SIDE_WORDS, Proposal, Words, as_fields, names_with_words, split
from usimg.vision import cv2

if TYPE_CHECKING:
    from usimg.extract.index import Picture
    from usimg.extract.labels import Labelling
    from usimg.extract.surveying import Survey

# Letters of 7 to 20 px are read well at three times their size (tried here on the simulator's and on the
# real files of the tests); wider pictures have larger letters already.
_ENLARGED, _WIDE_PX = 3.0, 1600
# Tesseract's confidence, 0 to 100, from which a word is taken: chosen here, see the tests.
_LEAST_CONFIDENT = 60.0
_SHORTEST = 5
# Text is brighter than this; tissue may be as bright, but has no letters in it.
_BRIGHT = 110
# What is seen of a stroke lies within this of all of it.
_AROUND_PX = 2
# Sides as people type them into a picture, beside whole words; letters alone may be anything.
_TYPED_SIDES = {"lt": "left", "rt": "right", "lft": "left", "rgt": "right", "li": "left", "re": "right"}


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line of text in a picture.

    Attributes
    ----------
    words : tuple of (str, float)
        Each with Tesseract's confidence, 0 to 1.
    """

    words: tuple[tuple[str, float], ...]

    @property
    def text(self) -> str:
        """The words with spaces between."""
        return " ".join(word for word, _ in self.words)


def text_lines(gray: NDArray[np.uint8]) -> list[TextLine]:
    """Bright text on a dark picture, line by line.

    Parameters
    ----------
    gray : (rows, cols) uint8 array

    Raises
    ------
    DependencyMissing
        pytesseract or Tesseract itself is not installed.
    """
    try:
        import pytesseract  # type: ignore[import-untyped]  # noqa: PLC0415  the extra "ocr"
    except ImportError:
        raise DependencyMissing("reading text needs the extra ocr: pip install 'usimg[ocr]'") from None
    factor = _ENLARGED if gray.shape[1] < _WIDE_PX else 1.0
    large = cv2.resize(gray, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    # Dark on white, as Tesseract was trained on; a grey rim keeps the letters' shape.
    inverted = 255 - np.clip((large.astype(np.int16) - _BRIGHT // 2) * 2, 0, 255).astype(np.uint8)
    before = os.environ.get("OMP_THREAD_LIMIT")
    os.environ["OMP_THREAD_LIMIT"] = "1"  # Tesseract's threads wait for each other longer than they work
    try:
        found: dict[str, list[Any]] = pytesseract.image_to_data(
            inverted, config="--psm 11", output_type=pytesseract.Output.DICT
        )
    except pytesseract.TesseractNotFoundError:
        raise DependencyMissing(
            "reading text needs Tesseract: apt install tesseract-ocr (Debian), or see tesseract-ocr.github.io"
        ) from None
    finally:
        os.environ.pop("OMP_THREAD_LIMIT")
        if before is not None:
            os.environ["OMP_THREAD_LIMIT"] = before
    lines: dict[tuple[int, int, int], list[tuple[str, float]]] = defaultdict(list)
    places = zip(found["block_num"], found["par_num"], found["line_num"], strict=True)
    for place, text, confidence in zip(places, found["text"], found["conf"], strict=True):
        if text.strip():
            lines[place].append((text.strip(), float(confidence) / 100))
    return [TextLine(tuple(words)) for words in lines.values()]


def by_text(frame: Frame, words: Words = NO_WORDS) -> Proposal | None:
    """What text burned into a frame names; None when it names nothing, or several things.

    Raises
    ------
    DependencyMissing
        As `text_lines`.
    """
    return proposal_of(text_lines(written(frame)), words)


def written(frame: Frame) -> NDArray[np.uint8]:
    """A frame's picture without tissue: what lies outside the scan area, and what is drawn over it.

    Returns
    -------
    (rows, cols) uint8 array
        Speckle has letters in it for whoever looks long enough, and reading it takes minutes.
    """
    reach = np.ones((2 * _AROUND_PX + 1,) * 2, np.uint8)
    drawn = cv2.dilate(frame.overlays.astype(np.uint8), reach) > 0
    gray: NDArray[np.uint8] = np.where(drawn | ~frame.scan_area, frame.gray, 0).astype(np.uint8)
    return gray


def with_text(
    pictures: list[Picture], surveyed: Survey, labelling: Labelling, on_text: Callable[[int], None] | None
) -> list[Picture]:
    """Pictures that no label names with what their text names.

    Text stands before a file's name; where both name something and not the same, neither is proposed.

    Parameters
    ----------
    on_text : callable or None
        Told the number of pictures read so far.

    Raises
    ------
    DependencyMissing
        As `text_lines`.
    """
    paths = {file.relative: file.path for file in surveyed.readable}
    found: list[Picture] = []
    done = 0
    for picture in pictures:
        if not picture.label.says_what:
            try:
                frames = read(paths[picture.file]).frames
                frame = picture.label.frame
                said = by_text(frames[len(frames) // 2 if frame is None else frame], labelling.words)
            except (FileRefused, PixelsRefused, IndexError):
                said = None  # extract says what is wrong with it
            if said is not None:
                named = picture.proposal
                agrees = named is None or named.what == said.what
                picture = replace(picture, proposal=said if agrees else None)  # noqa: PLW2901
            done += 1
            if on_text is not None:
                on_text(done)
        found.append(picture)
    return found


def proposal_of(lines: list[TextLine], words: Words = NO_WORDS) -> Proposal | None:
    """What lines of text name, with the words it rests on and how surely they were read."""
    sides = SIDE_WORDS | _TYPED_SIDES | dict(words.sides)
    named: dict[str, list[str]] = {}
    said: set[str] = set()
    sure: dict[str, float] = {}
    for line in lines:
        seen = [(word, confidence) for word, confidence in line.words if 100 * confidence >= _LEAST_CONFIDENT]
        sure |= {part: confidence for word, confidence in seen for part in split(word)}
        # Screens are full of abbreviations: only a laboratory's own ones name a structure.
        named |= {
            name: used
            for name, used in names_with_words(" ".join(word for word, _ in seen), words).items()
            if len("".join(used)) >= _SHORTEST or words.is_own(" ".join(used))
        }
        said |= {part for word, _ in seen for part in split(word) if part in sides}
    if len(named) != 1:
        return None
    ((name, used),) = named.items()
    side = {sides[word] for word in said}
    rests_on = [*used, *(sorted(said) if len(side) == 1 else ())]
    confidence = min((sure[word] for word in rests_on if word in sure), default=0.0)
    return Proposal(
        **as_fields(name),
        side=side.pop() if len(side) == 1 else "",
        by="text",
        evidence=f"text {' '.join(rests_on)!r}, read with confidence {confidence:.2f}",
        confidence=confidence,
    )
