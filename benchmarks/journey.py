"""The journey of one visit, from a folder to a signature, played by a script: keys, clicks, seconds.

    xvfb-run -a -s '-screen 0 1280x800x24' python -m benchmarks.journey [MUSCLES NERVES] [--to FILE]

12 muscles and 4 nerves, both sides, three captures of a muscle and two of a nerve are 88 frames (the
default). The person's time is that of the keystroke-level model (Card, Moran and Newell 1983): 0.28 s a key,
1.1 s to point, 1.35 s to look at a tile and decide. The program's time is measured.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtWidgets import QApplication

from benchmarks.visit import protocol, write
from usimg.study import Study
from usimg_napari.app import open_study
from usimg_napari.places import beside

KEY, POINT, LOOK = 0.28, 1.1, 1.35


class Player:
    """Presses keys, counts them, and times what the program takes for each."""

    def __init__(self, bench: Any) -> None:
        self.bench = bench
        self.counts: Counter[str] = Counter()
        self.program = 0.0
        self.waited = 0.0

    def timed(self, act: Callable[[], object]) -> None:
        """Do something and let it be drawn."""
        began = time.perf_counter()
        act()
        QApplication.processEvents()
        self.program += time.perf_counter() - began

    def press(self, verb: str) -> None:
        """One key of the grid or the labels."""
        self.counts["keys"] += 1
        self.timed(lambda: self.bench.do(verb))

    def press_on_picture(self, verb: str) -> None:
        """One key of the picture."""
        self.counts["keys"] += 1
        self.timed(self.bench.panel.verbs[verb])

    def look(self) -> None:
        """A tile is looked at."""
        self.counts["looks"] += 1

    def wait(self, done: Callable[[], bool]) -> None:
        """Until the background is ready."""
        began = time.perf_counter()
        while not done():
            QApplication.processEvents()
            time.sleep(0.05)
        self.waited += time.perf_counter() - began

    @property
    def person(self) -> float:
        """Seconds of the person by the model."""
        keys, clicks, looks = (self.counts[name] for name in ("keys", "clicks", "looks"))
        return KEY * keys + (POINT + KEY) * clicks + LOOK * looks


def play(player: Player, truth: dict[str, Any]) -> None:
    """Label, look, mend, accept, sign."""
    bench = player.bench
    player.press("lay")
    for _ in bench.sheet.tiles:
        player.look()
    player.press("confirm")
    player.wait(lambda: not bench.backlog.waiting and not bench.worker.busy("outlines"))
    player.press("labels")
    grid, review = bench.grid, bench.review
    for _ in range(20 * len(review.pages)):
        open_ = [i for i in grid.pages_of(grid.visit) if review.status_of(i) not in ("accepted", "rejected")]
        if not open_:
            break
        row = grid.rows()[grid.place[0]]
        if review.at not in open_:
            review.go(open_[0])
            continue
        if all(one.drawn for one in review.briefs_on(review.at)):
            for index in row.pages:
                if index in open_:
                    player.look()
            player.press("accept_row")
        else:
            outline_nerve(player, truth[review.page.scan])
    player.press("sign")


def outline_nerve(player: Player, center: Any) -> None:
    """Open the tile, click inside the nerve, accept, and back to the grid; what fails is rejected."""
    bench = player.bench
    player.press("open")
    player.press_on_picture("outline")
    player.counts["clicks"] += 1
    canvas = bench.panel.canvas
    corners = np.array([center, center])
    player.timed(lambda: canvas._prompted(corners))  # noqa: SLF001  a click, without a mouse
    player.look()
    if all(one.drawn for one in bench.review.briefs_on(bench.review.at)):
        player.press_on_picture("accept")
    else:
        player.counts["keys"] += 2
        player.timed(lambda: bench.review.reject_pages([bench.review.at], "border not visible"))
    player.press_on_picture("grid")


def main() -> None:
    """Play and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("muscles", nargs="?", type=int, default=12)
    parser.add_argument("nerves", nargs="?", type=int, default=4)
    parser.add_argument("--to", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        scans = Path(place) / "scans"
        made = write(scans, asked.muscles, asked.nerves)
        study = Study.create(beside(scans), source=scans)
        (study.root / "protocol.toml").write_text(protocol(asked.muscles, asked.nerves), encoding="utf-8")
        began = time.perf_counter()
        viewer = open_study(scans, "A. Reader")
        opening = time.perf_counter() - began
        bench: Any = viewer.window.dock_widgets["usimg visit"].bench  # type: ignore[attr-defined]
        bench.visit.protocol.setCurrentText("protocol.toml")
        truth = {
            tile.scan: phantom.sections[0].inside_rim.mean(axis=0) if phantom.sections else None
            for tile, (_, phantom) in zip(bench.sheet.tiles, made, strict=True)
        }
        player = Player(bench)
        play(player, truth)
        frames, counts = len(made), bench.review.counts()
        signed = bool(bench.listed.worklist.signed)
        bench.end()
        viewer.close()
    keys, clicks = player.counts["keys"], player.counts["clicks"]
    total = player.person + player.program
    text = f"""\
# The journey of one visit of {frames} frames

`python -m benchmarks.journey {asked.muscles} {asked.nerves}`, 2 busy cores

| what | |
|---|---|
| keys, clicks, looks | {keys}, {clicks}, {player.counts["looks"]} |
| keys and clicks a frame | {(keys + clicks) / frames:.2f} |
| person by the keystroke-level model | {player.person:.0f} s |
| program, between the keys | {player.program:.0f} s |
| **together, a frame** | **{total / frames:.1f} s** (aim: 10 s) |
| opening the window | {opening:.0f} s |
| waited for outlines of the last pictures, with nothing else to do meanwhile | {player.waited:.0f} s |
| accepted, rejected, signed | {counts["accepted"]}, {counts["rejected"]}, {"yes" if signed else "no"} |

Nobody drags a vertex in it: a picture whose outline has to be mended takes as long as the hand does.
"""
    print(text)
    if asked.to:
        asked.to.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
