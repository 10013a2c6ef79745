"""Serve the browser edition to a class room, and say how many can open it at once.

usage: serve_lite.py SITE [PORT]     (`make lite-serve`; PORT=8890 is honoured)

`make lite-test` notes in SITE/first-page.txt what a browser asks for until the first card works.
With it, this says how much that is, and how many loads of it a second this machine serves."""

from __future__ import annotations

import http.client
import socket
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

LEARNERS = 30
NOTED = "first-page.txt"


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


def serving(site: Path, host: str, port: int, handler: type = Handler) -> Server:
    """A server that runs beside this thread; port 0 takes a free one."""
    server = Server((host, port), partial(handler, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def load(port: int, paths: list[str]) -> int:
    """Ask for each path over one connection; give the bytes that came."""
    connection, came = http.client.HTTPConnection("127.0.0.1", port), 0
    for path in paths:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise OSError(f"{path} was answered with {answer.status}")
        came += len(body)
    connection.close()
    return came


def measured(port: int, paths: list[str], learners: int, clock: Callable[[], float]) -> str:
    """What so many learners got who open the first page at the same moment, in a sentence."""
    begin = clock()
    with ThreadPoolExecutor(learners) as pool:
        sizes = list(pool.map(lambda _: load(port, paths), range(learners)))
    seconds = clock() - begin
    each = sizes[0] / 1e6
    return (
        f"The first lesson is {len(paths)} files, {each:.0f} MB for each learner. {learners} loads"
        f" at once took {seconds:.1f} s here, {learners / seconds:.1f} a second, without a network."
        f" A network of 1 Gbit/s carries at most {1000 / 8 / each:.1f} a second."
    )


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
        raise SystemExit(
            f"Port {port} can't be used: {error.strerror}. Name another one."
        ) from None
    noted = site / NOTED
    if noted.exists():
        print(measured(server.server_port, noted.read_text().split(), LEARNERS, time.monotonic))
    else:
        print("How much a learner loads is not known yet: `make lite-test` finds out.")
    print(
        f"Serving {site} at http://{own_address()}:{server.server_port}/ until Ctrl-C.", flush=True
    )
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        server.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 8000)
