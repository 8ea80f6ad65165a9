"""What a base URL says."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Address:
    """What a base URL such as http://127.0.0.1:8000 says."""

    host: str
    port: int
    host_header: str
    tls: bool = False
    prefix: str = ""  # begins every path: "/api" for http://127.0.0.1:8000/api/

    @classmethod
    def of(cls, base_url: str) -> Address:
        """Split a base URL.

        Raises:
            ValueError: It is no address of an HTTP server.
        """
        parts = urlsplit(base_url)
        if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
            raise ValueError(f"'{base_url}' is not an http:// or https:// address")
        return cls(
            host=parts.hostname,
            port=parts.port or DEFAULT_PORTS[parts.scheme],
            host_header=parts.netloc.rpartition("@")[2],
            tls=parts.scheme == "https",
            prefix=parts.path.rstrip("/"),
        )
