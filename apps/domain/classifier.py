"""The classifier of handwritten digits, a support vector machine from scikit-learn."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol


class Classifier(Protocol):
    """Tells which digit an image shows. Threads can share it."""

    def digit(self, pixels: Sequence[int]) -> int:
        """The digit in one image: 8 × 8 pixels, row by row, each from 0 to 16."""
        ...


class Loaded:
    """A classifier that holds its model."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def digit(self, pixels: Sequence[int]) -> int:
        """The digit in one image."""
        return int(self._model.predict([pixels])[0])


class LoadedEachTime:
    """A classifier that loads its model for each image, as handlers do that call `joblib.load`.

    The saved model is in memory. A file would be in the page cache after the first request, and
    reading it from there takes little beside loading it.
    """

    def __init__(self, classifier: Classifier) -> None:
        import joblib  # scikit-learn brings it

        saved = io.BytesIO()
        joblib.dump(classifier, saved)
        self._saved = saved.getvalue()
        self._load = joblib.load

    def digit(self, pixels: Sequence[int]) -> int:
        """The digit in one image."""
        return int(self._load(io.BytesIO(self._saved)).digit(pixels))


def _as_trained(classifier: Classifier) -> Classifier:
    return classifier


#: How long a loaded model lives -> the classifier with such a model.
LIVES: Mapping[str, Callable[[Classifier], Classifier]] = {
    "process": _as_trained,
    "request": LoadedEachTime,
}


def trained() -> Classifier:
    """Train on the bundled images, which takes 0.1 s after 2 s of importing scikit-learn.

    The import is inside the function: a process without a classifier saves 170 MiB. A trained model
    in a file would save only the 0.1 s, because loading it needs the same import.
    """
    from sklearn.datasets import load_digits
    from sklearn.svm import SVC

    images, digits = load_digits(return_X_y=True)
    # gamma as in scikit-learn's own example with this data.
    return Loaded(SVC(gamma=0.001).fit(images, digits))
