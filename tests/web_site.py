"""A web server of this machine, for tests: with ranges or without, and with the faults that servers have."""

from __future__ import annotations

import contextlib
import http.server
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Fault:
    """What goes wrong when a file is asked for.

    Attributes:
        num_bytes: So many bytes of the body are sent; -1: all.
        stalls: Then nothing more comes, and the connection stays; else it is closed.
        status: Another status than success, and no body.
        headers: Further headers.
        seconds_per_byte: The body comes byte by byte, that slowly.
    """

    num_bytes: int = -1
    stalls: bool = False
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    seconds_per_byte: float = 0.0


@dataclass
class Site:
    """What a server has, does, and was asked for.

    Attributes:
        address: Without a slash at the end.
        files: Path -> content.
        faults: Path -> faults of the next requests, one each.
        has_ranges: Whether parts of files are sent.
        validators: Whether it says which version of a file it sends.
        requests: Path and Range header of each request.
        released: Set in the end, for connections that stall.
    """

    address: str = ''
    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    has_ranges: bool = True
    validators: bool = True
    requests: list[tuple[str, str]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)


class _Handler(http.server.BaseHTTPRequestHandler):
    site: Site

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self.site.requests.append((path, self.headers.get('Range', '')))
        faults = self.site.faults.get(path, [])
        fault = faults.pop(0) if faults else Fault()
        if fault.status:
            self._head(fault.status, 0, fault.headers)
        elif path not in self.site.files:
            self._head(404, 0, {})
        else:
            self._send(self.site.files[path], fault)

    def _head(self, status: int, length: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {'Content-Length': str(length), **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, content: bytes, fault: Fault) -> None:
        tag = f'"{hash(content):x}"'
        headers = {**fault.headers, **({'ETag': tag} if self.site.validators else {})}
        wanted = re.fullmatch(r'bytes=(\d+)-', self.headers.get('Range', ''))
        is_same = self.headers.get('If-Range', tag) == tag
        start = int(wanted[1]) if wanted and is_same and self.site.has_ranges else 0
        if start >= max(len(content), 1):
            self._head(416, 0, {})
            return
        if start:
            headers['Content-Range'] = f'bytes {start}-{len(content) - 1}/{len(content)}'
        self._head(206 if start else 200, len(content) - start, headers)
        body = content[start:] if fault.num_bytes < 0 else content[start:][: fault.num_bytes]
        with contextlib.suppress(ConnectionError):
            if fault.seconds_per_byte:
                for byte in body:
                    self.wfile.write(bytes([byte]))
                    time.sleep(fault.seconds_per_byte)
            else:
                self.wfile.write(body)
            self.wfile.flush()
            if fault.stalls:
                self.site.released.wait(20)


@contextlib.contextmanager
def running_site() -> Iterator[Site]:
    """A server with no files, at a free port."""
    site = Site()
    handler = type('Handler', (_Handler,), {'site': site})
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler)
    site.address = f'http://127.0.0.1:{server.server_port}'
    thread = threading.Thread(target=server.serve_forever, kwargs={'poll_interval': 0.02})
    thread.start()
    try:
        yield site
    finally:
        site.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
