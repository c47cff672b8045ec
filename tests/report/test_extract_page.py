import re
from html.parser import HTMLParser

import numpy as np
import pytest

from usimg.report.content import (
    Contents,
    Definition,
    Failure,
    Measurement,
    RunInfo,
    Tile,
    cautions,
    chosen,
    grouped,
    headline,
)
from usimg.report.drawing import PAGE_SIDE_PX, Shape, crop
from usimg.report.extract_page import write_extract_page

SQUARE = np.array([[10.0, 10.0], [10.0, 50.0], [40.0, 50.0], [40.0, 10.0]])


def measurement(confidence=0.9, **changes):
    told = {
        "structure": "rectus_femoris",
        "label": "rectus femoris",
        "kind": "muscle",
        "thickness_mm": 21.349,
        "thickness_rule": "mean_vertical",
        "echo_intensity": 63.0,
        "confidence": confidence,
        "validated": True,
        "shape": Shape(polygons=(SQUARE,)),
    }
    return Measurement(**told | changes)


def tile(scan="a" * 12, *measurements, **changes):
    return Tile(scan=scan, measurements=measurements or (measurement(),), **changes)


def picture(tile):
    grey = np.random.default_rng(0).integers(0, 120, (80, 100)).astype(np.uint8)
    return tile, crop(grey, np.ones_like(grey, bool), spacing=(0.2, 0.2), longest_side=PAGE_SIDE_PX)


def page(tmp_path, contents, picture_of=picture, limit=200):
    return write_extract_page(contents, picture_of, tmp_path / "report.html", limit=limit).read_text("utf-8")


class Seen(HTMLParser):
    """Tags, attributes and visible text of a page."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text, self._open, self.unclosed = [], [], [], []
        self.feed(html)
        self.unclosed = self._open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "img", "br", "input", "link"}:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open and self._open[-1] != "style":
            self.text.append(data)


def words(html):
    return re.sub(r"\s+", " ", "".join(Seen(html).text).replace("\xa0", " "))


def test_numbers_stand_with_their_units_rules_and_reasons(tmp_path):
    noisy = measurement(0.41, csa_mm2=412.3, trace_rule="inner_edges", flags=("touches_edge",))
    silent = measurement(
        None, label="median nerve", structure="median_nerve", thickness_mm=None, echo_intensity=None,
        shape=None, state="empty", reason="no closed contour about the prompt",
    )  # fmt: skip
    seen = words(page(tmp_path, Contents(tiles=(tile("b" * 12, noisy, silent),))))
    for said in ("21.3 mm", "mean vertical", "412 mm²", "inner edges", "touches edge", "0.41"):
        assert said in seen
    assert "no closed contour about the prompt" in seen


def test_pixels_are_called_pixels(tmp_path):
    unscaled = measurement(thickness_mm=None, thickness_px=312.0, reason="no scale: the file states none")
    html = page(tmp_path, Contents(tiles=(tile("b" * 12, unscaled),)))
    assert "312 px" in words(html)
    assert "no scale: the file states none" in words(html)
    assert not re.search(r"\d mm", words(html).split("Outlines")[1].split("10 mm")[0])


def test_a_reason_that_holds_for_all_structures_of_a_picture_is_said_once(tmp_path):
    both = [measurement(reason="no scale"), measurement(reason="no scale", flags=("too_shallow",))]
    seen = words(page(tmp_path, Contents(tiles=(tile("b" * 12, *both),))))
    assert seen.count("no scale") == 1
    assert seen.count("too shallow") == 1


def test_the_page_is_one_file_that_runs_nothing_and_asks_nobody(tmp_path):
    html = page(tmp_path, Contents(tiles=(tile(),)))
    tags = Seen(html).tags
    assert not Seen(html).unclosed
    assert not {tag for tag, _ in tags} & {"script", "link", "iframe", "object", "embed", "form"}
    for _, attrs in tags:
        for name in ("src", "href"):
            assert attrs.get(name, "#").startswith(("data:image/", "#"))
        assert not any(name.startswith("on") for name in attrs)
    assert not re.search(r"url\(|@import|https?://", html)
    assert "default-src 'none'" in html


def test_hostile_text_is_text(tmp_path):
    attack = "<script>alert(1)</script>\"'><img src=x onerror=1>"
    contents = Contents(
        tiles=(
            tile(
                "c" * 12,
                measurement(label=attack, structure=attack, site=attack, flags=(attack,), reason=attack),
                place=attack,
                device=attack,
            ),
        ),
        failures=(Failure(scan="d" * 12, reason=attack),),
        definitions=(Definition(label=attack, source=attack),),
        runs=(RunInfo(name=attack, facts=((attack, attack),)),),
        problems=(attack,),
    )
    html = page(tmp_path, contents)
    assert "<script" not in html
    assert [a for t, a in Seen(html).tags if t == "img" and not a["src"].startswith("data:image/")] == []


def test_worst_confidence_comes_first_and_what_people_decided_last(tmp_path):
    tiles = (
        tile("a" * 12, measurement(0.9)),
        tile("b" * 12, measurement(0.2), measurement(0.95)),
        tile("c" * 12, measurement(1.0, state="accepted")),
        tile("d" * 12, measurement(None, thickness_mm=None, echo_intensity=None, state="empty")),
        tile("e" * 12, measurement(0.6)),
    )
    html = page(tmp_path, Contents(tiles=tiles))
    shown = re.findall(r"<header><code>(\w)", html)
    assert "".join(shown) == "dbeac"


def test_a_large_archive_shows_the_worst_and_the_same_random_sample_and_says_so(tmp_path):
    tiles = [tile(f"{i:012x}", measurement(i / 1000)) for i in range(1000)]
    worst, sample = chosen(tiles, 40)
    again = chosen(reversed(tiles), 40)
    assert [t.scan for t in worst] == [f"{i:012x}" for i in range(40)]
    assert len(sample) == 10
    assert [t.scan for t in sample] == [t.scan for t in again[1]]
    assert not {t.scan for t in worst} & {t.scan for t in sample}
    seen = words(page(tmp_path, Contents(tiles=tuple(tiles)), limit=40))
    assert "Of 1,000 pictures, the 40 with the lowest confidence are shown, then 10 drawn at random" in seen


def test_only_shown_pictures_are_opened(tmp_path):
    opened = []
    tiles = tuple(tile(f"{i:012x}", measurement(i / 100)) for i in range(100))
    page(tmp_path, Contents(tiles=tiles), lambda t: (t, opened.append(t.scan) or "not needed"), limit=8)
    assert len(opened) == 8 + 2


def test_a_picture_that_cannot_be_shown_says_why_and_keeps_its_numbers(tmp_path):
    seen = words(page(tmp_path, Contents(tiles=(tile(),)), lambda t: (t, "The file is not where it was.")))
    assert "The file is not where it was." in seen
    assert "21.3 mm" in seen


def test_every_structure_can_be_filtered_without_a_script(tmp_path):
    other = measurement(structure="median_nerve", label="median nerve", kind="nerve")
    html = page(tmp_path, Contents(tiles=(tile("a" * 12), tile("b" * 12, measurement(), other))))
    radios = [a["id"] for t, a in Seen(html).tags if t == "input" and a["type"] == "radio"]
    tiles = [set(a["class"].split()) for t, a in Seen(html).tags if t == "article"]
    assert len(radios) == 3
    for radio in radios[1:]:
        name = radio.removeprefix("f-")
        assert f"body:has(#{radio}:checked) .tile:not(.{name})" in html
        assert any(name in classes for classes in tiles)


def test_two_hundred_pictures_of_the_hardest_kind_stay_under_fifteen_megabytes(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (640, 640), dtype=np.uint8)
    hard = crop(noise, np.ones_like(noise, bool))
    one, two = (
        len(page(tmp_path, Contents(tiles=tuple(tile(f"{i:012x}") for i in range(n))), lambda t: (t, hard)))
        for n in (1, 2)
    )
    assert one + 199 * (two - one) < 15e6


def test_failures_are_grouped_by_reason_with_what_to_do():
    failures = [
        Failure(scan=f"{i:012x}", reason=f"the stream ends after {i} bytes; export it again")
        for i in range(5)
    ]
    failures.append(Failure(scan="f" * 12, reason="no contour", what="median nerve"))
    many, one = grouped(failures)
    assert len(many.scans) == 5
    assert "usimg extract" in many.advice
    assert "median nerve" in one.advice
    assert "usimg review" in one.advice


@pytest.mark.parametrize(
    ("contents", "says"),
    [
        (Contents(tiles=()), "No scan was found"),
        (Contents(tiles=(), failed=frozenset("ab")), "2 scans: 0 measured, 2 failed."),
        (Contents(tiles=(tile(),)), "1 scan: 1 measured. Of 1 outline, a person has decided on none."),
        (
            Contents(tiles=(tile("a", measurement(0.3)), tile("b", measurement(1.0, state="accepted")))),
            "2 scans: 2 measured. Of 2 outlines, a person has decided on 1, and 1 has low confidence.",
        ),
    ],
)
def test_the_answer_is_a_sentence(contents, says):
    assert says in headline(contents)


def test_the_reader_is_told_of_phantoms_unvalidated_outlines_and_missing_scales():
    said = " ".join(
        cautions(
            Contents(
                tiles=(tile("a", measurement(validated=False)), tile("b", measurement(thickness_mm=None))),
                synthetic=1,
                definitions=(Definition(label="tongue"),),
                problems=("automatic/x.parquet is damaged",),
            )
        )
    )
    for part in ("phantoms", "1 automatic outline of 2 is not validated", "no length", "tongue", "damaged"):
        assert part in said


def test_what_a_person_accepted_needs_no_validation_warning():
    assert cautions(Contents(tiles=(tile("a", measurement(validated=False, state="accepted")),))) == []


def test_the_same_contents_give_the_same_page(tmp_path):
    contents = Contents(tiles=tuple(tile(f"{i:012x}") for i in range(5)))
    assert page(tmp_path, contents) == page(tmp_path, contents)


def test_a_study_without_a_scan_still_gives_a_page(tmp_path):
    assert "No scan was found" in words(page(tmp_path, Contents(tiles=())))
