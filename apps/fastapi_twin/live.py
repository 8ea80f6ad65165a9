"""WS /live."""

from __future__ import annotations

from itertools import count

from fastapi import APIRouter, WebSocket, status

from apps.problems import upgrade_required

router = APIRouter()


@router.get("/live", include_in_schema=False)
async def live_without_upgrade() -> None:
    """Refuse a request without an upgrade; FastAPI itself would answer 404."""
    raise upgrade_required()


@router.websocket("/live")
async def live(socket: WebSocket) -> None:
    """Echo every text with its number, from 1, until the client closes the connection."""
    await socket.accept()
    for seq in count(1):
        # Not receive_text(), which raises a KeyError for bytes.
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return
        text = message.get("text")
        if text is None:
            await socket.close(status.WS_1003_UNSUPPORTED_DATA)
            return
        await socket.send_json({"seq": seq, "text": text})
