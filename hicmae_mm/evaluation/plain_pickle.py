"""Reads pickles of plain values, numpy arrays and torch tensors without running anything that they ask for.

No function of numpy or torch is called by the file: what rebuilds an array stands in here, and checks its arguments.
"""

from __future__ import annotations

import io
import math
import pickle
import re
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

_DEEPEST = 64  # of marks that are open at once, and of values within values
_BYTES_PER_OBJECT = 4  # fewer than any real file needs for a container or a memo
_DTYPE = re.compile(r'\|?b1|[iuf][1248]')
_TEXT_DTYPE = re.compile(r'U\d{1,6}|O8?')
_STORAGES = {
    'DoubleStorage': 'f8',
    'FloatStorage': 'f4',
    'HalfStorage': 'f2',
    'BFloat16Storage': 'u2',
    'LongStorage': 'i8',
    'IntStorage': 'i4',
    'ShortStorage': 'i2',
    'CharStorage': 'i1',
    'ByteStorage': 'u1',
    'BoolStorage': 'b1',
}


def read_plain(content: bytes, has_text: bool = False) -> Any:
    """Reads a pickle.

    Args:
        content: Bytes of the file. Time and memory are bounded by its size.
        has_text: Whether arrays may hold text, or plain values one by one; they are read as lists.

    Returns:
        Lists, tuples, dictionaries, text, numbers and numpy arrays; tensors are arrays as well.

    Raises:
        ValueError: If the file is damaged, too deep, or asks for anything else, which is named.
    """
    try:
        unpickler = (_TextUnpickler if has_text else _PlainUnpickler)(io.BytesIO(content), len(content))
        return _resolve(unpickler.load(), [16 * len(content)])
    except ValueError:
        raise
    except pickle.UnpicklingError as error:
        raise ValueError(str(error)) from error
    except Exception as error:  # a damaged pickle fails in any operation
        raise ValueError(f'it is damaged ({type(error).__name__})') from error


class _Array:
    """Stands in for an array that is being rebuilt. An array of objects becomes a list."""

    value: Any

    def __init__(self, *_: Any) -> None:
        self.value = np.empty(0)

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, is_fortran, data = state
        if isinstance(dtype, _DType) and dtype.value.kind == 'O':
            if not isinstance(data, list) or shape != (len(data),):
                raise ValueError('it holds an array of objects that is no plain list')
            self.value = data
        else:
            self.value = _shaped(data, dtype, shape, 'F' if is_fortran else 'C')


class _DType:
    """Stands in for the element type of an array: numbers and truth values only."""

    pattern = _DTYPE

    def __init__(self, code: Any, *_: Any) -> None:
        if not isinstance(code, str) or not self.pattern.fullmatch(code):
            raise ValueError(f'it holds an array of type {str(code)[:20]!r}; expected numbers')
        self.value = np.dtype(code)

    def __setstate__(self, state: Any) -> None:
        _, order, subtype, names, fields = state[:5]
        if order not in ('<', '>', '=', '|') or any(part is not None for part in (subtype, names, fields)):
            raise ValueError('it holds an array of a structured type; expected numbers')
        self.value = self.value.newbyteorder(order)


class _TextDType(_DType):
    """Replaces the type of text, and of objects in a list."""

    pattern = re.compile(f'{_DTYPE.pattern}|{_TEXT_DTYPE.pattern}')


class _Storage:
    """Names the element type of a tensor's storage."""

    def __init__(self, code: str, is_bfloat16: bool) -> None:
        self.code, self.is_bfloat16 = code, is_bfloat16


def _shaped(data: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    if not isinstance(dtype, _DType) or not isinstance(data, bytes):
        raise ValueError('it holds an array that is no array of numbers')
    flat = np.frombuffer(data, dtype.value)
    if math.prod(shape) != len(flat):
        raise ValueError(f'it holds an array of shape {shape} with {len(flat)} elements')
    array: np.ndarray = flat.reshape(shape, order='F' if order == 'F' else 'C').copy()
    return array


def _scalar(dtype: Any, data: Any) -> Any:
    return _shaped(data, dtype, (), 'C').item()


def _encode(text: Any, encoding: Any = 'latin1') -> bytes:
    """Reads bytes in the form of old pickles."""
    if not isinstance(text, str) or encoding not in ('latin1', 'latin-1'):
        raise ValueError('it is damaged: bytes are spelt in no known way')
    return text.encode('latin1')


def _tensor(storage: Any, offset: Any, size: Sequence[int], stride: Sequence[int], *_: Any) -> np.ndarray:
    """Returns a strided view of a storage, within its bounds."""
    numbers = (offset, *size, *stride)
    if not isinstance(storage, np.ndarray) or not all(type(number) is int and number >= 0 for number in numbers):
        raise ValueError('it holds a tensor that is damaged')
    count = math.prod(size)
    last = offset + sum((length - 1) * step for length, step in zip(size, stride)) if count else -1
    if len(size) != len(stride) or count > len(storage) or last >= len(storage):
        raise ValueError('it holds a tensor that is larger than its storage')
    if not count:
        return np.empty(size, storage.dtype)
    steps = [step * storage.itemsize for step in stride]
    array: np.ndarray = np.lib.stride_tricks.as_strided(storage[offset:], size, steps).copy()
    return array


def _storage(content: Any) -> np.ndarray:
    """Reads the numbers of a storage, which torch keeps in an entry of its own within the archive."""
    if not isinstance(content, bytes):
        raise ValueError('it holds a tensor that is damaged')
    file = io.BytesIO(content)
    for _ in range(3):  # magic number, version, machine
        _PlainUnpickler(file, len(content)).load()
    reader = _PlainUnpickler(file, len(content))
    found = reader.load()
    _PlainUnpickler(file, len(content)).load()  # keys of the storages, here one
    if not isinstance(found, _Storage):
        raise ValueError('it holds a tensor that is damaged')
    numbers = np.frombuffer(file.read()[8:], np.dtype(found.code).newbyteorder('<'))  # behind their count
    return (numbers.astype(np.uint32) << 16).view(np.float32) if found.is_bfloat16 else numbers


_KNOWN: dict[tuple[str, str], Any] = {
    ('_codecs', 'encode'): _encode,
    ('collections', 'OrderedDict'): dict,
    ('numpy', 'dtype'): _DType,
    ('numpy', 'ndarray'): _Array,
    ('torch._utils', '_rebuild_tensor_v2'): _tensor,
    ('torch.storage', '_load_from_bytes'): _storage,
}
for _package in ('numpy.core', 'numpy._core'):
    _KNOWN[f'{_package}.multiarray', '_reconstruct'] = _Array
    _KNOWN[f'{_package}.multiarray', 'scalar'] = _scalar
    _KNOWN[f'{_package}.numeric', '_frombuffer'] = _shaped


class _PlainUnpickler(pickle._Unpickler):  # the C one allots memory as asked
    """Knows no names but those above, and no operation that makes objects in another way."""

    metastack: list[list[Any]]
    dispatch: ClassVar[dict[int, Callable[..., None]]] = dict(pickle._Unpickler.dispatch)

    def __init__(self, file: io.BytesIO, num_bytes: int) -> None:
        super().__init__(file)
        self._left = 1000 + num_bytes // _BYTES_PER_OBJECT

    def find_class(self, module: str, name: str) -> Any:
        """Looks a name up among the known ones."""
        if module == 'torch' and name in _STORAGES:
            return _Storage(_STORAGES[name], name.startswith('BFloat'))
        try:
            return _KNOWN[module, name]
        except KeyError:
            asked = f'{module}.{name}'[:100]
            raise ValueError(f'it asks for {asked}, which could run code; it may hold plain values only') from None

    def persistent_load(self, pid: Any) -> Any:
        """Returns the element type of the storage that follows."""
        if isinstance(pid, tuple) and len(pid) > 1 and pid[0] == 'storage' and isinstance(pid[1], _Storage):
            return pid[1]
        raise ValueError('it refers to something outside of it')

    def spend(self) -> None:
        """Counts what takes many times the bytes that ask for it."""
        self._left -= 1
        if self._left < 0 or len(self.metastack) > _DEEPEST:
            raise ValueError('it would take far more memory than its size')


class _TextUnpickler(_PlainUnpickler):
    """Reads arrays of text as well."""

    def find_class(self, module: str, name: str) -> Any:
        """Looks a name up among the known ones."""
        return _TextDType if (module, name) == ('numpy', 'dtype') else super().find_class(module, name)


_MAKE_OBJECTS = ('INST', 'OBJ', 'NEWOBJ', 'NEWOBJ_EX', 'EXT1', 'EXT2', 'EXT4', 'PERSID')
_MAKE_SETS = ('EMPTY_SET', 'FROZENSET', 'ADDITEMS')
_TAKE_MEMORY = ('EMPTY_LIST', 'EMPTY_DICT', 'LIST', 'DICT', 'MARK', 'MEMOIZE', 'PUT', 'BINPUT', 'LONG_BINPUT', 'DUP')
for _name in (*_MAKE_OBJECTS, *_MAKE_SETS):
    del _PlainUnpickler.dispatch[getattr(pickle, _name)[0]]


def _counted(load: Callable[..., None]) -> Callable[..., None]:
    def run(self: _PlainUnpickler) -> None:
        self.spend()
        load(self)

    return run


for _name in (*_TAKE_MEMORY, 'REDUCE'):
    _code = getattr(pickle, _name)[0]
    _PlainUnpickler.dispatch[_code] = _counted(_PlainUnpickler.dispatch[_code])


def _resolve(value: Any, left: list[int], depth: int = 0) -> Any:
    """Puts arrays in place of what stood in for them; a value that occurs many times counts every time."""
    left[0] -= 1
    if left[0] < 0 or depth > _DEEPEST:
        raise ValueError('its values are too deep, or repeat each other without end')
    if isinstance(value, _Array):
        return _resolve(value.value, left, depth + 1)
    if isinstance(value, np.ndarray) and value.dtype.kind == 'U':
        return value.tolist()
    if isinstance(value, dict):
        return {_key(key): _resolve(item, left, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_resolve(item, left, depth + 1) for item in value)
    if value is None or isinstance(value, (bool, int, float, str, bytes, np.ndarray)):
        return value
    raise ValueError(f'it holds a {type(value).__name__.lstrip("_")} where a value was expected')


def _key(key: Any) -> Any:
    if not isinstance(key, (str, int)):
        raise ValueError('it holds a dictionary whose keys are no names')
    return key
