"""Transfer syntaxes: which decoder reads them, and what to do about those that none does."""

from __future__ import annotations

from pydicom import uid

from usimg.errors import PixelsRefused

JPEG = (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1)
JPEG_LS = (uid.JPEGLSLossless, uid.JPEGLSNearLossless)
JPEG_2000 = (uid.JPEG2000Lossless, uid.JPEG2000, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K)
COMPRESSED = (*JPEG, *JPEG_LS, *JPEG_2000)
DECODED = (*uid.UncompressedTransferSyntaxes, uid.RLELossless, *COMPRESSED)

# Newer than pydicom's dictionary (PS3.6 2024c, table A-1).
_NEWER = {
    "1.2.840.10008.1.2.4.110": "JPEG XL Lossless",
    "1.2.840.10008.1.2.4.111": "JPEG XL JPEG Recompression",
    "1.2.840.10008.1.2.4.112": "JPEG XL",
}


def known_syntax(stated: str, name: str) -> uid.UID:
    """The transfer syntax, when something here decodes it.

    Raises
    ------
    PixelsRefused
        Video, JPEG XL and other syntaxes without a decoder, with the way out.
    """
    syntax = uid.UID(stated)
    if syntax in DECODED:
        return syntax
    called = _NEWER.get(stated, syntax.name)
    if any(word in called for word in ("MPEG", "HEVC")):
        advice = "export single frames or an uncompressed, JPEG or JPEG 2000 clip from the scanner or PACS"
    else:
        advice = "convert it first (dcmconv and dcmdjpeg of DCMTK do) or export it uncompressed"
    label = called if called == stated else f"{called} ({stated})"
    raise PixelsRefused(f"{name}: its pixels are stored as {label}, which nothing here decodes; {advice}")
