"""The Qt binding that the extra brings does not bring the interpreter down."""

from __future__ import annotations

import sys

import pytest
from qtpy.QtCore import QObject


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="None is immortal from Python 3.12 on")
def test_qt_calls_without_a_result_do_not_use_up_none():
    thing = QObject()
    before = sys.getrefcount(None)
    for _ in range(1000):
        thing.setObjectName("a measurement")
    assert sys.getrefcount(None) > before - 500
