"""Serve the browser edition to a class room.

usage: serve_lite.py SITE [PORT]     (`make lite-serve`; PORT=8890 is honoured)"""

from __future__ import annotations

import socket
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(SimpleHTTPRequestHandler):
    """Files of the site, with the types that a browser insists on; keeps its connections."""

    protocol_version = "HTTP/1.1"
    extensions_map = {  # noqa: RUF012
        **SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def log_message(self, *_: object) -> None:
        """Say nothing of each request."""


class Server(ThreadingHTTPServer):
    """A class opens its pages at the same moment, so many may wait to be heard."""

    request_queue_size = 256

    def handle_error(self, request: object, client_address: object) -> None:
        """A page that is closed while it loads is nothing to tell."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def serving(site: Path, host: str, port: int) -> Server:
    """A server that runs beside this thread; port 0 takes a free one."""
    server = Server((host, port), partial(Handler, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def own_address() -> str:
    """The address under which other machines find this one; sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:  # no network
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def main(site: Path, port: int) -> None:
    """Serve until interrupted."""
    if not (site / "index.html").exists():
        raise SystemExit(f"There is no {site}: run `make lite` first.")
    try:
        server = serving(site, "", port)
    except OSError as error:
        why = f"Port {port} can't be used: {error.strerror}. Name another one."
        raise SystemExit(why) from None
    print(f"Serving {site} at http://{own_address()}:{port}/ until Ctrl-C.", flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        server.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 8000)
