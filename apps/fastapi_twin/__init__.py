"""The FastAPI twin. `apps.flask_twin` has a file of the same name for each file but handlers.py."""

from apps.fastapi_twin.app import create_app

__all__ = ["create_app"]
