"""A trained model behind an endpoint: scikit-learn says which digit an image shows."""

from apps import contract
from harness.load.users import ScenarioUser


class Predict(ScenarioUser):
    """POST /predict with small images.

    The classifier takes seconds to import, so that servers start later in a run that has this
    scenario, and 170 MiB, so that they are larger in all of it.
    """

    question = "What remains of a difference when a model's prediction is the work?"
    kind = "CPU-bound"
    endpoints = ("POST /predict",)
    stacks = ("flask-gthread", "fastapi-uvicorn")
    users = 8
    slice_s = 0.2
    settle_s = 0.03
    warmup_s = 0.1
    ladder = ("server", "framework")  # FastAPI has `def` for work on both sides
    samples = tuple(contract.predict(number) for number in range(100))
