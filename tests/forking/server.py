"""Runs the programs of a shell's ``python PROGRAM`` commands by :mod:`tests.forking.programs`."""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from tests.forking.programs import start

_CLIENT = Path(__file__).with_name('client.py')
FUNCTION = f'python() {{ "{sys.executable}" -I -S "{_CLIENT}" "$@"; }}'
"""Definition for a shell in the environment of :func:`forking_python`, which makes its ``python`` fork."""


@contextmanager
def forking_python() -> Iterator[dict[str, str]]:
    """Starts the server, and yields the environment variables by which :data:`FUNCTION` finds it."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
        address = str(Path(folder) / 'server')
        server.bind(address)
        server.listen()
        Thread(target=_accept, args=(server,), daemon=True).start()
        yield dict(FORKING_SERVER=address)
        server.shutdown(socket.SHUT_RDWR)  # ends the thread


def _accept(server: socket.socket) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:  # closed
            return
        Thread(target=_answer, args=(connection,), daemon=True).start()


def _answer(connection: socket.socket) -> None:
    """Reads descriptors, command, folder and variables; sends the status when the program has ended."""
    with connection:
        data, descriptors, _, _ = socket.recv_fds(connection, 1, 2)
        with connection.makefile('rb') as stream:
            asked = json.loads(data + stream.read())
        process = start(asked['command'], Path(asked['folder']), asked['environment'], *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        process.join()
        connection.sendall(str(process.exitcode).encode())
