"""Lists the names that the pickle of a checkpoint may use, and the checked functions that replace them."""

from __future__ import annotations

import _compat_pickle
import argparse
import collections
import datetime
import functools
import pathlib
import pickle
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch import Tensor

MAX_RANGE = 1_000_000
_HISTORY_METHODS = ('min', 'max', 'current', 'mean')
_PATH_NAMES = ('PosixPath', 'WindowsPath', 'PurePosixPath', 'PureWindowsPath', 'Path', 'PurePath')
_FILLED = (argparse.Namespace, types.SimpleNamespace, HistoryBuffer, collections.OrderedDict)
_PLAIN_KINDS = 'biufcSU'  # kinds of numpy's dtypes that hold no Python objects


class _Placeholder:
    """Replaces a class that files only name and never call."""


def _history_method(owner: object, name: str) -> Callable[..., Any]:
    """Stands in for ``getattr``, as which pickle stores the methods that a ``HistoryBuffer`` lists."""
    if owner is HistoryBuffer and name in _HISTORY_METHODS:
        method: Callable[..., Any] = HistoryBuffer.__dict__[name]
        return method
    raise pickle.UnpicklingError(f'it asks for attribute {name!r} of {owner!r}, which is not allowed')


def _dictionary(factory: object = None) -> dict[str, Any]:  # noqa: ARG001 (what a defaultdict makes of unknown keys)
    return {}


def _range(*limits: int) -> range:
    made = range(*limits)
    if not -MAX_RANGE <= made.start <= made.stop <= MAX_RANGE:
        raise pickle.UnpicklingError(f'it asks for {made}, more than {MAX_RANGE} numbers')
    return made


def _collected(kind: Callable[..., Any], *values: Any) -> Any:
    """Builds a set, tuple or the like of values that the file holds one by one. A range is refused: it may be huge."""
    if any(not isinstance(value, (list, tuple, set, frozenset, dict)) for value in values):
        raise pickle.UnpicklingError(f'it makes a {kind.__name__} of {type(values[0]).__name__}, which is not allowed')
    if kind in (set, frozenset) and values:
        check_keys(values[0])
    return kind(*values)


def check_keys(keys: Iterable[Any]) -> None:
    """Raises UnpicklingError for keys whose hash could take too long, such as a tuple that repeats tuples."""
    for key in keys:
        parts = key if isinstance(key, tuple) else (key,)
        if any(not isinstance(part, (str, bytes, int, float, complex, type(None))) for part in parts):
            raise pickle.UnpicklingError(f'a {type(key).__name__} is a key in it, which is not allowed')


def _text(*values: Any) -> str:
    if any(not isinstance(value, str) for value in values):
        raise pickle.UnpicklingError('it makes text of something else, which is not allowed')
    return str(*values)


def _number(kind: Callable[..., Any], *values: Any) -> Any:
    if any(not isinstance(value, (int, float, complex)) for value in values):
        raise pickle.UnpicklingError(f'it makes {kind.__name__} of something else than a number, which is not allowed')
    return kind(*values)


def _encoded(text: str, encoding: str = 'latin1') -> bytes:
    """Makes bytes, which protocol 2 stores as text."""
    if encoding != 'latin1' or not isinstance(text, str):
        raise pickle.UnpicklingError(f'it encodes by {encoding!r}, which is not allowed')
    return text.encode('latin1')


def _no_bytes() -> bytes:
    """Makes empty bytes, which protocol 2 stores as this call."""
    return b''


def _numpy_type(code: object, align: bool = False, copy: bool = True) -> np.dtype:
    made = np.dtype(code, align=align, copy=copy) if isinstance(code, str) else None
    if made is None or made.kind not in _PLAIN_KINDS or made.names:
        raise pickle.UnpicklingError('it holds an array of numpy that is neither of numbers nor of text')
    return made


def _empty_array(kind: object, shape: object, code: object) -> np.ndarray:  # noqa: ARG001 (always 'b')
    """Replaces NumPy's ``_reconstruct``, which makes an empty array. Its content follows in the file."""
    if kind is not np.ndarray or not isinstance(shape, tuple) or shape != (0,):
        raise pickle.UnpicklingError('it makes an array of numpy before there is content for it')
    return np.empty((0,), 'b')


def _numpy_scalar(dtype: object, content: object = None) -> Any:
    if not isinstance(dtype, np.dtype) or not isinstance(content, bytes) or len(content) != dtype.itemsize:
        raise pickle.UnpicklingError('it holds a damaged number of numpy')
    return np.frombuffer(content, dtype)[0]


def check_view(storage_bytes: int, item_bytes: int, offset: int, size: Any, stride: Any) -> None:
    """Raises UnpicklingError for a tensor that exceeds its storage, or repeats the storage too often.

    Without this check a small file could define a tensor of 2**60 elements by one number.

    Args:
        storage_bytes: Size of the storage (bytes).
        item_bytes: Size of an element (bytes).
        offset: First element in the storage.
        size: Shape of the tensor.
        stride: Strides of the tensor, in elements.
    """
    if not isinstance(size, tuple) or not isinstance(stride, tuple):
        raise pickle.UnpicklingError('a tensor in it has no shape')
    numbers = (offset, *size, *stride)
    if len(size) != len(stride) or any(type(number) is not int or number < 0 for number in numbers):
        raise pickle.UnpicklingError('a tensor in it has an impossible shape')
    count, last = 1, offset
    for length, step in zip(size, stride):
        count, last = count * length, last + (length - 1) * step
    if not count:
        return
    if (last + 1) * item_bytes > storage_bytes:
        raise pickle.UnpicklingError(f'a tensor of shape {tuple(size)} needs more than the {storage_bytes} bytes of it')
    if count * item_bytes > max(16 * storage_bytes, 1 << 16):
        raise pickle.UnpicklingError(f'a tensor of shape {tuple(size)} expands {storage_bytes} stored bytes')


def _view(storage: Any, offset: int, size: Any, stride: Any, *_: Any, **__: Any) -> Tensor:
    """Replaces ``torch._utils._rebuild_tensor_v2``, which makes a tensor from a part of a storage."""
    if not isinstance(storage, torch.storage.TypedStorage):
        raise pickle.UnpicklingError('it makes a tensor of something that is not a storage')
    content = storage._untyped_storage
    check_view(content.nbytes(), storage.dtype.itemsize, offset, size, stride)
    return torch.empty(0, dtype=storage.dtype, device=content.device).set_(content, offset, size, stride)


def _view_of_type(
    storage: Any, offset: int, size: Any, stride: Any, _requires_grad: bool, _hooks: Any, dtype: Any, *_: Any
) -> Tensor:
    """Replaces ``torch._utils._rebuild_tensor_v3``, which makes a tensor from a part of an untyped storage."""
    if isinstance(storage, torch.storage.TypedStorage) and isinstance(dtype, torch.dtype):
        storage = torch.storage.TypedStorage(wrap_storage=storage._untyped_storage, dtype=dtype, _internal=True)
    return _view(storage, offset, size, stride)


def _parameter(data: Any, *_: Any) -> Tensor:
    if not isinstance(data, Tensor):
        raise pickle.UnpicklingError('it makes a parameter of something that is not a tensor')
    return data


def _with_attributes(make: Any, kind: object, values: Any, state: object) -> Tensor:  # noqa: ARG001
    if not may_be_called(make) or not isinstance(values, tuple):
        raise pickle.UnpicklingError('it makes a tensor in a way that is not allowed')
    tensor: Tensor = make(*values)  # attributes of tensors are not weights
    return tensor


def _allowed() -> dict[str, Any]:
    """Returns the allowed names, and the class or function for each."""
    found: dict[str, Any] = {
        'argparse.Namespace': argparse.Namespace,
        'types.SimpleNamespace': types.SimpleNamespace,
        'collections.OrderedDict': functools.partial(_collected, collections.OrderedDict),
        'collections.Counter': functools.partial(_collected, dict),
        'collections.defaultdict': _dictionary,
        'builtins.range': _range,
        'builtins.slice': slice,
        'builtins.complex': functools.partial(_number, complex),
        'builtins.int': functools.partial(_number, int),
        'builtins.float': functools.partial(_number, float),
        'builtins.bool': functools.partial(_number, bool),
        'builtins.bytes': _no_bytes,
        'builtins.str': _text,
        'builtins.getattr': _history_method,
        '_codecs.encode': _encoded,
        'mmengine.logging.history_buffer.HistoryBuffer': HistoryBuffer,
        'numpy.dtype': _numpy_type,
        'numpy.ndarray': np.ndarray,
        'torch.Size': functools.partial(_collected, torch.Size),
        'torch.device': torch.device,
        'torch.Tensor': _Placeholder,
        'torch._utils._rebuild_tensor': _view,
        'torch._utils._rebuild_tensor_v2': _view,
        'torch._utils._rebuild_tensor_v3': _view_of_type,
        'torch._utils._rebuild_parameter': _parameter,
        'torch._utils._rebuild_parameter_with_state': _parameter,
        'torch._tensor._rebuild_from_type_v2': _with_attributes,
        'torch.nn.parameter.Parameter': _Placeholder,
        'torch.storage.UntypedStorage': torch.uint8,
        'torch.storage.TypedStorage': torch.uint8,
    }
    for kind in (list, dict, set, frozenset, tuple):
        found[f'builtins.{kind.__name__}'] = functools.partial(_collected, kind)
    for day in (datetime.date, datetime.datetime, datetime.timedelta):
        found[f'datetime.{day.__name__}'] = day
    # a path of another operating system becomes a path of this one; Python 3.13 has moved the classes
    found |= {f'{module}.{name}': _path for module in ('pathlib', 'pathlib._local') for name in _PATH_NAMES}
    for module in ('numpy.core.multiarray', 'numpy._core.multiarray'):  # as numpy 1 and numpy 2 call it
        found |= {f'{module}._reconstruct': _empty_array, f'{module}.scalar': _numpy_scalar}
    found |= {str(dtype): dtype for dtype in vars(torch).values() if isinstance(dtype, torch.dtype)}
    for storage, dtype in torch.storage._storage_type_to_dtype_map().items():
        found[f'torch.{storage}'] = dtype
    return found


def _path(*parts: Any) -> pathlib.PurePath:
    return pathlib.PurePath(*map(_text, parts))


ALLOWED: Mapping[str, Any] = _allowed()


def find(module: str, name: str) -> Any:
    """Returns the class or function for a name in the file. Names of Python 2 are translated.

    Raises:
        UnpicklingError: If the name is not allowed.
    """
    if (module, name) in _compat_pickle.NAME_MAPPING:
        module, name = _compat_pickle.NAME_MAPPING[(module, name)]
    module = _compat_pickle.IMPORT_MAPPING.get(module, module)
    asked = f'{module}.{name}'
    if asked not in ALLOWED:
        raise pickle.UnpicklingError(f'its pickle asks for {asked[:100]}, which could run code')
    return ALLOWED[asked]


def may_be_called(value: object) -> bool:
    """Tells whether a value is one of the functions in ``ALLOWED``, and not an object that the file has made."""
    is_kind = any(value is kind for kind in (HistoryBuffer, np.ndarray, _Placeholder))
    return callable(value) and not is_kind and any(value is item for item in ALLOWED.values())


def fill(made: Any, state: Any) -> None:
    """Sets the content of an object that a pickle has made.

    Raises:
        UnpicklingError: If the content is not allowed for this object.
    """
    if isinstance(made, np.dtype):
        _fill_type(made, state)
    elif isinstance(made, np.ndarray):
        is_array = isinstance(state, tuple) and len(state) == 5 and isinstance(state[2], np.dtype)
        if not is_array or state[2].hasobject or type(state[4]) is not bytes:
            raise pickle.UnpicklingError('it holds a forged array of numpy')
        made.__setstate__(state)
    elif isinstance(made, _FILLED) and isinstance(state, dict) and all(isinstance(name, str) for name in state):
        if isinstance(made, HistoryBuffer):
            HistoryBuffer()  # MMEngine registers the methods of all buffers when the first one is made
        made.__dict__.update(state)
    else:
        raise pickle.UnpicklingError(f'it changes a {type(made).__name__} in a way that is not allowed')


def _fill_type(made: Any, state: Any) -> None:
    """Sets the byte order of a dtype of numbers or text. Fields are not allowed, because they may be Python objects."""
    is_plain = isinstance(state, tuple) and len(state) >= 7 and all(part is None for part in state[2:5])
    sizes = (made.itemsize, made.alignment) if made.kind in 'SU' else (-1, -1)
    if not is_plain or state[1] not in ('<', '|', '>', '=') or state[5:7] != sizes:
        raise pickle.UnpicklingError('it holds a forged dtype of numpy')
    made.__setstate__(state)
