"""Downloads files whole or not at all. A download that was cut is continued; length and hash are compared."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import Message
from http.client import HTTPResponse
from pathlib import Path
from typing import IO

from hicmae_mm.downloads import servers
from hicmae_mm.utils.files import exclusive, write_text

_WORTHWHILE_BYTES = 1 << 20  # after this much, a connection that was cut is opened again
_BLOCK_BYTES = 1 << 20

Progress = Callable[[int], None]  # called with the number of bytes that have arrived


@dataclass(frozen=True)
class WebFile:
    """Describes a file on a web server, and what is known about it.

    Attributes:
        address: ``http://`` or ``https://``.
        size: Length in bytes; None if it is not known.
        checksum: Checksum, for example ``md5:0123...`` or ``sha256:0123...``. The first digits are enough. Empty if not
            known.
        most_bytes: Largest length (bytes). A longer answer is refused.
    """

    address: str
    size: int | None = None
    checksum: str = ''
    most_bytes: int = 64 << 30


def fetch(file: WebFile, path: Path, progress: Progress | None = None) -> None:
    """Downloads a file. Until it is complete, it is called ``.NAME.download``.

    A download that was cut is continued if the server supports this and its file is still the same. If another process
    downloads the same file, this function waits for it.

    Args:
        file: The file to download.
        path: Path of the complete file. If it exists, nothing happens.
        progress: Called with the number of bytes that have arrived.

    Raises:
        ConnectionError: If the server does not answer, stalls, or sends less than it announced. What has arrived is
            kept if the download can be continued.
        FileNotFoundError: If the server has no such file.
        ValueError: If the file is not the expected one, or is too large. Nothing is kept.
        OSError: If the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _partial_file(path) as partial:
        if partial is None:
            return
        try:
            _complete(file, partial, progress or (lambda _: None))
            partial.finish(file, path)
        except BaseException as error:
            if isinstance(error, ValueError) or not partial.can_continue(file):
                partial.discard()
            if isinstance(error, OSError) and error.errno is not None and error.filename is None:
                error.filename = str(path)
            raise


def _complete(file: WebFile, partial: _Partial, progress: Progress) -> None:
    """Requests the rest of the file until it is complete, as long as each request brings something."""
    attempts_left = servers.MOST_ATTEMPTS
    while True:
        attempts_left -= 1
        before = partial.num_bytes
        try:
            _continue(file, partial, progress)
            return
        except servers.BusyError as error:
            if not attempts_left:
                raise
            time.sleep(error.seconds)
        except ConnectionError:
            if not attempts_left or partial.num_bytes - before < _WORTHWHILE_BYTES:
                raise


@dataclass
class _Partial:
    """Holds an incomplete file that this process has locked, and what the server said about it."""

    path: Path
    stream: IO[bytes]
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def num_bytes(self) -> int:
        """Returns the number of bytes that have arrived."""
        return os.fstat(self.stream.fileno()).st_size

    @property
    def notes_path(self) -> Path:
        """Returns the path of the file that keeps the notes for the next attempt."""
        return self.path.with_name(f'{self.path.name}.json')

    def can_continue(self, file: WebFile) -> bool:
        """Tells whether the rest of the same file can be requested."""
        if file.checksum:  # the hash of the complete file is checked at the end
            is_same = self.notes.get('checksum') == file.checksum
        else:
            is_same = bool(self.validator(file))
        return self.num_bytes > 0 and is_same

    def validator(self, file: WebFile) -> str:
        """Returns the server's name for the version that was begun; empty if it gave none."""
        return self.notes.get('validator', '') if self.notes.get('address') == file.address else ''

    def restart(self, file: WebFile, validator: str = '') -> None:
        """Empties the file and notes which version follows."""
        self.stream.seek(0)
        self.stream.truncate()
        self.notes = {'address': file.address, 'checksum': file.checksum, 'validator': validator}
        write_text(self.notes_path, json.dumps(self.notes) + '\n')

    def discard(self) -> None:
        """Removes the incomplete file and its notes."""
        self.path.unlink(missing_ok=True)
        self.notes_path.unlink(missing_ok=True)

    def finish(self, file: WebFile, path: Path) -> None:
        """Checks the hash and gives the file its final name.

        Raises:
            ValueError: If the file has another hash.
        """
        self.stream.flush()
        os.fsync(self.stream.fileno())  # otherwise a power cut may keep the new name and lose the content
        if file.checksum:
            self.stream.seek(0)
            kind, _, digits = file.checksum.partition(':')
            found = hashlib.new(kind)
            while block := self.stream.read(_BLOCK_BYTES):
                found.update(block)
            if not found.hexdigest().startswith(digits):
                raise ValueError(
                    f'{file.address!r} is not the file that was promised: its {kind.upper().replace("SHA", "SHA-")} '
                    f'begins with {found.hexdigest()[:8]}, expected {digits[:8]}; nothing was kept'
                )
        self.path.replace(path)
        self.notes_path.unlink(missing_ok=True)


@contextlib.contextmanager
def _partial_file(path: Path) -> Iterator[_Partial | None]:
    """Opens and locks the incomplete file beside ``path``. Yields None if ``path`` exists by then."""
    name = path.with_name(f'.{path.name}.download')
    while not path.exists():
        with exclusive(name, patience_seconds=math.inf) as descriptor:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
                raise ValueError(f'{name} is not a file of its own: remove it')
            if path.exists() or not _is_still(name, found):
                continue  # another process has completed or removed the file meanwhile
            with os.fdopen(os.dup(descriptor), 'r+b') as stream:
                partial = _Partial(name, stream)
                with contextlib.suppress(OSError, ValueError, TypeError):
                    notes = json.loads(partial.notes_path.read_text(encoding='utf-8'))
                    partial.notes = {key: str(notes.get(key, '')) for key in ('address', 'checksum', 'validator')}
                yield partial
            return
    yield None


def _is_still(path: Path, found: os.stat_result) -> bool:
    try:
        return os.path.samestat(found, path.lstat())
    except FileNotFoundError:
        return False


def _continue(file: WebFile, partial: _Partial, progress: Progress) -> None:
    """Requests the missing bytes and appends them."""
    there = partial.num_bytes if partial.can_continue(file) else 0
    if file.size is not None and there == file.size:
        return
    headers = {'Range': f'bytes={there}-'} if there else {}
    if there and partial.validator(file):
        headers['If-Range'] = partial.validator(file)
    try:
        answer = servers.open_address(file.address, headers)
    except servers.NotSatisfiableError:
        partial.restart(file)
        answer = servers.open_address(file.address)
    with answer:
        start, total = _extent(answer)
        if start != there or start == 0:
            if start:
                raise ConnectionError(f'{file.address}: the server sends from byte {start}, asked for {there}')
            partial.restart(file, _validator(answer.headers))
        if file.size is not None and total is not None and total != file.size:
            raise ValueError(f'{file.address!r} has {total} bytes, expected {file.size}: it is another file')
        expected = file.size if total is None else total
        partial.stream.seek(start)
        progress(start)
        try:
            left = None if expected is None else expected - start
            for block in servers.blocks(answer, left, file.most_bytes - start, file.address):
                partial.stream.write(block)
                progress(partial.stream.tell())
        finally:
            partial.stream.flush()


def _extent(answer: HTTPResponse) -> tuple[int, int | None]:
    """Returns the position in the file at which the answer begins, and the length of the complete file."""
    if answer.status != 206:
        return 0, servers.number(answer.headers.get('Content-Length'))
    match = re.fullmatch(r'bytes (\d+)-\d+/(\d+|\*)', answer.headers.get('Content-Range', ''))
    if match is None:
        raise ConnectionError(f'{answer.url}: the server does not say which part of the file it sends')
    return int(match[1]), servers.number(match[2])


def _validator(headers: Message) -> str:
    """Returns a name of this version of the file from the headers. Weak tags do not identify a version."""
    tag = headers.get('ETag', '')
    return tag if tag and not tag.startswith('W/') else headers.get('Last-Modified', '')
