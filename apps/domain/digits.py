"""Handwritten digits: the images that the contract sends, and the digit that each shows.

The images come from scikit-learn's bundled data: 8 × 8 pixels, row by row, each from 0 to 16. This
file does not import scikit-learn, because the contract uses it too.
"""

from __future__ import annotations

PIXELS = 64
PIXEL_MAX = 16

# Each character is a pixel, as a digit in base 17.
_IMAGES = (
    ("00aeb30004gd6e1004g20b7008g00a5008g00e4008g01g1004g1bf0000bgc300", 0),
    ("006ea20000ffdf3002ga0d9001g50c5000g30d6001f56d1000gbea00007gb100", 0),
    ("0000c5000002gc00001cgb0002cgga0006b5f6000001g9000002gb000003g800", 1),
    ("0001b9000007gd00004eg9000agbg8000003g6000003g8000005ga000002e600", 1),
    ("0005ec20007f8e4000623d100001d400001b900008gd000005egb2000006cd30", 2),
    ("0003fa10000bag40000c1f6000034f400006f60004fg900000dgf93000049e70", 2),
    ("009gd6000065gg000008f5000005e30000009f2000000bc00048bfc000bec800", 3),
    ("01afb1000388bc000005ef10000bf2000004f2000000ca000034ag1000dgfa00", 3),
    ("0009f100004gc00000fe2b3004g94ga009gbdg20009gge000008g6000009g200", 4),
    ("0006g400001df10001bg500008ga0a600cg89gc002fggg700004gb000007g300", 4),
    ("02dgggb005ga541006g7300009ggg6000384bf000001cf00004dg60002gf8000", 5),
    ("06d5881008gggg6006g9640006ggf5000045fc000003g900018df30004gf3000", 5),
    ("0005e200001db000005g2000006f500001fgfb1002de1c90004g7d900005gf30", 6),
    ("000ad10001bc700002gc000004gb000004gf840004ggdg60007g7de00007ff50", 6),
    ("0009fc0000477e0000000d300498ad1004gfgg600000e3000009c000000b7000", 7),
    ("009ggg5001ea8g8000007g30038bfgb008ggfb30002g7000008g100000da0000", 7),
    ("0077dg4000dd6c7000a4ab10008ga00003eg0000088b500004a9800001bg6000", 8),
    ("00bac40000cd9g10007dbg00001ge40000agd00000e7c70004e4cd0001bec400", 8),
    ("002d8000006gg600005fdb000007gf0000000e30000007b0000344g2002fded2", 9),
    ("00da100005ge700004g8e00002egg60000149d1000000d60005859e000ddfgd0", 9),
)

IMAGES = len(_IMAGES)


def image(number: int) -> tuple[list[int], int]:
    """The pixels of image `number`, from 0, and its digit; after the last image comes the first."""
    text, digit = _IMAGES[number % IMAGES]
    return [int(pixel, 17) for pixel in text], digit
