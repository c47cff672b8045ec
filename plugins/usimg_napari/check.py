"""``python -m usimg_napari.check``: whether the viewer can open a window here; a line of JSON.

A process of its own, as Qt ends the one it cannot start in.
"""

from __future__ import annotations

import json
import os
import sys

# What napari's drawing (vispy) asks for.
LEAST_OPENGL = (2, 1)


def viewer_facts() -> dict[str, str]:
    """Qt binding, OpenGL and what is missing; the key ``missing`` says what to do about it."""
    if sys.platform == "linux" and not any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    ):
        return {"missing": "no screen: run it on a desktop, or over ssh -X"}
    try:
        import qtpy  # noqa: PLC0415  its absence is one of the answers
        from qtpy.QtGui import QGuiApplication, QOffscreenSurface, QOpenGLContext  # noqa: PLC0415
    except ImportError as error:
        return {"missing": f"Qt cannot be loaded ({error}): pip install 'usimg[napari]'"}
    facts = {"qt": f"{qtpy.API_NAME} {qtpy.QT_VERSION}"}
    application = QGuiApplication(sys.argv[:1])
    context, surface = QOpenGLContext(), QOffscreenSurface()
    surface.create()
    if not (context.create() and context.makeCurrent(surface)):
        return facts | {"missing": "OpenGL cannot be started: install the graphics card's driver"}
    version = context.format().version()
    context.doneCurrent()
    facts["opengl"] = ".".join(str(number) for number in version)
    if tuple(version) < LEAST_OPENGL:
        facts["missing"] = f"OpenGL {facts['opengl']} is too old: a driver with 2.1 or later is needed"
    del application
    return facts


if __name__ == "__main__":
    print(json.dumps(viewer_facts()))  # noqa: T201  it is read by `usimg info --self`
