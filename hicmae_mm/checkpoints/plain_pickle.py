"""Reads pickles of tensors and plain values without executing code, and within limits of memory and time.

``torch.load(weights_only=True)`` does not execute foreign code either. But with it a small file can request any amount
of memory (``bytearray(2**40)``, or a range that becomes a list), and sizes of tensors are not checked.
"""

from __future__ import annotations

import argparse
import pickle
import types
from collections.abc import Callable
from typing import Any, BinaryIO, ClassVar

import torch
from mmengine.logging import HistoryBuffer

from hicmae_mm.checkpoints.plain_values import check_keys, fill, find, may_be_called

MAX_STEPS = 1_500_000  # reads of an unpickler, about two per value; a training state needs some ten thousand
MAX_VALUES = 500_000  # values in the result; repeated values count every time
_LONGEST_NAME = 1000
# the opcodes of protocol 2, which torch.save writes, without those that can import modules in other ways
_OPCODES = b'(.0NJKMI\x8a\x8b\x88\x89GXUcR\x81bQaesuhjqr}])t\x85\x86\x87\x80'


class BoundedReader:
    """Reads the input of an unpickler, with a limit on the bytes and on the number of reads.

    Args:
        file: File that is open for reading.
        size: Size of the file (bytes).
    """

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file, self.size, self.steps = file, size, 0

    def read(self, count: int = -1) -> bytes:
        """Reads ``count`` bytes.

        Raises:
            UnpicklingError: If the file ends earlier, or contains too many values.
        """
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise pickle.UnpicklingError('it holds more values than any training state')
        if count < 0 or count > self.size - self.file.tell():
            raise pickle.UnpicklingError('the file ends too early')
        return self.file.read(count)

    def readline(self) -> bytes:
        """Reads a name.

        Raises:
            UnpicklingError: If the name is too long, or does not end.
        """
        line = self.file.readline(_LONGEST_NAME)
        if not line.endswith(b'\n'):
            raise pickle.UnpicklingError('a name in it does not end')
        return line


def check_size(content: Any) -> None:
    """Raises UnpicklingError for lists that contain themselves, and for values that repeat each other too often."""
    waiting, count = [content], 0
    while waiting:
        value = waiting.pop()
        count += 1
        if count > MAX_VALUES:
            raise pickle.UnpicklingError('it repeats its values too often, or without end')
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, (list, tuple, set, frozenset)) and not isinstance(value, torch.Size):
            waiting.extend(value)
        elif isinstance(value, (argparse.Namespace, types.SimpleNamespace)):
            waiting.append(vars(value))


_DISPATCH: dict[int, Callable[..., Any]] = pickle._Unpickler.dispatch


class _Operations(dict[int, Callable[..., Any]]):
    """Lists the allowed operations. Any other one is refused by its code."""

    def __missing__(self, code: int) -> Callable[..., Any]:
        raise pickle.UnpicklingError(f'its pickle is damaged: torch.save does not write operation {code:#04x}')


class PlainUnpickler(pickle._Unpickler):
    """Unpickles tensors and plain values.

    Args:
        file: Input of the unpickler.
        find_storage: Function that makes the storage for a persistent id; None if the pickle has no tensors.
    """

    dispatch: ClassVar[dict[int, Callable[..., Any]]] = _Operations({code: _DISPATCH[code] for code in _OPCODES})

    def __init__(self, file: BoundedReader, find_storage: Callable[[Any], Any] | None = None) -> None:
        super().__init__(file, encoding='latin1')
        self.find_storage = find_storage

    def find_class(self, module: str, name: str) -> Any:
        """Returns the class or function for a name in the file.

        Raises:
            UnpicklingError: If the name is not allowed.
        """
        return find(module, name)

    def persistent_load(self, pid: Any) -> Any:
        """Returns the storage of a tensor."""
        if self.find_storage is None:
            raise pickle.UnpicklingError('a tensor in it has no content')
        return self.find_storage(pid)

    def load_reduce(self) -> None:
        """Calls a function, if ``find_class`` has returned it."""
        values = self.stack.pop()  # type: ignore[attr-defined]
        make = self.stack[-1]  # type: ignore[attr-defined]
        if not isinstance(values, tuple) or not may_be_called(make):
            raise pickle.UnpicklingError(f'it calls a {type(make).__name__}, which is not allowed')
        self.stack[-1] = make(*values)  # type: ignore[attr-defined]

    dispatch[pickle.REDUCE[0]] = load_reduce

    def load_newobj(self) -> None:
        """Makes an empty object of a class. Its content follows in the file."""
        values, kind = self.stack.pop(), self.stack.pop()  # type: ignore[attr-defined]
        if any(kind is known for known in (HistoryBuffer, argparse.Namespace, types.SimpleNamespace)):
            made = kind.__new__(kind)
        elif may_be_called(kind) and isinstance(values, tuple):
            made = kind(*values)
        else:
            raise pickle.UnpicklingError(f'it makes an object of a {type(kind).__name__}, which is not allowed')
        self.append(made)  # type: ignore[attr-defined]

    dispatch[pickle.NEWOBJ[0]] = load_newobj

    def load_build(self) -> None:
        """Sets the content of an object."""
        state = self.stack.pop()  # type: ignore[attr-defined]
        fill(self.stack[-1], state)  # type: ignore[attr-defined]

    dispatch[pickle.BUILD[0]] = load_build

    def load_setitem(self) -> None:
        """Enters a value into a dictionary."""
        check_keys(self.stack[-2:-1])  # type: ignore[attr-defined]
        super().load_setitem()  # type: ignore[misc]

    dispatch[pickle.SETITEM[0]] = load_setitem

    def load_setitems(self) -> None:
        """Enters values into a dictionary."""
        check_keys(self.stack[::2])  # type: ignore[attr-defined]
        super().load_setitems()  # type: ignore[misc]

    dispatch[pickle.SETITEMS[0]] = load_setitems
