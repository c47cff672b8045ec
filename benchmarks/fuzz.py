"""Hostile files: seeded mutants of real and simulated scans; each must end in a picture or a refusal.

Run from the checkout::

    python benchmarks/fuzz.py --count 10000       # all of it; `make fuzz`
    python benchmarks/fuzz.py --only 4711         # one mutant again, kept in fuzz/

Every mutant is opened, its first and last frame decoded and described. It passes when that gives a picture
or a `UsimgError` that names the file, within 10 s of work, the process growing by no more than 1 GB (or three
times the file). A child does the work; when a mutant kills it, that mutant is the finding and the next
go on. Bases are ``sample_dicoms/``, stills made of them, and, beside the checkout, the DICOM files of
``../shared/data``.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import select
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

import usimg

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
MOST_SECONDS, MOST_BYTES = 10.0, 2**30
LARGEST_BASE = 2_000_000
Mutation = Callable[[bytes, np.random.Generator], bytes]
NUMBERS = (0, 1, 2, 3, 7, 8, 12, 16, 32, 255, 256, 640, 4096, 8191, 32767, 32768, 65535)


def truncate(raw: bytes, rng: np.random.Generator) -> bytes:
    """Cut anywhere, or just before the end."""
    return raw[: int(rng.integers(1, len(raw)))] if rng.random() < 0.7 else raw[: -int(rng.integers(1, 64))]


def flip(raw: bytes, rng: np.random.Generator) -> bytes:
    """Change bytes, in the header more often than not."""
    changed = bytearray(raw)
    reach = min(len(raw), 3000) if rng.random() < 0.6 else len(raw)
    for at in rng.integers(0, reach, int(rng.integers(1, 24))):
        changed[at] = int(rng.integers(0, 256))
    return bytes(changed)


def splice(raw: bytes, rng: np.random.Generator) -> bytes:
    """Remove, double, blank or insert a block."""
    at = int(rng.integers(0, len(raw)))
    block = raw[at : at + int(rng.integers(1, 5000))]
    what = int(rng.integers(0, 4))
    middle = (b"", block + block, bytes(len(block)), rng.bytes(len(block)) + block)[what]
    return raw[:at] + middle + raw[at + len(block) :]


def lie(raw: bytes, rng: np.random.Generator) -> bytes:
    """Sizes, frames, bits, photometric, palette and regions that are not so."""
    try:
        ds = pydicom.dcmread(io.BytesIO(raw))
    except Exception:  # noqa: BLE001  not DICOM: other lies fit it better
        return flip(raw, rng)
    try:
        for _ in range(int(rng.integers(1, 4))):
            _tell_a_lie(ds, rng)
        out = io.BytesIO()
        ds.save_as(out)
    except Exception:  # noqa: BLE001  pydicom will not write every lie, nor read every mutant
        return flip(raw, rng)
    return out.getvalue()


def _tell_a_lie(ds: Dataset, rng: np.random.Generator) -> None:
    key = str(rng.choice(("Rows", "Columns", "BitsAllocated", "BitsStored", "SamplesPerPixel")))
    pick = int(rng.integers(0, 6))
    if pick < 2:
        setattr(ds, key, int(rng.choice(NUMBERS)))
    elif pick == 2:
        ds.NumberOfFrames = int(rng.choice((0, -1, 2, 1000, 99_999, 2**31 - 1)))
    elif pick == 3:
        ds.PhotometricInterpretation = str(
            rng.choice(("MONOCHROME1", "RGB", "YBR_FULL_422", "YBR_PARTIAL_420", "PALETTE COLOR", "", "XYZ"))
        )
    elif pick == 4 and "RedPaletteColorLookupTableDescriptor" in ds:
        ds.RedPaletteColorLookupTableDescriptor = [int(rng.choice(NUMBERS)) for _ in range(2)] + [16]
    else:
        _lie_about_regions(ds, rng)


def _lie_about_regions(ds: Dataset, rng: np.random.Generator) -> None:
    item = ds.SequenceOfUltrasoundRegions[0] if ds.get("SequenceOfUltrasoundRegions") else Dataset()
    corner = str(rng.choice(("MinX0", "MinY0", "MaxX1", "MaxY1")))
    setattr(item, f"RegionLocation{corner}", int(rng.choice((0, 1, 5000, 2**31, 2**32 - 1))))
    axis = str(rng.choice(("X", "Y")))
    setattr(item, f"PhysicalDelta{axis}", float(rng.choice((0.0, -1.0, 1e-300, 1e300, np.inf, np.nan, 1e-5))))
    ds.SequenceOfUltrasoundRegions = Sequence([item] * int(rng.choice((1, 2, 500))))


def offsets(raw: bytes, rng: np.random.Generator) -> bytes:
    """Items of the pixel data with lengths that are not so."""
    changed, at = bytearray(raw), raw.find(b"\xe0\x7f\x10\x00")
    while (at := raw.find(b"\xfe\xff\x00\xe0", at + 1)) >= 0 and at + 8 <= len(raw):
        if rng.random() < 0.5:
            changed[at + 4 : at + 8] = struct.pack(
                "<L", int(rng.choice((0, 1, 2, 4, 10_000, 2**31, 2**32 - 2)))
            )
    return bytes(changed)


def nest(raw: bytes, rng: np.random.Generator) -> bytes:
    """Thousands of sequences in each other, before the pixels."""
    at = raw.rfind(b"\xe0\x7f\x10\x00")
    at = len(raw) if at < 0 else at
    depth = int(rng.choice((10, 500, 5000, 50_000)))
    opened = b"\x11\x00\x10\x00SQ\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * depth
    closed = b"\xfe\xff\x0d\xe0\x00\x00\x00\x00\xfe\xff\xdd\xe0\x00\x00\x00\x00" * depth
    return raw[:at] + opened + (closed if rng.random() < 0.5 else b"") + raw[at:]


def bomb(raw: bytes, rng: np.random.Generator) -> bytes:
    """Little that unpacks to much: deflate, PNG, streams that state a huge picture."""
    what = int(rng.integers(0, 3))
    if what == 0:
        meta = (
            raw[: 132 + 12 + struct.unpack("<L", raw[140:144])[0]] if raw[128:132] == b"DICM" else raw[:200]
        )
        pack = zlib.compressobj(9, zlib.DEFLATED, -15)
        zeros = pack.compress(bytes(int(rng.choice((10**6, 3 * 10**8))))) + pack.flush()
        return meta.replace(b"1.2.840.10008.1.2.1\x00", b"1.2.840.10008.1.2.1.99") + zeros
    if what == 1:
        side = int(rng.choice((20_000, 60_000)))
        head = struct.pack(">LLBBBBB", side, side, 8, 0, 0, 0, 0)
        chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(bytes(10**6), 9)), (b"IEND", b"")]
        return b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">L", len(body)) + name + body + struct.pack(">L", zlib.crc32(name + body))
            for name, body in chunks
        )
    changed = bytearray(raw)
    for marker in (b"\xff\xc0", b"\xff\xc3", b"\xff\xf7"):
        at = raw.find(marker)
        if at >= 0:
            changed[at + 5 : at + 9] = struct.pack(">HH", 65_535, 65_535)
    at = raw.find(b"\xff\x4f\xff\x51")
    if at >= 0:
        changed[at + 8 : at + 16] = struct.pack(">LL", 60_000, 60_000)
    return bytes(changed)


MUTATIONS: tuple[tuple[Mutation, float], ...] = (
    (truncate, 0.15),
    (flip, 0.3),
    (splice, 0.15),
    (lie, 0.2),
    (offsets, 0.08),
    (nest, 0.04),
    (bomb, 0.08),
)


def bases() -> list[tuple[str, bytes]]:
    """Name and bytes of every base, small ones only."""
    paths = sorted(p for p in (ROOT / "sample_dicoms").iterdir() if p.name.startswith("IM_"))
    if DATA.is_dir():
        paths += sorted((DATA / "us_dicom").glob("*.dcm")) + sorted((DATA / "nerve_dicom").glob("*.dcm"))
    found = [(p.name, p.read_bytes()) for p in paths if p.stat().st_size <= LARGEST_BASE]
    picture = Image.fromarray(usimg.read(paths[0]).frames[0].gray).resize((320, 240))
    for kind in ("png", "jpeg", "tiff", "bmp", "webp"):
        out = io.BytesIO()
        picture.save(out, kind)
        found.append((f"still.{kind}", out.getvalue()))
    return found


def mutant(number: int, seed: int, of: list[tuple[str, bytes]]) -> tuple[str, bytes]:
    """Name and bytes of one mutant; the same everywhere."""
    rng = np.random.default_rng([seed, number])
    name, raw = of[int(rng.integers(len(of)))]
    steps = 1 if rng.random() < 0.75 else 2
    names = []
    for _ in range(steps):
        which = int(rng.choice(len(MUTATIONS), p=[share for _, share in MUTATIONS]))
        change = MUTATIONS[which][0]
        names.append(change.__name__)
        raw = change(raw, rng) or raw
    stem, _, suffix = name.partition(".")
    return f"{number:06d}_{'_'.join(names)}_{stem}.{suffix or 'dcm'}", raw


def trial(path: Path) -> str:
    """Open one file to the end; what came of it."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    start = time.process_time()  # a busy machine is not the mutant's doing
    try:
        scan = usimg.read(path)
        for index in {0, len(scan.frames) - 1}:
            frame = scan.frames[index]
            assert frame.gray.shape == frame.shape
            assert frame.picture.scan_area.shape == frame.shape
        outcome = "picture"
    except usimg.UsimgError as error:
        outcome = "refused" if path.name in str(error) else f"FINDING: does not name the file: {error}"
    except Exception as error:  # noqa: BLE001  what the run is there to find
        outcome = f"FINDING: {type(error).__name__}: {error}"
    seconds = time.process_time() - start
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    if seconds > MOST_SECONDS:
        outcome = f"FINDING: {seconds:.0f} s ({outcome})"
    if grown > max(MOST_BYTES, 3 * path.stat().st_size):
        outcome = f"FINDING: {grown / 2**20:.0f} MB ({outcome})"
    return outcome


def work(start: int, stop: int, seed: int) -> None:
    """Child: one line for each mutant."""
    of = bases()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(start, stop):
            name, raw = mutant(number, seed, of)
            path = Path(folder) / name
            path.write_bytes(raw)
            print(json.dumps([number, name, trial(path)]), flush=True)
            path.unlink()


def run(start: int, stop: int, seed: int) -> tuple[Counter[str], list[str]]:
    """All mutants through children; counts, and findings."""
    counts: Counter[str] = Counter()
    findings: list[str] = []
    while start < stop:
        command = [sys.executable, __file__, "--child", str(start), str(stop), "--seed", str(seed)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert child.stdout is not None
        patience = 120.0  # the first line waits for the bases
        while True:
            if not select.select([child.stdout], [], [], patience)[0]:
                child.kill()
                break
            line = child.stdout.readline()
            if not line:
                break
            number, name, outcome = json.loads(line)
            counts[outcome.split(":")[0]] += 1
            if outcome.startswith("FINDING"):
                findings.append(f"{name}: {outcome}")
            start, patience = number + 1, 60.0
        if start < stop:
            findings.append(f"mutant {start}: FINDING: its process ended ({child.wait()})")
            counts["FINDING"] += 1
            start += 1
        child.wait()
    return counts, findings


def main() -> int:
    """Run what the command line asks; 1 when there is a finding."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--seed", type=int, default=15)
    parser.add_argument("--only", type=int)
    parser.add_argument("--child", type=int, nargs=2)
    asked = parser.parse_args()
    if asked.child:
        work(*asked.child, asked.seed)
        return 0
    if asked.only is not None:
        name, raw = mutant(asked.only, asked.seed, bases())
        path = Path("fuzz") / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(raw)
        print(path, trial(path))
        return 0
    began = time.monotonic()
    counts, findings = run(asked.start, asked.start + asked.count, asked.seed)
    for finding in findings:
        print(finding)
    said = ", ".join(f"{n} {what}" for what, n in sorted(counts.items()))
    print(f"{asked.count} mutants, seed {asked.seed}: {said}; {time.monotonic() - began:.0f} s")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
