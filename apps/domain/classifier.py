"""The classifier of handwritten digits: a support vector machine of scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Classifier:
    """Tells which digit an image shows; any number of threads may ask."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def digit(self, pixels: Sequence[int]) -> int:
        """The digit in one image: 8 × 8 pixels, row by row, of 0 to 16 each."""
        return int(self._model.predict([pixels])[0])


def trained() -> Classifier:
    """Train on the bundled images: 0.1 s, after 2 s of importing scikit-learn.

    Imported here, so that a process without a classifier is spared 170 MiB. Keeping a trained
    model in a file would save the 0.1 s alone, since loading it takes the same import.
    """
    from sklearn.datasets import load_digits
    from sklearn.svm import SVC

    images, digits = load_digits(return_X_y=True)
    # The scale of the pixels, as in scikit-learn's own example with this data.
    return Classifier(SVC(gamma=0.001).fit(images, digits))
