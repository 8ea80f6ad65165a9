"""POST /predict."""

from __future__ import annotations

from flask import Blueprint, Flask, current_app

from apps.domain import classifier
from apps.domain.digits import PIXEL_MAX, PIXELS
from apps.flask_twin.request_body import json_object
from apps.flask_twin.validation import RuleBroken, checked, number, present
from apps.problems import no_classifier
from apps.settings import Settings

blueprint = Blueprint("predict", __name__)


def init_app(app: Flask, settings: Settings) -> None:
    """Train the classifier, once for each process."""
    with_life = settings.variant("classifier_life", classifier.LIVES, "process")
    app.extensions["classifier"] = with_life(classifier.trained()) if settings.classifier else None


@blueprint.post("/predict")
def predict() -> dict[str, object]:
    """Tell which digit an image shows."""
    image = checked(json_object(), {"pixels": _pixels})
    return {"digit": _classifier().digit(image["pixels"])}


def _classifier() -> classifier.Classifier:
    loaded: classifier.Classifier | None = current_app.extensions["classifier"]
    if loaded is None:
        raise no_classifier()
    return loaded


def _pixels(value: object) -> list[int]:
    present(value)
    if not isinstance(value, list):
        raise RuleBroken("type")
    # Pydantic's order: it checks for too many pixels first, and for too few after the values.
    if len(value) > PIXELS:
        raise RuleBroken("length")
    pixels = [number(pixel, 0, PIXEL_MAX) for pixel in value]
    if len(pixels) < PIXELS:
        raise RuleBroken("length")
    return pixels
