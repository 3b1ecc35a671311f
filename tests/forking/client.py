"""Asks the server of tests/forking/server.py to run a program; anything else runs in a new Python.

It stands alone, because nothing but a few modules of the standard library is imported in milliseconds.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path

if len(sys.argv) < 2 or not sys.argv[1].endswith('.py'):
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
asked = {'command': sys.argv[1:], 'folder': str(Path.cwd()), 'environment': dict(os.environ)}
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(os.environ['FORKING_SERVER'])
    data = json.dumps(asked).encode()
    socket.send_fds(connection, [data[:1]], [1, 2])
    connection.sendall(data[1:])
    connection.shutdown(socket.SHUT_WR)
    status = int(connection.makefile().read())
sys.exit(status if status >= 0 else 128 - status)
