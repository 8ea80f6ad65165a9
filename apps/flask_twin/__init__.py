"""The Flask twin. `apps.fastapi_twin` has a file of the same name for each file here."""

from apps.flask_twin.app import create_app

__all__ = ["create_app"]
