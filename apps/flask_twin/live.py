"""WS /live, with Flask-Sock."""

from __future__ import annotations

from itertools import count

from flask import Blueprint, Flask, Response
from flask.json import dumps
from flask_sock import Sock
from simple_websocket import Server
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import RemoteProtocolError

from apps.flask_twin.problems import answer
from apps.problems import upgrade_required

blueprint = Blueprint("live", __name__)
sock = Sock()

# How long a client may take to confirm that the server closes the connection.
_CLOSING_S = 1.0


def init_app(app: Flask) -> None:
    """Accept messages up to the size that Uvicorn accepts."""
    app.config["SOCK_SERVER_OPTIONS"] = {"max_message_size": 16 * 1024 * 1024}
    sock.init_app(app)
    app.register_error_handler(RemoteProtocolError, _answer_bad_handshake)


@sock.route("/live", bp=blueprint)  # type: ignore[untyped-decorator]
def live(socket: Server) -> None:
    """Echo every text with its number, from 1, until the client closes the connection."""
    try:
        for seq in count(1):
            text = socket.receive()
            if not isinstance(text, str):
                socket.close(CloseReason.UNSUPPORTED_DATA)
                return
            socket.send(dumps({"seq": seq, "text": text}))
    finally:
        # receive() reports the end before the socket's thread has answered the client, and
        # returning closes the connection.
        socket.thread.join(_CLOSING_S)


def _answer_bad_handshake(error: RemoteProtocolError) -> Response:
    return answer(upgrade_required())
