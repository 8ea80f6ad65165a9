"""POST /predict."""

from __future__ import annotations

from collections.abc import Iterator

from apps.contract.building import invalid, post, post_problem, wrong_method
from apps.contract.records import Expected, Sample, compact_json
from apps.contract.request_body import malformed_bodies
from apps.domain import digits


def predict(number: int) -> Sample:
    """POST /predict with image `number`, from 0; after the last image comes the first again."""
    pixels, digit = digits.image(number)
    sent: Expected = {"pixels": [*pixels]}
    return post(f"predict image {number}", "/predict", sent, 200, {"digit": digit})


def predict_samples(unique: str) -> Iterator[Sample]:
    """Samples of POST /predict."""
    for number in range(digits.IMAGES):
        yield predict(number)
    pixels, digit = digits.image(0)
    image: list[Expected] = [*pixels]
    yield post(
        "predict with an unknown field",
        "/predict",
        {"pixels": image, "x": 1},
        200,
        {"digit": digit},
    )
    bad: dict[str, tuple[Expected, str]] = {
        "null": (None, "type"),
        "a number": (1, "type"),
        "a text": ("0" * digits.PIXELS, "type"),
        "an object": ({"0": 1}, "type"),
        "no pixels": ([], "length"),
        "63 pixels": (image[1:], "length"),
        "65 pixels": ([*image, 0], "length"),
        "65 texts": (["a"] * 65, "length"),
        "8 rows": ([image[:8]] * 8, "type"),
        "a pixel of -1": ([-1, *image[1:]], "range"),
        "a pixel of 17": ([*image[1:], digits.PIXEL_MAX + 1], "range"),
        "a pixel of 2**70": ([*image[1:], 2**70], "range"),
        "a pixel of 1.0": ([1.0, *image[1:]], "type"),
        "a pixel of true": ([True, *image[1:]], "type"),
        "a pixel of null": ([None, *image[1:]], "type"),
        "a pixel of text": (["1", *image[1:]], "type"),
        "a pixel of 17, then a text": ([17, "1", *image[2:]], "range"),
        "a text, then a pixel of 17": (["1", 17, *image[2:]], "type"),
        "a text and no more": (["1"], "type"),
    }
    for name, (value, rule) in bad.items():
        yield post_problem(
            f"predict with {name}", "/predict", {"pixels": value}, invalid(pixels=rule)
        )
    yield post_problem("predict without pixels", "/predict", {}, invalid(pixels="required"))
    yield from malformed_bodies("/predict", compact_json({"pixels": image}))
    yield wrong_method("GET", "/predict", allow="POST")
