"""The look every HTML page of usimg shares: one self-contained file that asks nothing of the network.

A room that writes a page keeps its template beside its code (``templates/*.html.j2``), extends
``base.html.j2`` from here, and calls :func:`write_page`. Everything a template inserts is escaped.
"""

from __future__ import annotations

from usimg.pages.page import render as render
from usimg.pages.page import write_page as write_page

__all__ = ["render", "write_page"]
