"""Muscle layers against expert aponeurosis bands, without a prompt, by segmenter and device.

python benchmarks/muscles.py ../shared/data/dltrack_apo [--split val] [--segmenter classical ...]

Thickness between the inner edges of the first two bands, over the columns that both have; an outline that
overlaps the experts' compartment by less than half counts as 100 % wrong, and so does none. Accepted:
confidence of at least 0.5. Shares stand with Clopper-Pearson intervals. The figures for muscle in
`usimg/outline/scope.toml` come from here; `muscles.md` is what it printed last.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from PIL import Image

import usimg
from usimg.train.dataset import band_edges
from usimg.train.figures import figures, relative_error, table


def error_of(roi: usimg.Roi | None, bands: np.ndarray) -> float:
    """Signed relative error of the thickness; 1 where the outline lies elsewhere or is none."""
    if roi is None or roi.upper is None or roi.lower is None:
        return 1.0
    cols = np.arange(bands.shape[1])
    first, last = roi.upper[0, 1], roi.upper[-1, 1]
    shared = np.isfinite(bands).all(axis=0) & (cols >= first) & (cols <= last)
    if shared.sum() < 0.3 * np.isfinite(bands).all(axis=0).sum():
        return 1.0
    upper, lower = (np.interp(cols[shared], edge[:, 1], edge[:, 0]) for edge in (roi.upper, roi.lower))
    return relative_error(upper, lower, bands[1, shared], bands[2, shared])[0]


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("data", type=Path)
    ask.add_argument("--split", default="val")
    ask.add_argument("--segmenter", nargs="+", default=["classical", "network"])
    args = ask.parse_args()
    manifest = csv.DictReader((args.data / "manifest.csv").read_text("utf-8").splitlines())
    rows = [row for row in manifest if row["usable"] == "yes" and row["split"] == args.split]
    for name in args.segmenter:
        sets: dict[str, list[tuple[float, str, float]]] = defaultdict(list)
        seconds = []
        for row in rows:
            bands = band_edges(np.asarray(Image.open(args.data / row["mask"]).convert("L")) > 0)
            if bands is None:
                continue
            frame = usimg.read(args.data / row["file"]).frames[0]
            began = time.process_time()
            rois = usimg.segment(frame, "muscle", plane="longitudinal", segmenter=name)
            seconds.append(time.process_time() - began)
            first = rois[0] if rois else None
            one = error_of(first, bands), row["group"], first.confidence if first else 0.0
            for group in ("all", row["device_group"]):
                sets[group].append(one)
        print(f"{name}, {args.split}: {1000 * np.median(seconds):.0f} ms of one core a picture (median)\n")
        print(table([figures(group, *zip(*sets[group], strict=True)) for group in sorted(sets)]), "\n")


if __name__ == "__main__":
    main()
