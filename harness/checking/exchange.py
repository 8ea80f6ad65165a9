"""One request to a service of the reader's own, over a connection of its own, and its reply.

h11 reads the reply; whatever is wrong with it is said in the reply, and never raised.
"""

from __future__ import annotations

import contextlib
import functools
import socket
import ssl
import time
import zlib
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote

import brotli
import h11

from harness.models import Framing, OwnRequest, Reply, ReplyFailure
from harness.models.addresses import Address

#: From connecting to the last byte.
TIMEOUT_S = 10.0
MAX_BODY_BYTES = 16 * 2**20
_MAX_HEAD_BYTES = 256 * 2**10
_RECEIVE_BYTES = 2**16

#: What can be decoded here.
_ENCODINGS = ("accept-encoding", "gzip, deflate, br")
#: What follows from the body, and from how it is sent here.
_OWN_HEADERS = {"content-length", "transfer-encoding", "connection", "keep-alive"}

#: What h11 says -> what a reader wants to know.
_MALFORMED = (
    ("conflicting content-length", "it has two Content-Lengths that differ"),
    ("bad content-length", "its Content-Length is no number"),
    ("transfer-encoding", "its Transfer-Encoding is none that can be read"),
    ("status line", "its first line is no status line of HTTP"),
    ("chunk", "its chunks can't be read"),
    ("header", "a line of its head is no header"),
    ("buffer", f"its head is longer than {_MAX_HEAD_BYTES // 2**10} KiB"),
    ("too long", f"its head is longer than {_MAX_HEAD_BYTES // 2**10} KiB"),
)


def exchange(
    url: str,
    request: OwnRequest,
    *,
    verify_tls: bool = True,
    timeout_s: float = TIMEOUT_S,
    max_body_bytes: int = MAX_BODY_BYTES,
) -> Reply:
    """Send a request to a service and return the reply; redirects are not followed.

    Args:
        url: Of the service: scheme, host and perhaps port and a path that stands before all paths.
        request: What is sent, without any `${NAME}`.
        verify_tls: Whether the service has to have a certificate that this machine trusts.
        timeout_s: Time for all of it.
        max_body_bytes: Of the reply, before and after decoding.
    """
    deadline = time.monotonic() + timeout_s
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD_BYTES)
    try:
        outgoing = _encoded(connection, url, request)
    except (h11.LocalProtocolError, UnicodeEncodeError):
        # What h11 says has the header in it, which may be secret.
        return Reply(
            ReplyFailure.UNSENDABLE, "its method, path or headers have characters that HTTP forbids"
        )
    try:
        sock = _connected(url, timeout_s, verify_tls=verify_tls)
    except (OSError, UnicodeError) as error:
        return Reply(ReplyFailure.REFUSED, why_refused(error))
    with sock:
        with contextlib.suppress(OSError):  # it may have replied before it had read all of it
            sock.sendall(outgoing)
        return _received(sock, connection, request.method, deadline, timeout_s, max_body_bytes)


def unreachable(url: str, *, verify_tls: bool = True, timeout_s: float = TIMEOUT_S) -> str:
    """Why no connection to a service comes about; empty if one does."""
    try:
        with _connected(url, timeout_s, verify_tls=verify_tls):
            return ""
    except (OSError, UnicodeError) as error:
        return why_refused(error)


def why_refused(error: Exception) -> str:
    """Why there is no connection, in a few words."""
    match error:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted ({error.verify_message})"
        case ssl.SSLError():
            return f"it does not speak TLS as expected ({error.reason or 'handshake failed'})"
        case TimeoutError():
            return "no connection in time"
        case ConnectionRefusedError():
            return "connection refused"
        case socket.gaierror() | UnicodeError():
            return "no such host"
        case OSError():
            return (error.strerror or type(error).__name__).lower()
        case _:
            return type(error).__name__


def target_of(url: str, path: str) -> str:
    """What stands in the request line: the URL's own path, then the request's, without fragment."""
    whole = Address.of(url).prefix + path.partition("#")[0]
    # What an access log or a variable brought in may be no path yet.
    return quote(whole, safe="".join(map(chr, range(0x21, 0x7F))))


# ------------------------------------------------------------------------------- sending


def _encoded(connection: h11.Connection, url: str, request: OwnRequest) -> bytes:
    body, own = request.sent_body, request.sent_headers
    given = {name.lower() for name, _ in own}
    headers = [] if "host" in given else [("host", Address.of(url).host_header)]
    headers += [each for each in own if each[0].lower() not in _OWN_HEADERS]
    headers += [] if _ENCODINGS[0] in given else [_ENCODINGS]
    if body is not None:
        headers.append(("content-length", str(len(body))))
    events: list[h11.Event] = [
        h11.Request(
            method=request.method,
            target=target_of(url, request.path),
            headers=[(name.encode("ascii"), _header_bytes(value)) for name, value in headers],
        )
    ]
    if body:
        events.append(h11.Data(data=body))
    events.append(h11.EndOfMessage())
    return b"".join(connection.send(event) or b"" for event in events)


def _header_bytes(value: str) -> bytes:
    """A character for each byte, as everywhere in twinbench; UTF-8 if it has others."""
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode()


@functools.cache
def tls_context(verify: bool) -> ssl.SSLContext:
    """How certificates are looked at: against the system's authorities, or not at all."""
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context


def _connected(url: str, timeout_s: float, *, verify_tls: bool) -> socket.socket:
    address = Address.of(url)
    sock = socket.create_connection((address.host, address.port), timeout_s)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not address.tls:
            return sock
        return tls_context(verify_tls).wrap_socket(sock, server_hostname=address.host)
    except BaseException:
        sock.close()
        raise


# ----------------------------------------------------------------------------- receiving


def _received(
    sock: socket.socket,
    connection: h11.Connection,
    method: str,
    deadline: float,
    timeout_s: float,
    max_body_bytes: int,
) -> Reply:
    reply = Reply()
    body = bytearray()
    has_begun = is_over = False

    def failed(failure: ReplyFailure, problem: str) -> Reply:
        return replace(reply, failure=failure, problem=problem, raw=bytes(body), body=bytes(body))

    while True:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError as error:
            if not is_over:
                return failed(ReplyFailure.MALFORMED, _what_is_malformed(str(error)))
            if not has_begun:
                return failed(ReplyFailure.CLOSED, "it closed the connection without a reply")
            part = "body" if reply.status else "head"
            so_far = _so_far(reply, len(body)) if reply.status else ""
            return failed(
                ReplyFailure.CLOSED, f"it closed the connection in the middle of the {part}{so_far}"
            )
        match event:
            case h11.NEED_DATA:
                left_s = deadline - time.monotonic()
                try:
                    if left_s <= 0:
                        raise TimeoutError
                    sock.settimeout(left_s)
                    data = sock.recv(_RECEIVE_BYTES)
                except TimeoutError:
                    if reply.status:
                        problem = f"its body had not ended after {timeout_s:g} s"
                    else:
                        problem = f"no reply within {timeout_s:g} s"
                    return failed(ReplyFailure.TIMED_OUT, problem)
                except OSError:  # a reset; of an encrypted connection, an end without a farewell
                    if reply.status and reply.framing is Framing.CLOSE:
                        return failed(
                            ReplyFailure.CLOSED, "it reset the connection in the middle of the body"
                        )
                    data = b""
                has_begun = has_begun or bool(data)
                is_over = not data
                connection.receive_data(data)
            case h11.InformationalResponse() if event.status_code == 101:
                return _with_head(reply, event, method)
            case h11.Response():
                reply = _with_head(reply, event, method)
            case h11.Data():
                body += event.data
                if len(body) > max_body_bytes:
                    del body[max_body_bytes:]
                    return failed(ReplyFailure.TOO_LARGE, _too_large(max_body_bytes))
            case h11.EndOfMessage():
                return _decoded(replace(reply, raw=bytes(body)), max_body_bytes)
            case h11.ConnectionClosed() | h11.PAUSED:
                return failed(ReplyFailure.CLOSED, "it closed the connection without a reply")
            case _:
                pass  # an interim response


def _with_head(reply: Reply, event: h11.Response | h11.InformationalResponse, method: str) -> Reply:
    headers = tuple((name.decode("latin-1"), _text(value)) for name, value in event.headers)
    names = {name for name, _ in headers}
    if method == "HEAD" or event.status_code in (101, 204, 304):
        framing = Framing.NONE
    elif "transfer-encoding" in names:
        framing = Framing.CHUNKED
    else:
        framing = Framing.LENGTH if "content-length" in names else Framing.CLOSE
    return replace(
        reply,
        status=event.status_code,
        headers=headers,
        protocol=bytes(event.http_version).decode(),
        framing=framing,
    )


def _text(value: bytes) -> str:
    """A header's value: UTF-8 where it is, as frameworks send it, else a character for each byte."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _so_far(reply: Reply, received: int) -> str:
    length = reply.header("content-length")
    return f" ({received:,} of {int(length):,} bytes)" if length.isdecimal() else ""


def _what_is_malformed(said: str) -> str:
    for sign, problem in _MALFORMED:
        if sign in said.lower():
            return problem
    return "it is no reply of HTTP"


def _too_large(limit: int) -> str:
    return f"its body is longer than {limit / 2**20:g} MiB, or endless"


# ------------------------------------------------------------------------------ decoding


class _TooLarge(ValueError):
    """More comes out than is wanted."""


def _decoded(reply: Reply, max_bytes: int) -> Reply:
    """The reply with the body that its content encoding stands for."""
    body = reply.raw
    names = [name.strip().lower() for name in reply.header("content-encoding").split(",")]
    for name in reversed(names if body else []):
        if name in ("", "identity"):
            continue
        decoder = _DECODERS.get(name)
        if decoder is None:
            return replace(reply, body=reply.raw, is_decoded=False)
        try:
            body = decoder(body, max_bytes)
        except _TooLarge:
            return replace(reply, failure=ReplyFailure.TOO_LARGE, problem=_too_large(max_bytes))
        except (ValueError, zlib.error):
            return replace(
                reply,
                failure=ReplyFailure.MALFORMED,
                problem=f"its body is not the {name} that its content-encoding promises",
            )
    return replace(reply, body=body)


def _inflated(data: bytes, max_bytes: int) -> bytes:
    """Gzip of one or several members, or zlib."""
    made = bytearray()
    while data:
        inflater = zlib.decompressobj(zlib.MAX_WBITS | 32)
        made += _inflate(inflater, data, max_bytes - len(made))
        data = inflater.unused_data
        if not data.startswith(b"\x1f\x8b"):  # padding, which gzip allows
            break
    return bytes(made)


def _deflated(data: bytes, max_bytes: int) -> bytes:
    """Deflate as the standard has it, within zlib, or bare as some servers send it."""
    try:
        return _inflated(data, max_bytes)
    except zlib.error:
        return _inflate(zlib.decompressobj(-zlib.MAX_WBITS), data, max_bytes)


def _inflate(inflater: zlib._Decompress, data: bytes, max_bytes: int) -> bytes:
    made = inflater.decompress(data, max_bytes + 1)
    if len(made) > max_bytes:
        raise _TooLarge
    if not inflater.eof:
        raise ValueError("ends in the middle")
    return made


def _unbrotlied(data: bytes, max_bytes: int) -> bytes:
    decompressor = brotli.Decompressor()
    made = bytearray()
    try:
        piece = decompressor.process(data, output_buffer_limit=max_bytes + 1)
        while True:
            made += piece
            if len(made) > max_bytes:
                raise _TooLarge
            if decompressor.is_finished():
                return bytes(made)
            if not piece:
                raise ValueError("ends in the middle")
            piece = decompressor.process(b"", output_buffer_limit=max_bytes + 1)
    except brotli.error as error:
        raise ValueError("no Brotli") from error


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _inflated,
    "x-gzip": _inflated,
    "deflate": _deflated,
    "br": _unbrotlied,
}
