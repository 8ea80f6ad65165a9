"""A generated request as bytes for a stack, and any request as a curl command for a person."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from harness.models import OwnRequest

#: What the reader's shell puts in, as twinbench did when it sent the request.
_VARIABLE = re.compile(r"(\$\{\w+\}|\$\$\{)")
#: Stands for the characters `${` in a request, and not for a variable.
_ESCAPED = "$${"


@dataclass(frozen=True, slots=True)
class Request:
    """A request that every stack is sent."""

    method: str
    path: str  # percent-encoded, with the query
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    chunked: bool = False  # sent in chunks, without content-length

    def __str__(self) -> str:
        """The request as a curl command; the shell variable `$URL` names the stack."""
        words = ["curl", "-i", "--path-as-is", "-X", self.method]
        for name, value in self.headers:
            words += ["-H", f"{name}: {value}" if value else f"{name};"]
        if not any(name.lower() == "content-type" for name, _ in self.headers):
            words += ["-H", "content-type:"] if self.body is not None else []
        if self.chunked:
            words += ["-H", "transfer-encoding: chunked"]
        data = "" if self.body is None else f" --data-binary {_shell_word(self.body)}"
        return f'{shlex.join(words)}{data} "$URL"{shlex.quote(self.path)}'

    def as_bytes(self, host: str) -> bytes:
        """Encode the request for the wire; `host` is sent unless there is a Host header."""
        headers = list(self.headers)
        if not any(name.lower() == "host" for name, _ in headers):
            headers.insert(0, ("host", host))
        body = self.body or b""
        if self.chunked:
            headers.append(("transfer-encoding", "chunked"))
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
        elif self.body is not None:
            headers.append(("content-length", str(len(body))))
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{n}: {text}" for n, text in headers)]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body

    @property
    def size(self) -> int:
        """How much a person has to read: characters of all parts."""
        headers = sum(len(name) + len(value) + 4 for name, value in self.headers)
        return len(self.method) + len(self.path) + headers + len(self.body or b"") + self.chunked


def curl(request: OwnRequest, url: str, *, verify_tls: bool = True) -> str:
    """A curl command that sends a request to a service; the shell puts `${NAME}` in."""
    words = ["curl", "-i", "--path-as-is", "--compressed"]
    if not verify_tls:
        words.append("--insecure")
    if request.method == "HEAD":
        words.append("--head")
    elif request.method != "GET" or request.body is not None:
        words += ["-X", _with_variables(request.method)]
    for name, value in request.headers:
        words += ["-H", _with_variables(f"{name}: {value}" if value else f"{name};")]
    if request.body is not None:
        if not any(name.lower() == "content-type" for name, _ in request.headers):
            words += ["-H", "content-type:"]  # curl would say that it is a form
        words += ["--data-binary", _with_variables(request.body, "latin-1")]
    path = request.path.partition("#")[0]
    if re.search(r"[][{}]", _VARIABLE.sub("", path)):
        words.append("--globoff")
    return " ".join([*words, _with_variables(url.rstrip("/") + path)])


def _with_variables(text: str, encoding: str = "utf-8") -> str:
    """A word of a shell in which `${NAME}` stays a variable and everything else is itself."""
    parts = []
    for part in _VARIABLE.split(text):
        if part.startswith("${") and _VARIABLE.fullmatch(part):
            parts.append(f'"{part}"')
        elif part:
            literal = "${" if part == _ESCAPED else part
            parts.append(_shell_word(literal.encode(encoding)))
    return "".join(parts) or "''"


def _shell_word(body: bytes) -> str:
    if body.isascii() and body.decode().isprintable():
        return shlex.quote(body.decode())
    text = "".join(
        chr(byte) if 32 <= byte < 127 and byte not in b"\\'" else f"\\x{byte:02x}" for byte in body
    )
    return f"$'{text}'"
