"""Reading, describing and measuring scans: how fast beside bare libraries; and what usimg says of each kind.

Run from the checkout, for the real clip with the package deid-data installed::

    python benchmarks/scans.py

Seconds are processor time, so that a busy machine does not show; prints the tables and writes
``benchmarks/scans.md``. Exit code 1 when a kind or a scale is wrong.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pydicom
from skimage.measure import regionprops_table

import usimg
from usimg.measurement.raster import runs
from usimg.simulate import kinds
from usimg.simulate.dicom import ENCODINGS, Tags, write_dicom

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = sorted(p for p in (ROOT / "sample_dicoms").iterdir() if p.name.startswith("IM_"))
COLOUR_ENCODINGS = ("ybr_rle", "ybr_jpeg", "ybr_422_native")
GREY_ENCODINGS = ("grey_native", "grey_jpegls", "grey_jpeg2000", "grey_jpeg_lossless", "grey_deflated")
SAID = {"longitudinal": "b_mode", "nerve": "b_mode", "sepia": "b_mode", "power_doppler": "colour_doppler"}
IN_COLOUR = ("sepia", "colour_doppler", "power_doppler", "elastography")


def main() -> int:
    """Write the tables; 1 when a line is wrong."""
    rows = [*headers(), *described(), *clip(), *polygons(), *end_to_end()]
    table, right = kinds_table()
    lines = [
        "# Scans",
        "",
        f"`python benchmarks/scans.py`, usimg {usimg.__version__}; processor time of one core.",
        "",
        "## Speed",
        "",
        line(("what", "usimg", "beside", "ratio", "aim")),
        line(("---",) * 5),
        *map(line, rows),
        "",
        "Published: 1.4 s a scan (MyoVision-US) and 4.0 s (DeepACSA), on other machines and pictures.",
        "",
        "## Kinds, encodings and scales (simulated)",
        "",
        "Each screen of `usimg.simulate.kinds`, with the region table and Image Type that a maker writes,",
        "and without either, as a screen shot. Real files: `real_files.md`.",
        "",
        line(("screen", "encoding", "tags", "usimg says", "measured by itself", "scale (mm/px)", "right")),
        line(("---",) * 7),
        *map(line, table),
        "",
    ]
    text = "\n".join(lines)
    print(text)
    Path(__file__).with_suffix(".md").write_text(text, encoding="utf-8")
    return 0 if right else 1


def line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def seconds(call: Callable[[], object], times: int = 3) -> float:
    """The best of a few runs, after one that warms up."""
    call()
    took = []
    for _ in range(times):
        start = time.process_time()
        call()
        took.append(time.process_time() - start)
    return min(took)


def headers() -> list[tuple[str, ...]]:
    ours = seconds(lambda: [usimg.read(p) for p in SAMPLES])
    bare = seconds(lambda: [pydicom.dcmread(p, stop_before_pixels=True) for p in SAMPLES])
    n = len(SAMPLES)
    return [
        (
            f"headers of {n} files",
            f"{n / ours:.0f} a second",
            f"pydicom.dcmread(stop_before_pixels) {n / bare:.0f}",
            f"{ours / bare:.2f}",
            "under 1.3",
        )
    ]


def described() -> list[tuple[str, ...]]:
    corners = np.array([[100.0, 200.0], [100.0, 300.0], [200.0, 300.0], [200.0, 200.0]])

    def decode() -> None:
        for path in SAMPLES:
            _ = usimg.read(path).frames[0].gray

    def measured() -> None:
        for path in SAMPLES:
            frame = usimg.read(path).frames[0]
            _ = frame.picture
            try:
                usimg.measure(frame, [usimg.Roi(polygon=corners, structure="median_nerve")])
            except usimg.UsimgError:  # two panes of two scales: this outline lies across them
                continue

    bare, ours = seconds(decode, 1), seconds(measured, 1)
    n = len(SAMPLES)
    return [
        (
            "kind, scan area, overlays and one outline measured, a scan",
            f"{1000 * ours / n:.0f} ms",
            f"decoding alone {1000 * bare / n:.0f} ms",
            f"{ours / bare:.2f}",
            "under 3",
        )
    ]


def clip() -> list[tuple[str, ...]]:
    spec = importlib.util.find_spec("deid_data")
    if spec is None or spec.origin is None:
        return []
    archive = Path(spec.origin).parent / "data" / "ultrasounds" / "RGB_CINE.zip"
    code = (
        "import resource, sys, time, usimg; import usimg.readers.dicom_pixels; "
        "start = time.process_time(); "
        "scan = usimg.read(sys.argv[1]); kept = [scan.frames[i].gray for i in {}]; "
        "took = time.process_time() - start; "
        "print(took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(archive) as packed:
        path = packed.extract("RGB_CINE.dcm", folder)
        one, every = (
            subprocess.run(
                [sys.executable, "-c", code.replace("{}", which), path],
                capture_output=True,
                text=True,
                check=True,
            ).stdout.split()
            for which in ("[25]", "range(51)")
        )
    return [
        (
            "frame 26 of the 104 MB clip",
            f"{float(one[0]):.3f} s, {float(one[1]):.0f} MB in all",
            f"all 51 {float(every[0]):.2f} s, {float(every[1]):.0f} MB in all",
            f"{float(one[0]) / float(every[0]):.3f}",
            "",
        )
    ]


def polygons() -> list[tuple[str, ...]]:
    """Mean and SD of grey in outlines on one frame: all at once, and mask by mask with scikit-image."""
    rng = np.random.default_rng(0)
    gray = usimg.read(SAMPLES[0]).frames[0].gray
    angle = np.linspace(0.0, 2.0 * np.pi, 64, endpoint=False)
    flat = gray.ravel().astype(np.float64)
    found = []
    for what, low, high, count, few in (
        ("nerves", 8.0, 20.0, 10_000, 150),
        ("muscles", 60.0, 110.0, 1_000, 60),
    ):
        radii = rng.uniform(low, high, (count, 2))
        centres = rng.uniform(
            (high + 2, high + 2), (gray.shape[0] - high - 2, gray.shape[1] - high - 2), (count, 2)
        )
        outlines = [
            [c + r * np.stack([np.sin(angle), np.cos(angle)], axis=1)]
            for c, r in zip(centres, radii, strict=True)
        ]

        def at_once(outlines: list[list[np.ndarray]] = outlines, count: int = count) -> np.ndarray:
            owner, index = runs(outlines, gray.shape).pixels(gray.shape[1])
            values = flat[index]
            n = np.bincount(owner, minlength=count)
            return np.bincount(owner, values, count) / n

        def one_by_one(outlines: list[list[np.ndarray]] = outlines, few: int = few) -> list[float]:
            means = []
            for (outline,) in outlines[:few]:
                held = runs([[outline]], gray.shape).pixels(gray.shape[1])[1]
                mask = np.zeros(gray.size, np.uint8)
                mask[held] = 1
                table = regionprops_table(
                    mask.reshape(gray.shape), gray, properties=("area", "intensity_mean", "perimeter")
                )
                means.append(float(table["intensity_mean"][0]))
            return means

        ours = seconds(at_once, 2)
        theirs = seconds(one_by_one, 1) * count / few
        off = float(np.abs(at_once()[:few] - one_by_one()).max())
        found.append(
            (
                f"{count:,} outlines the size of {what} on one frame",
                f"{ours:.2f} s",
                f"regionprops_table, mask by mask {theirs:.1f} s (from {few}); means differ by {off:.1g}",
                f"1/{theirs / ours:.0f}",
                "10 times faster",
            )
        )
    return found


def end_to_end() -> list[tuple[str, ...]]:
    from usimg.extract import extract_scan  # noqa: PLC0415  pandas and pyarrow load here
    from usimg.study.manifest import Label  # noqa: PLC0415

    label = Label(view="upper_arm", side="right", subject="S01", visit="1")
    some = SAMPLES[0:32:4]
    took = seconds(lambda: [extract_scan(path, [label]) for path in some], 1)
    return [
        ("a scan from file to rows, layers outlined (classical)", f"{took / len(some):.2f} s", "", "", "")
    ]


def kinds_table() -> tuple[list[tuple[str, ...]], bool]:
    """What usimg says of every simulated screen."""
    table, all_right = [], True
    with tempfile.TemporaryDirectory() as folder:
        for name, make in kinds.KINDS.items():
            screen = make(1)
            for encoding in COLOUR_ENCODINGS if name in IN_COLOUR else (*COLOUR_ENCODINGS, *GREY_ENCODINGS):
                for tagged in (True, False):
                    path = Path(folder) / f"{name}.dcm"
                    kind = screen.image_type if tagged else ("DERIVED", "SECONDARY")
                    tags = Tags("S01", "MSK", "SIM", image_type=kind)
                    stated = screen.regions if tagged else ()
                    write_dicom(path, screen.image[None], ENCODINGS[encoding], tags, stated)
                    cells, right = verdict(name, encoding, path, screen, tagged=tagged)
                    table.append(cells)
                    all_right &= right
    return table, all_right


def verdict(
    name: str, encoding: str, path: Path, screen: kinds.Screen, *, tagged: bool
) -> tuple[tuple[str, ...], bool]:
    frame = usimg.read(path).frames[0]
    expected = SAID.get(name, name)
    found = frame.kind
    stated = [r.spacing for r in screen.regions if r.spatial_format == 1 and r.data_type in (1, 2)]
    scale = frame.calibration
    right = found.name == expected
    if tagged and stated:
        right &= scale is not None and abs(scale.row_mm / stated[0][0] - 1.0) < 1e-6
    elif not tagged:
        right &= scale is None
    said = "none" if scale is None else f"{scale.row_mm:.4f}"
    yes = "yes" if found.automatic else "no"
    return (
        (name, encoding, "yes" if tagged else "no", found.name, yes, said, "yes" if right else "**NO**"),
        right,
    )


if __name__ == "__main__":
    sys.exit(main())
