"""The Flask twin. Each file has its counterpart of the same name in `apps.fastapi_twin`."""

from apps.flask_twin.app import create_app

__all__ = ["create_app"]
