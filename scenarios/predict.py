"""A trained model behind an endpoint: scikit-learn recognises handwritten digits."""

from apps import contract
from harness.load.users import ScenarioUser


class Predict(ScenarioUser):
    """POST /predict with small images.

    Importing the classifier takes seconds and 170 MiB. In a run with this scenario, servers start
    that much later and are that much larger in all scenarios.

    """

    question = "What remains of a difference when a model's prediction is the work?"
    kind = "CPU-bound"
    endpoints = ("POST /predict",)
    stacks = ("flask-gthread", "fastapi-uvicorn")
    users = 2
    warmup_s = 0.1
    # "handlers" changes nothing: this one is always a `def`.
    ladder = ("server", "framework", "collector")
    samples = tuple(contract.predict(number) for number in range(100))
