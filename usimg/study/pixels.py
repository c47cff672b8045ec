"""Scan areas kept in a study, for when the scans themselves cannot stay where they are.

One PNG a measured frame, ``pixels/HASH-FRAME.png``: its grey levels, black wherever something is drawn or
written and outside the scan area; what is tissue stands in the alpha channel. No tag of the file comes
along but sizes, regions, scale, kind of picture and device. Written once, by whoever measured the frame.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, PngImagePlugin

from usimg.errors import PixelsRefused, StudyRefused
from usimg.opening import read
from usimg.scan import Calibration, Frame, Header, Kind, Picture, Pixels, Region, Scan
from usimg.study.files import written_whole

if TYPE_CHECKING:
    from usimg.study.store import Study

FOLDER = "pixels"
_TISSUE, _DRAWN, _OUTSIDE = 255, 128, 0  # alpha
_KEY = "usimg"


def keep_frames(folder: Path, scan: Scan, frames: Iterable[int]) -> list[str]:
    """Keep frames of a scan, and say of which nothing could be kept and why.

    Parameters
    ----------
    folder : Path
        ``pixels`` of the study.
    frames : iterable of int
        From 0.

    Raises
    ------
    StudyRefused
        The folder cannot be written.
    """
    refused: list[str] = []
    for index in sorted(set(frames)):
        frame = scan.frames[index]
        if not frame.scan_area.any():
            refused.append(f"frame {index}: no scan area was found, so text could not be masked: not kept")
            continue
        path = folder / f"{scan.id}-{index:05d}.png"
        if not path.exists():
            _write(path, scan, frame)
    return refused


def open_scan(study: Study, scan: str) -> Scan:
    """A scan of a study: its file where that is, else what was kept of it.

    Parameters
    ----------
    scan : str
        Its hash, or the beginning of it.

    Raises
    ------
    StudyRefused
        It is not there, and nothing of it was kept.
    FileRefused
        Its file cannot be opened any more.
    """
    try:
        path = study.source_path(scan)
    except StudyRefused:
        kept = sorted((study.root / FOLDER).glob(f"{scan}*.png"))
        if not scan or not kept or len({path.stem.partition("-")[0] for path in kept}) > 1:
            raise
        return _kept(kept)
    return read(path)


def _write(path: Path, scan: Scan, frame: Frame) -> None:
    pixels, picture = frame.pixels, frame.picture
    drawn = picture.overlays & picture.scan_area
    alpha = np.where(picture.scan_area, np.where(drawn, _DRAWN, _TISSUE), _OUTSIDE).astype(np.uint8)
    gray = np.where(alpha == _TISSUE, pixels.gray, 0).astype(np.uint8)
    facts = {
        "scan": scan.id,
        "frame": frame.index,
        "frames": len(scan.frames),
        "device": [scan.header.manufacturer, scan.header.model, scan.header.probe],
        "regions": [asdict(region) for region in frame.regions],
        "calibration": None if frame.calibration is None else asdict(frame.calibration),
        # A reason may name the file, and files are named after patients.
        "calibration_reason": frame.calibration_reason.replace(scan.name, "the file"),
        "kind": asdict(picture.kind),
        "grey_rule": pixels.grey_rule,
        "decoder": pixels.decoder,
    }
    text = PngImagePlugin.PngInfo()
    text.add_itxt(_KEY, json.dumps(facts))
    path.parent.mkdir(exist_ok=True)
    with written_whole(path) as temporary, temporary.open("wb") as file:
        Image.fromarray(np.dstack([gray, alpha]), "LA").save(file, "PNG", pnginfo=text)


def _kept(paths: list[Path]) -> Scan:
    sources = {path: _facts(path) for path in paths}
    first = next(iter(sources.values()))
    kept = {int(facts["frame"]): path for path, facts in sources.items()}
    source = _Kept(str(first["scan"]), kept)
    frames = tuple(
        _frame(source, index, sources[kept.get(index, paths[0])]) for index in range(first["frames"])
    )
    maker, model, probe = first["device"]
    header = Header(format="kept pixels", manufacturer=maker, model=model, probe=probe)
    name = f"scan {source.scan[:12]}"
    return Scan(name, header, frames, source, ("kept pixels: drawn and written parts are blanked",))


def _frame(source: _Kept, index: int, facts: dict[str, Any]) -> Frame:
    try:
        regions = tuple(_region(said) for said in facts["regions"])
        scale = facts["calibration"]
        return Frame(
            name=f"scan {source.scan[:12]}",
            index=index,
            shape=facts["shape"],
            source=source,
            describe=source.describe,
            regions=regions,
            calibration=None if scale is None else _calibration(scale),
            calibration_reason=facts["calibration_reason"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise StudyRefused(f"the kept pixels of scan {source.scan[:12]} are damaged: {error}") from None


def _region(said: dict[str, Any]) -> Region:
    scale = said["calibration"]
    boxes = {name: tuple(said[name]) for name in ("box", "declared")}
    return Region(**{**said, **boxes, "calibration": None if scale is None else _calibration(scale)})


def _calibration(said: dict[str, Any]) -> Calibration:
    return Calibration(**(said | {"flags": tuple(said["flags"])}))


def _facts(path: Path) -> dict[str, Any]:
    try:
        with Image.open(path) as image:
            facts: dict[str, Any] = json.loads(image.text[_KEY])  # type: ignore[attr-defined]
            facts["shape"] = (image.height, image.width)
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise StudyRefused(f"pixels/{path.name} is damaged: {error}") from None
    return facts


@dataclass(frozen=True)
class _Kept:
    """Frames of a scan from the pictures that were kept of it."""

    scan: str
    paths: dict[int, Path]

    def sha256(self) -> str:
        return self.scan

    def pixels(self, index: int) -> Pixels:
        facts, (gray, _) = _facts(self._path(index)), self._channels(index)
        return Pixels(gray, None, facts["grey_rule"], facts["decoder"])

    def describe(self, frame: Frame) -> Picture:
        facts, (_, alpha) = _facts(self._path(frame.index)), self._channels(frame.index)
        said = facts["kind"]
        kind = Kind(said["name"], tuple(said["evidence"]), said["automatic"], tuple(said["flags"]))
        return Picture(kind, alpha != _OUTSIDE, alpha == _DRAWN)

    def _path(self, index: int) -> Path:
        try:
            return self.paths[index]
        except KeyError:
            there = ", ".join(str(frame) for frame in sorted(self.paths))
            raise PixelsRefused(
                f"scan {self.scan[:12]}: of this clip frame {there} was kept, not frame {index}"
            ) from None

    def _channels(self, index: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        try:
            with Image.open(self._path(index)) as image:
                both = np.asarray(image.convert("LA"))
        except (OSError, ValueError) as error:
            raise PixelsRefused(f"scan {self.scan[:12]}: its kept pixels are damaged ({error})") from None
        return np.ascontiguousarray(both[..., 0]), both[..., 1]
