"""The FastAPI twin. Each file has its counterpart of the same name in `apps.flask_twin`."""

from apps.fastapi_twin.app import create_app

__all__ = ["create_app"]
