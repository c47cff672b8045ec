"""One frame of a DICOM file: found, decoded, turned to grey."""

from __future__ import annotations

import threading
import warnings
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydicom.pixels.processing import apply_color_lut

from usimg.errors import PixelsRefused
from usimg.readers.decode import decode_compressed, decode_native, decoder_name
from usimg.readers.encapsulated import BadFragments, Fragment, frame_fragments, read_frame
from usimg.readers.grey import Stored, UInt8, to_grey
from usimg.readers.streams import BadStream
from usimg.readers.tags import BAD_VALUE, value
from usimg.scan import Pixels

if TYPE_CHECKING:
    from usimg.readers.dicom import Layout

_AGAIN = "copy or export it again"


class DicomDecoder:
    """Decodes single frames of one file; knows where they lie after the first one."""

    def __init__(self, path: Path, layout: Layout) -> None:
        self.path = path
        self.layout = layout
        self._lock = threading.Lock()

    def __call__(self, index: int) -> Pixels:
        """Frame ``index``, 0-based.

        Raises
        ------
        PixelsRefused
            The frame is not there, does not decode, or contradicts the header.
        """
        name = f"{self.path.name}, frame {index + 1}"
        layout = self.layout
        if not 0 <= index < layout.frames:
            raise PixelsRefused(f"{self.path.name}: has {layout.frames} frame(s), so no frame {index + 1}")
        try:
            # One at a time: `warnings.catch_warnings` is not safe for threads, nor is pydicom's plugin table.
            with self._lock, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                stored = self._stored(index)
            gray, rgb, rule = to_grey(stored)
        except BadFragments as error:
            raise PixelsRefused(f"{self.path.name}: its pixel data {error}; {_AGAIN}") from None
        except BadStream as error:
            raise PixelsRefused(f"{name}: the compressed picture {error}; {_AGAIN}") from None
        except (*BAD_VALUE, MemoryError) as error:
            raise PixelsRefused(f"{name}: {str(error) or type(error).__name__}; {_AGAIN}") from None
        return Pixels(gray, rgb, rule, decoder_name(layout.syntax))

    def _stored(self, index: int) -> Stored:
        layout = self.layout
        colour = evidence = ""
        with layout.open(self.path) as file:
            if layout.syntax.is_encapsulated:
                stream = read_frame(file, self._fragments[index])
                array, header = decode_compressed(stream, layout.syntax, self._options(layout.photometric))
                if header is not None:
                    colour, evidence = header.colour, header.evidence
            else:
                # pydicom unpacks 4:2:2 under one label; what it means is decided in grey.py
                label = layout.photometric.replace("YBR_PARTIAL_422", "YBR_FULL_422")
                file.seek(layout.start)
                array = decode_native(file, index, layout.syntax, self._options(label))
        palette = self._palette if layout.photometric == "PALETTE COLOR" else None
        return Stored(array, layout.photometric, layout.bits_stored, layout.signed, colour, evidence, palette)

    def _options(self, photometric: str) -> dict[str, Any]:
        layout = self.layout
        options: dict[str, Any] = {
            "rows": layout.rows,
            "columns": layout.cols,
            "samples_per_pixel": layout.samples,
            "photometric_interpretation": photometric,
            "bits_allocated": layout.bits_allocated,
            "bits_stored": layout.bits_stored,
            "pixel_representation": int(layout.signed),
            "pixel_keyword": "PixelData",
            # a compressed frame is handed over alone
            "number_of_frames": 1 if layout.syntax.is_encapsulated else layout.frames,
        }
        if layout.samples > 1:
            options["planar_configuration"] = layout.planar
        if not layout.syntax.is_encapsulated:
            options["pixel_vr"] = layout.pixel_vr
        return options

    @cached_property
    def _fragments(self) -> list[list[Fragment]]:
        layout = self.layout
        with layout.open(self.path) as file:
            return frame_fragments(
                file, layout.start, layout.end, layout.frames, value(layout.ds, "ExtendedOffsetTable")
            )

    @cached_property
    def _palette(self) -> UInt8:
        """(N, 3) uint8 colours of every stored value; 16-bit entries lose their low byte (PS3.3 C.7.9)."""
        values = np.arange(1 << min(self.layout.bits_stored, 16), dtype=np.uint16)
        table = apply_color_lut(values, self.layout.ds)
        if table.dtype == np.uint8 or int(table.max()) <= 255:
            return table.astype(np.uint8)  # some write 8-bit entries in 16-bit tables
        return (table >> 8).astype(np.uint8)
