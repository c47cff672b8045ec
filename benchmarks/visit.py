"""One simulated visit as a folder of DICOM files in the order of a protocol, for the viewer's benchmarks.

python -m benchmarks.visit FOLDER        88 frames: 12 muscles x 2 sides x 3, 4 nerves x 2 sides x 2
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import dcmread

from usimg import simulate
from usimg.simulate.dicom import ENCODINGS, PixelRegion, Tags, write_dicom

SIDES = ("left", "right")
# View of the protocol -> the phantom that stands for it: its own, or one that looks alike.
MUSCLES: dict[str, Callable[..., simulate.Phantom]] = {
    "upper_arm": simulate.upper_arm,
    "posterior_upper_arm": simulate.upper_arm,
    "anterior_forearm": simulate.upper_arm,
    "radial_forearm": simulate.upper_arm,
    "hand_dorsal": simulate.hand_dorsal,
    "hand_thenar": simulate.hand_dorsal,
    "hand_hypothenar": simulate.hand_dorsal,
    "anterior_thigh": simulate.anterior_thigh,
    "lateral_thigh": simulate.anterior_thigh,
    "anterior_lower_leg": simulate.anterior_lower_leg,
    "posterior_lower_leg": simulate.posterior_lower_leg,
    "dorsal_foot": simulate.hand_dorsal,
}
NERVES: dict[str, Callable[..., simulate.Phantom]] = {
    "median_nerve_wrist": simulate.median_nerve_wrist,
    "median_nerve_forearm": simulate.median_nerve_forearm,
    "ulnar_nerve_wrist": simulate.median_nerve_wrist,
    "ulnar_nerve_forearm": simulate.median_nerve_forearm,
}


@dataclass(frozen=True)
class Shot:
    """One capture."""

    view: str
    side: str
    repeat: int
    maker: Callable[..., simulate.Phantom]


def shots(muscles: int = 12, nerves: int = 4) -> Iterator[Shot]:
    """Captures in the protocol's order: of a muscle three, of a nerve two, each side."""
    kinds = ((MUSCLES, muscles, 3), (NERVES, nerves, 2))
    for makers, count, repeats in kinds:
        for view, maker in list(makers.items())[:count]:
            for side in SIDES:
                for repeat in range(1, repeats + 1):
                    yield Shot(view, side, repeat, maker)


def protocol(muscles: int = 12, nerves: int = 4) -> str:
    """The protocol that asks for these captures, as the TOML of a study."""
    kinds = ((MUSCLES, muscles, 3), (NERVES, nerves, 2))
    entries = [
        f'[[measure]]\nview = "{view}"\nsides = ["left", "right"]\nrepeats = {repeats}\n'
        for makers, count, repeats in kinds
        for view in list(makers)[:count]
    ]
    return 'name = "visit"\n' + "\n".join(entries)


def write(
    folder: Path, muscles: int = 12, nerves: int = 4, *, subject: str = "V-001", date: str = "20260301"
) -> list[tuple[Shot, simulate.Phantom]]:
    """Write the visit's files; their names say nothing, as a machine's do.

    Returns
    -------
    list of (Shot, Phantom)
        In the order of the files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made: list[tuple[Shot, simulate.Phantom]] = []
    setup = simulate.Setup(shape=(420, 520))
    for number, shot in enumerate(shots(muscles, nerves), start=1):
        phantom = shot.maker(1000 + number + int(date), setup=setup)
        image = np.repeat(phantom.image[None, :, :, None], 3, axis=3)
        path = folder / f"IM_{number:04d}.dcm"
        regions = [PixelRegion(phantom.display.box, phantom.spacing)]
        write_dicom(
            path, image, ENCODINGS["grey_native"], Tags(subject, "MSK", "SIM", number=number), regions
        )
        dataset = dcmread(path)
        dataset.PatientName = "SIMULATED^V"
        for kind in ("Study", "Series", "Content"):
            setattr(dataset, f"{kind}Date", date)
            setattr(dataset, f"{kind}Time", f"{9 + number // 60:02d}{number % 60:02d}00")
        dataset.save_as(path, enforce_file_format=True)
        made.append((shot, phantom))
    return made


if __name__ == "__main__":
    folder, *counts = sys.argv[1:]
    print(f"{len(write(Path(folder), *map(int, counts)))} files in {folder}")
