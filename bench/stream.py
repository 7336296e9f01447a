"""One streamed chat request on a connection of its own, timed as a client sees it."""
import json
import socket
import time
from dataclasses import dataclass

# No answer of the bench takes longer: beyond it something hangs.
LONGEST_S = 120


@dataclass
class Reply:
    ttft_ms: float  # from before the connection to the first content
    speed: float  # tokens a second, from the first content to the last
    chunks: int  # events with content


def connect(address: str) -> socket.socket:
    """A path is a unix socket, anything else http://HOST:PORT."""
    if address.startswith("/"):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(LONGEST_S)
        connection.connect(address)
        return connection
    host, _, port = address.removeprefix("http://").rpartition(":")
    return socket.create_connection((host, int(port)), LONGEST_S)


def request(address: str, method: str, path: str, body: dict | None = None) -> socket.socket:
    data = json.dumps(body).encode() if body is not None else b""
    head = (f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(data)}\r\nConnection: close\r\n\r\n")
    connection = connect(address)
    connection.sendall(head.encode() + data)
    return connection


def read_answer(connection: socket.socket) -> tuple[int, bytes]:
    """The whole answer of a connection that closes after it; chunked framing, if any, is left in."""
    data = b"".join(iter(lambda: connection.recv(65536), b""))
    connection.close()
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), body


def get_json(address: str, path: str) -> dict | list:
    status, body = read_answer(request(address, "GET", path))
    if status != 200:
        raise RuntimeError(f"GET {path}: {status} {body[:200]!r}")
    opening, closing = (b"[", b"]") if body.lstrip().startswith(b"[") else (b"{", b"}")
    return json.loads(body[body.index(opening):body.rindex(closing) + 1])


def ask(address: str, body: dict) -> Reply:
    begun = time.perf_counter()
    connection = request(address, "POST", "/v1/chat/completions", body)
    first = last = 0.0
    chunks = 0
    seen = b""
    while data := connection.recv(65536):
        now = time.perf_counter()
        seen += data
        events, newline, rest = seen.rpartition(b"\n")
        # An event's own line; `"content":null` is the role's, which comes before the first token.
        with_content = events.count(b'"content":"') if newline else 0
        if with_content:
            first = first or now
            last = now
            chunks += with_content
        seen = rest if newline else seen
        if not chunks and not seen.startswith(b"HTTP") and b'"error"' in events:
            raise RuntimeError(events.decode(errors="replace"))
    connection.close()
    if chunks == 0:
        raise RuntimeError(f"{address} gave no content")
    speed = (chunks - 1) / (last - first) if last > first else 0
    return Reply(1000 * (first - begun), speed, chunks)


def leave(address: str, body: dict) -> float:
    """Goes away after the first content. Gives the moment it went."""
    connection = request(address, "POST", "/v1/chat/completions", body)
    seen = b""
    while b'"content":"' not in seen:
        data = connection.recv(65536)
        if not data:
            raise RuntimeError(f"{address} gave no content")
        seen += data
    connection.close()
    return time.perf_counter()
