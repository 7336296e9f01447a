#!/usr/bin/env python3
"""Serves one file on loopback over plain http, as fast as asked. For bench/download.

usage: bench/range_server.py FILE      prints its port

The path says how: of `/125000000/4000000000/any.gguf` each connection gets the file's first 4 GB at 125 MB/s
(0: as fast as it takes them); `/whole` in front answers without ranges. The kernel does the work: sendfile,
and SO_MAX_PACING_RATE for the rate, so that the server takes as little as it can of the processors that it
shares with what is measured.
"""
import os
import pathlib
import re
import socket
import sys
import threading

SO_MAX_PACING_RATE = 47  # <asm-generic/socket.h>; Python has no name for it
UNHELD = 2**64 - 1
MOST_AT_ONCE = 1 << 30  # Linux sends no more than 2 GiB in one call


def head(status: str, fields: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return "\r\n".join(lines).encode()


def answer(connection: socket.socket, file: int, size: int, request: str) -> None:
    target = re.match(r"GET /(whole/)?(\d+)/(\d+)/", request)
    if not target:
        connection.sendall(head("404 Not Found", {"Content-Length": "0"}))
        return
    pace = int(target[2]) or UNHELD
    connection.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, pace.to_bytes(8, sys.byteorder))
    size = min(size, int(target[3]))
    asked = None if target[1] else re.search(r"\r\nrange: bytes=(\d+)-(\d*)\r\n", request, re.I)
    at = int(asked[1]) if asked else 0
    end = min(int(asked[2]) + 1, size) if asked and asked[2] else size
    fields = {"Content-Length": str(end - at), "Content-Type": "application/octet-stream", "ETag": '"1"'}
    if asked:
        fields["Content-Range"] = f"bytes {at}-{end - 1}/{size}"
    connection.sendall(head("206 Partial Content" if asked else "200 OK", fields))
    while at < end:
        at += os.sendfile(connection.fileno(), file, at, min(end - at, MOST_AT_ONCE))


def serve(connection: socket.socket, file: int, size: int) -> None:
    with connection:
        text = b""
        try:
            while True:
                while b"\r\n\r\n" not in text:
                    more = connection.recv(65536)
                    if not more:
                        return
                    text += more
                request, text = text.split(b"\r\n\r\n", 1)
                answer(connection, file, size, request.decode("latin-1") + "\r\n")
        except (ConnectionError, BrokenPipeError):
            return  # who has enough leaves


def main() -> None:
    path = pathlib.Path(sys.argv[1])
    file = os.open(path, os.O_RDONLY)
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        while True:
            connection, _ = server.accept()
            threading.Thread(target=serve, args=(connection, file, path.stat().st_size), daemon=True).start()


if __name__ == "__main__":
    main()
