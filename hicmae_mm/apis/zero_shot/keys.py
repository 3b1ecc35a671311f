"""Keys of the accounts at an endpoint, of which another is used when one has reached its limit."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from hicmae_mm.datasets.text_files import read_text

_HIDDEN = '(key)'
_LEAST_SECRET = 8  # characters; servers on one's own machine take words such as none, which answers have, too


class KeyRing:
    """Chooses the key of each request: the same one until it has to pause or works no more, then the next.

    Args:
        keys: The keys. Without any, requests are sent without a key.

    Raises:
        ValueError: If a key has characters that no header may have. The message does not show the key.

    Example:
        >>> ring = KeyRing(['first', 'second'])
        >>> ring.pause(ring.choose(), seconds=60.0)  # the other one can be used at once
        0.0
        >>> ring.choose()
        'second'
    """

    def __init__(self, keys: Sequence[str] = ()) -> None:
        for place, key in enumerate(keys, start=1):
            if not key or not key.isascii() or not key.isprintable() or ' ' in key:
                raise ValueError(f'key {place} of {len(keys)} is not one word of ASCII characters; check its file')
        self._all = tuple(dict.fromkeys(keys))
        self._free_at = dict.fromkeys(keys, 0.0)  # of the keys that still work
        self._current: str | None = next(iter(keys), None)
        self._lock = threading.Lock()

    @property
    def count(self) -> int:
        """Returns the number of keys, with those that work no more."""
        return len(self._all)

    def __repr__(self) -> str:
        """Shows the number of keys, and never the keys."""
        return f'KeyRing({len(self._free_at)} of {self.count} keys work)'

    def choose(self) -> str | None:
        """Returns the key for the next request; None if there are no keys."""
        with self._lock:
            now = time.monotonic()
            if self._current is None or self._free_at.get(self._current, now + 1) > now:
                free = [key for key, at in self._free_at.items() if at <= now]
                self._current = next(iter(free), min(self._free_at, key=lambda key: self._free_at[key], default=None))
            return self._current

    def pause(self, key: str | None, seconds: float) -> float:
        """Keeps a key from being used for some time, because the server says that it is used too much.

        Returns:
            Seconds until a key can be used: 0 if there is another one.
        """
        with self._lock:
            now = time.monotonic()
            if key in self._free_at:
                self._free_at[key] = now + seconds
            others = [max(at - now, 0.0) for other, at in self._free_at.items() if other != key]
            return min([seconds, *others])

    def drop(self, key: str | None) -> bool:
        """Uses a key no more. Returns whether another one is left."""
        with self._lock:
            if key is not None:
                self._free_at.pop(key, None)
            return bool(self._free_at)

    def hide(self, text: str) -> str:
        """Removes the keys from what a server sends, so that they appear in no message and no file.

        They are also found as they stand in JSON and in addresses. Keys of less than 8 characters are no secrets.
        """
        for key in (key for key in self._all if len(key) >= _LEAST_SECRET):
            for form in (key, json.dumps(key)[1:-1], json.dumps(key)[1:-1].replace('/', r'\/'), quote(key, safe='')):
                text = text.replace(form, _HIDDEN)
        return text


def read_keys(variable: str, file: Path | None = None, environment: Mapping[str, str] | None = None) -> list[str]:
    """Reads keys from a file or from an environment variable.

    Args:
        variable: Name of the variable. It can hold several keys, with commas or spaces between them.
        file: File with a key in each line, which goes before the variable. Empty lines and those that begin with ``#``
            do not count.
        environment: The environment; None means that of the process.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file has no key.
    """
    if file is None:
        found = (os.environ if environment is None else environment).get(variable, '')
        return list(dict.fromkeys(found.replace(',', ' ').split()))
    if not file.is_file():
        raise FileNotFoundError(f'{file}: there is no such file of keys')
    lines = [line.strip() for line in read_text(file).splitlines()]
    keys = list(dict.fromkeys(line for line in lines if line and not line.startswith('#')))
    if not keys:
        raise ValueError(f'{file} has no key; write one in each line')
    return keys
