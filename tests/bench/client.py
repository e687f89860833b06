"""A client that costs little: frames made beforehand, a blocking socket, one process each.

`python -m tests.bench.client PORT PATH BYTES CHUNK` sends one file and prints {"seconds", "sha256", "upload"} as JSON.
PATH /ws speaks headrace.v1; any other the plain dialect, which both of the sinks understand.
"""

import hashlib
import json
import struct
import sys
import time
from typing import Any

from tests.integration.raw_websocket import BINARY, TEXT, Raw, frame

OUTSTANDING = 8 << 20
"""Bytes sent ahead of the answers in the plain dialect: as much as the window of headrace.v1."""


def headrace(ws: Raw, body: bytes, chunk: int) -> tuple[float, str]:
    """Send by headrace.v1 with its window; the seconds from the first chunk to `stored`, and the upload's id."""
    ws.receive_other_than(BINARY)  # welcome
    ws.send(TEXT, json.dumps({"type": "upload.open", "ref": 0, "name": "b", "size": len(body)}).encode())
    opened = _message(ws)
    edge = opened["offset"] + opened["window"]
    frames = [
        (
            start + len(body[start : start + chunk]),
            frame(BINARY, struct.pack(">IQ", 0, start) + body[start : start + chunk]),
        )
        for start in range(0, len(body), chunk)
    ]
    begun = time.perf_counter()
    for end, data in frames:
        while end > edge:
            edge = max(edge, _edge(_message(ws)))
        ws.sock.sendall(data)
    ws.send(TEXT, b'{"type":"upload.finish","ref":0}')
    while (message := _message(ws))["type"] != "upload.stored":
        pass
    return time.perf_counter() - begun, message["upload"]


def plain(ws: Raw, body: bytes, chunk: int) -> tuple[float, str]:
    """Send by the plain dialect, up to OUTSTANDING bytes ahead of the answers."""
    frames = [frame(BINARY, body[start : start + chunk]) for start in range(0, len(body), chunk)]
    ahead = max(1, OUTSTANDING // chunk)
    begun = time.perf_counter()
    for number, data in enumerate(frames):
        if number >= ahead:
            ws.receive()
        ws.sock.sendall(data)
    ws.send(BINARY, b"file_complete")
    while ws.receive()[1] != b"Ready for next task":
        pass
    return time.perf_counter() - begun, ""


def _message(ws: Raw) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(ws.receive()[1])
    return message


def _edge(message: dict[str, Any]) -> int:
    return int(message["offset"] + message["window"]) if message["type"] == "upload.ack" else 0


def main() -> None:
    """One file."""
    port, path, size, chunk = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    body = hashlib.shake_128(b"bench").digest(1 << 20) * (size >> 20)
    headers = "Sec-WebSocket-Protocol: headrace.v1\r\n" if path == "/ws" else ""
    with Raw(port, path, headers=headers, timeout=600) as ws:
        seconds, upload = (headrace if path == "/ws" else plain)(ws, body, chunk)
    print(json.dumps({"seconds": seconds, "upload": upload, "sha256": hashlib.sha256(body).hexdigest()}))


if __name__ == "__main__":
    main()
