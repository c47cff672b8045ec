"""Compressed frames to stored pixels: one table of transfer syntax, decoder and header check.

imagecodecs (BSD-3) decodes every compressed syntax, as a pydicom decoding plugin that is asked for by
name, so that what else is installed never changes a number; native data and RLE are pydicom's own.
Chosen for surviving mutated streams: python-gdcm, ``ljpeg_decode`` and ``jpegsof3_decode`` crash
the interpreter on some, pylibjpeg-libjpeg is GPL, and ``htj2k_decode`` hands out damaged pixels without an
error (OpenJPEG, behind ``jpeg2k_decode``, reads HTJ2K too and refuses them: 3,000 mutants, no crash).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import imagecodecs
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom import uid
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder

from usimg.readers.streams import BadStream, StreamHeader, jpeg2000_header, jpeg_header
from usimg.readers.syntaxes import COMPRESSED, JPEG, JPEG_2000, JPEG_LS

if TYPE_CHECKING:
    from pydicom.pixels.decoders.base import Decoder, DecodeRunner

PLUGIN = "imagecodecs"

# What pydicom asks of a plugin module (pydicom.pixels.decoders, "Decoder plugins").
DECODER_DEPENDENCIES: dict[uid.UID, tuple[str, ...]] = dict.fromkeys(COMPRESSED, ("numpy", "imagecodecs"))


def is_available(syntax: str) -> bool:
    """Whether imagecodecs decodes this transfer syntax (pydicom asks)."""
    return syntax in DECODER_DEPENDENCIES


def stream_header(syntax: uid.UID, stream: bytes) -> StreamHeader | None:
    """What the compressed frame says about itself; None for RLE, which says nothing."""
    if syntax in (*JPEG, *JPEG_LS):
        return jpeg_header(stream)
    if syntax in JPEG_2000:
        return jpeg2000_header(stream)
    return None


def decoder_name(syntax: uid.UID) -> str:
    """Library, function and version that decode this syntax, for the record."""
    if syntax in COMPRESSED:
        return f"imagecodecs {imagecodecs.__version__} {_function(syntax).__name__}"
    return f"pydicom {pydicom.__version__} {'RLE' if syntax == uid.RLELossless else 'native'}"


def decode_compressed(
    stream: bytes, syntax: uid.UID, options: dict[str, Any]
) -> tuple[NDArray[Any], StreamHeader | None]:
    """Stored pixels of one compressed frame, colours as stored.

    Parameters
    ----------
    stream : bytes
        The frame's fragments, joined.
    syntax : UID
    options : dict
        Image Pixel attributes as pydicom's decoders take them.

    Returns
    -------
    array, shape (rows, cols) or (rows, cols, 3)
    StreamHeader or None

    Raises
    ------
    BadStream
        The stream contradicts the header, ends early, or does not decode.
    """
    header = stream_header(syntax, stream)
    if header is not None:
        _check_against(header, options)
    else:
        _check_rle(stream, options)
    plugin = PLUGIN if syntax in COMPRESSED else "pydicom"
    try:
        array, _ = _decoder(syntax).as_array(
            encapsulate([stream], has_bot=False), index=0, raw=True, decoding_plugin=plugin, **options
        )
    except (RuntimeError, ValueError, AttributeError, MemoryError, IndexError, TypeError) as error:
        # pydicom lists each plugin's message; there is one plugin
        said = str(error).rsplit(f"{plugin}: ", 1)[-1].strip() or type(error).__name__
        raise BadStream(f"does not decode ({said})") from None
    return array, header


def decode_native(source: Any, index: int, syntax: uid.UID, options: dict[str, Any]) -> NDArray[Any]:
    """Frame ``index`` of uncompressed data; ``source`` is a file at the start of the pixel data.

    Returns
    -------
    array, shape (rows, cols) or (rows, cols, 3); YBR_FULL_422 comes with its chroma doubled.
    """
    array, _ = _decoder(syntax).as_array(source, index=index, raw=True, **options)
    return array


def _check_against(header: StreamHeader, options: dict[str, Any]) -> None:
    rows, cols = options["rows"], options["columns"]
    if (header.rows, header.cols) != (rows, cols):
        raise BadStream(f"is {header.rows} x {header.cols}, yet the header says {rows} x {cols}")
    if header.components != options["samples_per_pixel"]:
        raise BadStream(
            f"has {header.components} component(s), yet the header says {options['samples_per_pixel']}"
        )
    if header.precision > options["bits_allocated"]:
        raise BadStream(
            f"has {header.precision} bits a sample, yet the header allots {options['bits_allocated']}"
        )
    if not header.complete:
        raise BadStream("ends early: its end marker is missing")


def _check_rle(stream: bytes, options: dict[str, Any]) -> None:
    """PackBits (PS3.5 G.3) grows data by 1/128 at worst; more would only fill memory."""
    raw = options["rows"] * options["columns"] * options["samples_per_pixel"] * options["bits_allocated"] // 8
    if len(stream) < 64:
        raise BadStream("ends inside its RLE header")
    if len(stream) > 2 * raw + 1024:
        raise BadStream("is longer than its pixels")


@cache
def _decoder(syntax: uid.UID) -> Decoder:
    decoder = get_decoder(syntax)
    if syntax in COMPRESSED and PLUGIN not in decoder.available_plugins:
        decoder.add_plugin(PLUGIN, (__name__, "_decode_frame"))
    return decoder


def _function(syntax: uid.UID) -> Callable[..., NDArray[Any]]:
    if syntax in JPEG:
        return imagecodecs.jpeg8_decode
    if syntax in JPEG_LS:
        return imagecodecs.jpegls_decode
    return imagecodecs.jpeg2k_decode


def _decode_frame(stream: bytes, runner: DecodeRunner) -> bytes:
    """Decode one frame for pydicom, which takes bytes, colour by pixel, and reshapes them."""
    syntax = runner.transfer_syntax
    decode = _function(syntax)
    if syntax in JPEG and runner.samples_per_pixel == 3:
        # The same colour space in and out hands over the components as stored; what they mean
        # is decided in grey.py from the data set and the stream's own markers.
        array = decode(stream, colorspace="YCBCR", outcolorspace="YCBCR")
    else:
        array = decode(stream)
    if array.dtype.itemsize * 8 != runner.bits_allocated:
        runner.set_option("bits_allocated", array.dtype.itemsize * 8)
    if runner.samples_per_pixel > 1:
        runner.set_option("planar_configuration", 0)
    return np.ascontiguousarray(array).tobytes()
