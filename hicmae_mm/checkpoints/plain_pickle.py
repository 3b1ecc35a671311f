"""Reading pickles of tensors and plain values, without running code and within limits.

``torch.load(weights_only=True)`` runs no foreign code either, but it lets a file of some bytes ask for any amount of
memory (``bytearray(2**40)``, a range made a list), and takes the sizes of tensors from the file unchecked.
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

MAX_STEPS = 1_500_000  # reads of an unpickler, about two per value; a whole training state needs some ten thousand
MAX_VALUES = 500_000  # in what was read, those that it repeats counted every time
_LONGEST_NAME = 1000
# the opcodes of protocol 2, which torch.save writes; without those that import by other ways
_OPCODES = b'(.0NJKMI\x8a\x8b\x88\x89GXUcR\x81bQaesuhjqr}])t\x85\x86\x87\x80'


class BoundedReader:
    """What an unpickler reads from: no more than there is, and not for ever.

    Args:
        file: Open for reading.
        size: Bytes that it has.
    """

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file, self.size, self.steps = file, size, 0

    def read(self, count: int = -1) -> bytes:
        """Reads so many bytes.

        Raises:
            UnpicklingError: The file ends before, or holds too many values.
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
            UnpicklingError: It does not end.
        """
        line = self.file.readline(_LONGEST_NAME)
        if not line.endswith(b'\n'):
            raise pickle.UnpicklingError('a name in it does not end')
        return line


def check_size(content: Any) -> None:
    """Raises UnpicklingError for lists within themselves, and for copies of copies of copies."""
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


class PlainUnpickler(pickle._Unpickler):
    """Reads tensors and plain values.

    Args:
        file: To read from.
        find_storage: Makes the storage that a persistent id describes.
    """

    dispatch: ClassVar[dict[int, Callable[..., Any]]] = {code: _DISPATCH[code] for code in _OPCODES}

    def __init__(self, file: BoundedReader, find_storage: Callable[[Any], Any] | None = None) -> None:
        super().__init__(file, encoding='latin1')
        self.find_storage = find_storage

    def find_class(self, module: str, name: str) -> Any:
        """What stands for a name in the file.

        Raises:
            UnpicklingError: The name is not allowed.
        """
        return find(module, name)

    def persistent_load(self, pid: Any) -> Any:
        """The storage of a tensor."""
        if self.find_storage is None:
            raise pickle.UnpicklingError('a tensor in it has no content')
        return self.find_storage(pid)

    def load_reduce(self) -> None:
        """Calls what ``find_class`` has given, and nothing else."""
        values = self.stack.pop()  # type: ignore[attr-defined]
        make = self.stack[-1]  # type: ignore[attr-defined]
        if not isinstance(values, tuple) or not may_be_called(make):
            raise pickle.UnpicklingError(f'it calls a {type(make).__name__}, which is not allowed')
        self.stack[-1] = make(*values)  # type: ignore[attr-defined]

    dispatch[pickle.REDUCE[0]] = load_reduce

    def load_newobj(self) -> None:
        """Makes an empty object of a class whose content follows."""
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
        """Fills an object."""
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
