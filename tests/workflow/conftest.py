"""The viewer's display and window, shared with the plugin's tests."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

_PLUGIN = Path(__file__).parents[1] / "plugin" / "conftest.py"
_spec = importlib.util.spec_from_file_location("usimg_plugin_fixtures", _PLUGIN)
_fixtures = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = _fixtures  # dataclasses look their module up
_spec.loader.exec_module(_fixtures)

xvfb = _fixtures.xvfb
viewer = _fixtures.viewer
