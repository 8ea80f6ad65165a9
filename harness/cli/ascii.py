"""Stand-ins for the characters that a terminal can't show.

Python raises an error when a stream's encoding lacks a character, at a moment when minutes of
measuring may be lost with it. `install` makes every stream write a stand-in instead.

An ASCII stream gets an encoding of our own. With Python's, click takes the stream for a mistake and
writes UTF-8 to it all the same.
"""

from __future__ import annotations

import codecs
import io
import unicodedata
from typing import TextIO

_CODEC = "twinbench-ascii"
_HANDLER = "twinbench-stand-in"
_STAND_INS = {
    "÷": "/", "×": "x", "±": "+-", "·": ".", "…": "...", "−": "-", "–": "-", "—": "-",
    "→": "->", "←": "<-", "▲": "^", "▼": "v", "↑": "^", "↓": "v",
    "✓": "+", "✔": "+", "✕": "x", "✗": "x", "✘": "x", "●": "*", "•": "*", "■": "#", "█": "#",
    "µ": "u", "μ": "u", "≤": "<=", "≥": ">=", "≠": "!=", "≈": "~", "∞": "inf",
    "“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "°": " deg", "\u202f": " ",
    # Of a progress bar and of tables.
    "━": "-", "╸": "-", "╺": "-", "─": "-", "│": "|", "┃": "|", "┼": "+", "╭": "+", "╮": "+",
    "╰": "+", "╯": "+",
}  # fmt: skip


def to_ascii(text: str) -> str:
    """The text without any character beyond ASCII: stand-ins, bare letters, or escapes."""
    return "".join(letter if letter.isascii() else _stand_in(letter) for letter in text)


def _stand_in(letter: str) -> str:
    if letter in _STAND_INS:
        return _STAND_INS[letter]
    bare = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()  # é, ²
    return bare or letter.encode("ascii", "backslashreplace").decode()


def install(*streams: TextIO) -> None:
    """Have these streams write a stand-in for each character that their encoding lacks."""
    codecs.register_error(_HANDLER, _replace)
    codecs.register(_find_codec)
    for stream in streams:
        if not isinstance(stream, io.TextIOWrapper):
            continue
        if codecs.lookup(stream.encoding).name == "ascii":
            stream.reconfigure(encoding=_CODEC, errors="strict")
        else:
            stream.reconfigure(errors=_HANDLER)


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return to_ascii(error.object[error.start : error.end]), error.end


class _Encoder(codecs.IncrementalEncoder):
    def encode(self, text: str, final: bool = False) -> bytes:
        return to_ascii(text).encode("ascii")


def _encode(text: str, errors: str = "strict") -> tuple[bytes, int]:
    return to_ascii(text).encode("ascii"), len(text)


def _find_codec(name: str) -> codecs.CodecInfo | None:
    if name.replace("_", "-") != _CODEC:
        return None
    ascii_codec = codecs.lookup("ascii")
    return codecs.CodecInfo(
        name=_CODEC,
        encode=_encode,
        decode=ascii_codec.decode,
        incrementalencoder=_Encoder,
        incrementaldecoder=ascii_codec.incrementaldecoder,
    )
