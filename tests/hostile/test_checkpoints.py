"""Checkpoints that somebody made to do harm, or that came to harm: each ends in one line, quickly, and runs nothing."""

from __future__ import annotations

import argparse
import collections
import contextlib
import datetime
import io
import json
import os
import pathlib
import pickle
import resource
import struct
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from safetensors.torch import save

from hicmae_mm.checkpoints.loading import read_checkpoint, read_checkpoint_meta
from hicmae_mm.engine.resume import check_resumable

Case = tuple[str, Callable[[Path], Any], str]
RECONSTRUCT = np.zeros(1).__reduce__()[0]
STORAGE = ('storage', torch.FloatStorage, '0', 'cpu', 2)


class Call:
    """Pickles as a call of a function, with content set afterwards if there is any."""

    def __init__(self, function: Any, *values: Any, state: Any = None) -> None:
        self.parts = (function, values) if state is None else (function, values, state)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.parts


class Named:
    """Pickles as a global of any name."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


def saved(content: Any, is_new: bool = True) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=is_new)
    return file.getvalue()


def harm(value: Any) -> Callable[[Path], None]:
    """A checkpoint with good weights and something else beside them."""
    return lambda path: path.write_bytes(saved({'state_dict': {'a.weight': torch.ones(2)}, 'x': value}))  # type: ignore[return-value]


def old(value: Any) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(saved({'state_dict': {'a.weight': torch.ones(2)}, 'x': value}, False))  # type: ignore[return-value]


def state(**weights: Any) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(saved({'state_dict': weights}))  # type: ignore[return-value]


def whole(content: Any) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(saved(content))  # type: ignore[return-value]


def raw(content: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(content)  # type: ignore[return-value]


def archive(
    pickled: bytes = b'', data: bytes = b'\0' * 8, compression: int = zipfile.ZIP_STORED, **extra: bytes
) -> Callable[[Path], None]:
    """A zip archive as torch writes it, with a pickle of one's own."""

    def write(path: Path) -> None:
        with zipfile.ZipFile(path, 'w', compression) as file:
            for name, content in {'data.pkl': pickled, 'data/0': data, **extra}.items():
                file.writestr(f'archive/{name}', content)

    return write


def tensor(offset: int = 0, size: Any = (2,), stride: Any = (1,), count: int = 2, key: str = '0') -> bytes:
    """A pickle of one tensor in a state dict, its numbers as given."""
    pid = ('storage', torch.FloatStorage, key, 'cpu', count)

    class Pickler(pickle.Pickler):
        def persistent_id(self, value: Any) -> Any:
            return pid if value is STORAGE else None

    class View:
        def __reduce__(self) -> tuple[Any, ...]:
            return torch._utils._rebuild_tensor_v2, (STORAGE, offset, size, stride, False, collections.OrderedDict())

    file = io.BytesIO()
    Pickler(file, protocol=2).dump({'state_dict': {'a.weight': View()}})
    return file.getvalue()


def flipped(place: float) -> Callable[[Path], None]:
    """A checkpoint of which one byte differs."""

    def write(path: Path) -> None:
        content = bytearray(saved({'state_dict': {'a.weight': torch.ones(4000)}}))
        content[int(len(content) * place)] ^= 0xFF
        path.write_bytes(content)

    return write


def truncated(share: float, is_new: bool = True) -> Callable[[Path], None]:
    content = saved({'state_dict': {'a.weight': torch.ones(4000)}}, is_new)
    return raw(content[: int(len(content) * share)])


def safetensors(header: Any, data: bytes = b'\0' * 8, length: int | None = None) -> Callable[[Path], None]:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return raw(struct.pack('<Q', len(text) if length is None else length) + text + data)


def entry(shape: list[int], offsets: list[int], dtype: str = 'F32') -> dict[str, Any]:
    return {'dtype': dtype, 'shape': shape, 'data_offsets': offsets}


def array_of(dtype: Any) -> Call:
    """Nine elements in one byte."""
    return Call(RECONSTRUCT, np.ndarray, (0,), b'b', state=(1, (9,), dtype, False, b'a'))


ONE = entry([2], [0, 8])


def nested_lists() -> list[Any]:
    value: list[Any] = []
    for _ in range(60):
        value = [value, value]
    return value


def nested_tuples() -> tuple[Any, ...]:
    value: tuple[Any, ...] = ()
    for _ in range(60):
        value = (value, value)
    return value


def endless() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def pickled(*operations: bytes) -> bytes:
    return b'\x80\x02' + b''.join(operations) + b'.'


NOT_FINITE = torch.tensor([0.0, float('nan')])
CASES: list[Case] = [
    # code
    ('os.system', harm(Call(os.system, 'touch witness')), 'asks for posix.system'),
    ('os.system, old format', old(Call(os.system, 'touch witness')), 'asks for posix.system'),
    ('eval', harm(Call(eval, 'open("witness", "w")')), 'asks for builtins.eval'),
    ('exec', harm(Call(exec, 'open("witness", "w")')), 'asks for builtins.exec'),
    ('getattr of a class', harm(Call(getattr, HistoryBuffer, '__init__')), 'attribute'),
    ('open', harm(Call(open, 'witness', 'w')), 'asks for .*open'),
    ('torch.load', harm(Call(torch.load, 'x')), 'asks for torch.serialization.load'),
    ('numpy.load', harm(Call(np.load, 'x')), 'asks for numpy'),
    ('a class of its own', harm(collections.UserDict(a=1)), 'asks for collections.UserDict'),
    ('os.system by hand', archive(pickled(b'cposix\nsystem\nX\x05\0\0\0touch\x85R')), 'asks for posix.system'),
    ('import by an old name', archive(pickled(b'c__builtin__\neval\n)R')), 'asks for builtins.eval'),
    ('stack global', archive(b'\x80\x04\x8c\x05posix\x8c\x06system\x93.'), 'damaged'),
    ('instance opcode', archive(b'(iposix\nsystem\n.'), 'damaged'),
    ('object opcode', archive(b'(cbuiltins\nint\no.'), 'damaged'),
    ('extension opcode', archive(b'\x80\x02\x82\x01.'), 'damaged'),
    ('calls text', archive(pickled(b'X\x01\0\0\0a)R')), 'calls a str'),
    ('content for a set', archive(pickled(b'cbuiltins\nset\n)R}b')), 'changes a set'),
    # memory and time
    ('bytearray', harm(Call(bytearray, 2**40)), 'asks for builtins.bytearray'),
    ('list of a range', harm(Call(list, range(2**31))), 'more than 1000000 numbers'),
    ('list of a small range', harm(Call(list, range(10))), 'makes a list of range'),
    ('set of a range', harm(Call(set, range(2**31))), 'more than 1000000 numbers'),
    ('tuple of text', harm(Call(tuple, 'a' * 10)), 'makes a tuple of str'),
    ('Counter of text', harm(Call(collections.Counter, 'a')), 'makes a dict of str'),
    ('float tensor of a size', harm(Call(torch.FloatTensor, 2**40)), 'asks for torch.FloatTensor'),
    ('numpy array of a size', harm(Call(np.ndarray, (2**40,))), 'not allowed'),
    ('numpy reconstruct of a size', harm(Call(RECONSTRUCT, np.ndarray, (2**40,), b'b')), 'before there is'),
    ('numpy zeros', harm(Call(np.zeros, 2**40)), 'asks for numpy.zeros'),
    ('encoding', harm(Call(__import__('_codecs').encode, 'a', 'zip')), "encodes by 'zip'"),
    ('text of bytes', harm(Call(str, ('a',))), 'makes text of something else'),
    ('path of lists', harm(Call(pathlib.PosixPath, ['a'])), 'makes text of something else'),
    ('number of text', harm(Call(int, '9' * 10000)), 'makes int of something else'),
    ('endless list', harm(endless()), 'too often, or without end'),
    ('lists of lists of lists', harm(nested_lists()), 'too often, or without end'),
    ('tuples of tuples as a key', harm(Call(dict, {'a': 1})), ''),
    ('deep key', archive(pickled(b'}))\x86)\x86K\x01s')), 'is a key in it'),
    ('set of deep tuples', harm(Call(frozenset, [nested_tuples()])), 'is a key in it'),
    ('compressed archive', archive(tensor(), compression=zipfile.ZIP_DEFLATED), 'is compressed'),
    ('12 MB of zeros', archive(tensor(), bytes(12_000_000), zipfile.ZIP_DEFLATED), 'is compressed'),
    ('bzip2', archive(tensor(), bytes(1_000_000), zipfile.ZIP_BZIP2), 'is compressed'),
    ('long text announced', archive(b'\x80\x02X\xff\xff\xff\x7fabc.'), 'ends too early'),
    ('huge memo index', archive(b'\x80\x02K\x01r\xff\xff\xff\xff.'), 'found int'),
    ('name without end', archive(b'\x80\x02c' + b'a' * 5000), 'does not end'),
    ('many values', archive(b'\x80\x02(' + b'K\x01' * 800_000 + b'l.'), 'damaged|more values than'),
    ('expanded tensor', archive(tensor(size=(2**20, 2**20), stride=(0, 0))), 'expands 8 stored bytes'),
    # tensors that are not there
    ('beyond its storage', archive(tensor(size=(2**40,))), 'needs more than'),
    ('offset beyond', archive(tensor(offset=2**30)), 'needs more than'),
    ('negative offset', archive(tensor(offset=-1)), 'impossible shape'),
    ('negative size', archive(tensor(size=(-2,))), 'impossible shape'),
    ('negative stride', archive(tensor(stride=(-1,))), 'impossible shape'),
    ('fractional size', archive(tensor(size=(1.5,))), 'impossible shape'),
    ('stride missing', archive(tensor(stride=())), 'impossible shape'),
    ('shape of lists', archive(tensor(size=[2])), 'has no shape'),
    ('huge product', archive(tensor(size=(2**62, 2**62), stride=(1, 1))), 'needs more than'),
    ('storage larger than its file', archive(tensor(count=2**40)), 'holds less than'),
    ('storage negative', archive(tensor(count=-1)), 'holds less than'),
    ('storage absent', archive(tensor(key='7')), 'has no data/7'),
    ('storage outside', archive(tensor(key='../../etc/passwd')), 'has no data/../'),
    ('no pickle', lambda path: zipfile.ZipFile(path, 'w').writestr('archive/version', '3'), 'has no data.pkl'),
    ('big-endian', archive(tensor(), byteorder=b'big'), 'big-endian'),
    ('sparse', harm(torch.eye(2).to_sparse()), 'asks for torch._utils._rebuild_sparse_tensor'),
    ('quantised', harm(torch.quantize_per_tensor(torch.ones(2), 1.0, 0, torch.qint8)), '_rebuild_qtensor'),
    ('forged persistent id', archive(pickled(b'X\x01\0\0\0aQ')), 'describes a tensor in a way'),
    # numpy
    ('dtype of objects', harm(np.array([{}], object)), 'neither of numbers nor of text'),
    ('dtype with fields', harm(np.zeros(1, [('a', 'f4')])), 'neither of numbers nor of text'),
    ('raw dtype', harm(np.zeros(1, 'V8')), 'neither of numbers nor of text'),
    (
        'forged dtype',
        harm(Call(np.dtype, 'f8', False, True, state=(3, '|', None, ('a',), {'a': (np.dtype('f8'), 0)}, 8, 1, 0))),
        'forged dtype',
    ),
    ('forged array', harm(array_of(1)), 'forged array'),
    ('array too short', harm(array_of(np.dtype('f4'))), 'size'),
    ('damaged scalar', harm(Call(np.float64(1).__reduce__()[0], np.dtype('f8'), b'a')), 'damaged number'),
    # weights
    ('NaN', state(**{'a.weight': NOT_FINITE}), 'ruined: a.weight holds NaN'),
    ('infinite', state(**{'a.bias': torch.tensor([float('inf')])}), 'ruined: a.bias holds NaN'),
    ('infinite half', state(**{'a.bias': torch.tensor([-float('inf')]).half()}), 'ruined: a.bias'),
    ('NaN in bfloat16', state(**{'b': NOT_FINITE.bfloat16()}), 'ruined: b '),
    ('NaN of a published file', whole({'model': {'a.weight': NOT_FINITE}}), 'ruined: a.weight'),
    ('integers', state(**{'a.weight': torch.ones(2, dtype=torch.int64)}), 'holds int64 numbers'),
    ('eight-bit integers', state(**{'a.q_bias': torch.ones(2, dtype=torch.int8)}), 'holds int8 numbers'),
    ('booleans', state(**{'mask_token': torch.ones(2, dtype=torch.bool)}), 'holds bool numbers'),
    ('empty state dict', whole({'state_dict': {}}), 'holds no weights'),
    ('empty published file', whole({'model': {}}), 'holds no weights'),
    ('empty dictionary', whole({}), "expected a dictionary with 'state_dict'"),
    ('a list', whole([torch.ones(1)]), 'found list'),
    ('a tensor', whole(torch.ones(1)), 'found Tensor'),
    ('text', whole('weights'), 'found str'),
    ('no weights', whole({'epoch': 3}), r"found \['epoch'\]"),
    ('list of weights', whole({'state_dict': [torch.ones(1)]}), 'expected a dictionary'),
    ('text as a weight', state(**{'a.weight': 'one'}), 'a.weight is a str, no tensor'),
    ('number as a weight', state(**{'a.weight': 1.0}), 'a.weight is a float, no tensor'),
    ('nested state dict', state(a={'weight': torch.ones(1)}), 'a is a dict, no tensor'),
    ('number as a name', whole({'state_dict': {3: torch.ones(1)}}), 'a int in place of the name'),
    ('None as a name', whole({'state_dict': {None: torch.ones(1)}}), 'a NoneType in place of the name'),
    ('metadata is a list', whole({'state_dict': {'a.weight': torch.ones(1)}, 'meta': [1]}), "'meta' is not a dict"),
    # damaged files
    ('empty file', raw(b''), 'not a checkpoint'),
    ('text file', raw(b'hello'), 'not a checkpoint'),
    ('web page', raw(b'<!DOCTYPE html><html>Not found'), 'not a checkpoint'),
    ('Git LFS pointer', raw(b'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n'), 'not a checkpoint'),
    ('zeros', raw(bytes(4096)), 'not a checkpoint'),
    ('zip signature alone', raw(b'PK\x03\x04' + bytes(100)), 'not a checkpoint'),
    ('half of an archive', truncated(0.5), 'not a checkpoint'),
    ('archive without its last byte', truncated(0.9999), 'not a checkpoint'),
    ('half of an old file', truncated(0.5, False), 'need more bytes than the file has'),
    ('old file without its last bytes', truncated(0.999, False), 'ends too early'),
    ('old file, its head', truncated(0.01, False), 'not a checkpoint'),
    ('bit flipped in the data', flipped(0.5), 'its checksum differs'),
    ('plain pickle', raw(pickle.dumps([1, 2], 2)), 'not written by torch.save'),
    ('plain pickle of today', raw(pickle.dumps({'state_dict': {}})), 'not a checkpoint'),
    # files that are none
    ('folder', Path.mkdir, 'is a folder'),
    ('pipe', os.mkfifo, 'a device or a pipe'),
    ('endless device', lambda path: path.symlink_to('/dev/zero'), 'a device or a pipe'),
    ('link to nothing', lambda path: path.symlink_to('nothing'), 'does not exist'),
    ('link to itself', lambda path: path.symlink_to(path.name), 'does not exist|symbolic links'),
]  # fmt: skip

SAFETENSORS: list[Case] = [
    ('empty', raw(b''), 'safetensors format'),
    ('text', raw(b'hello world, this is text'), 'safetensors format'),
    ('huge header', safetensors(b'{}', length=2**60), 'safetensors format'),
    ('header longer than the file', safetensors(b'{}', length=100), 'safetensors format'),
    ('no JSON', safetensors(b'{"a": '), 'safetensors format'),
    ('a list', safetensors([1]), 'safetensors format'),
    ('deep JSON', safetensors(b'{"a":' + b'[' * 100000 + b']' * 100000 + b'}'), 'safetensors format'),
    ('overlap', safetensors({'a': entry([2], [0, 8]), 'b': entry([1], [4, 8])}), 'safetensors format'),
    ('hole', safetensors({'a': entry([1], [4, 8])}), 'safetensors format'),
    ('beyond the end', safetensors({'a': entry([4], [0, 16])}), 'safetensors format'),
    ('shape of another size', safetensors({'a': entry([100], [0, 8])}), 'safetensors format'),
    ('shape that overflows', safetensors({'a': entry([2**62, 2**62], [0, 8])}), 'safetensors format'),
    ('negative shape', safetensors({'a': entry([-1], [0, 8])}), 'safetensors format'),
    ('unknown type', safetensors({'a': entry([2], [0, 8], 'F33')}), 'safetensors format'),
    ('bytes after the end', safetensors({'a': entry([1], [0, 4])}), 'safetensors format'),
    ('metadata no JSON', safetensors({'__metadata__': {'meta': '{'}, 'a': entry([2], [0, 8])}), 'safetensors format'),
    ('metadata a list', safetensors({'__metadata__': {'meta': '[]'}, 'a': entry([2], [0, 8])}), 'not a dictionary'),
    ('metadata deep', safetensors({'__metadata__': {'meta': '[' * 100000}, 'a': ONE}), 'safetensors format'),
    ('no weights', safetensors({}, b''), 'holds no weights'),
    ('NaN', raw(save({'a.weight': NOT_FINITE})), 'ruined: a.weight'),
    ('integers', raw(save({'a.weight': torch.ones(2, dtype=torch.int32)})), 'holds int32 numbers'),
    ('truncated', raw(save({'a.weight': torch.ones(100)})[:-9]), 'safetensors format'),
    ('pickle in disguise', raw(saved({'state_dict': {}})), 'safetensors format'),
    ('folder', Path.mkdir, 'is a folder'),
    ('pipe', os.mkfifo, 'a device or a pipe'),
]  # fmt: skip


@pytest.fixture(autouse=True)
def bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No case may take ten seconds or half a gigabyte, nor leave the file by which code tells that it ran."""
    monkeypatch.chdir(tmp_path)
    start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert time.monotonic() - start < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000
    assert not Path('witness').exists()


@pytest.mark.parametrize(('make', 'message'), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_files_of_torch(make: Callable[[Path], Any], message: str) -> None:
    check('model.pth', make, message)


@pytest.mark.parametrize(('make', 'message'), [case[1:] for case in SAFETENSORS], ids=[case[0] for case in SAFETENSORS])
def test_files_of_safetensors(make: Callable[[Path], Any], message: str) -> None:
    check('model.safetensors', make, message)


def check(name: str, make: Callable[[Path], Any], message: str) -> None:
    """The file is refused with the message, or (without one) read."""
    path = Path(name)
    make(path)
    if not message:
        read_checkpoint(path)
        return
    with pytest.raises((ValueError, OSError), match=message) as info:
        read_checkpoint(path)
    text = str(info.value)
    assert name in text
    assert '\n' not in text
    assert len(text) < 700
    with contextlib.suppress(ValueError, OSError):  # a file may be ruined in its weights only
        read_checkpoint_meta(path)


@pytest.mark.parametrize('share', [number / 40 for number in range(40)])
def test_a_file_that_ends_early_is_refused_wherever_it_ends(share: float) -> None:
    for is_new in (True, False):
        truncated(share, is_new)(Path('model.pth'))
        with pytest.raises(ValueError, match='not a checkpoint'):
            read_checkpoint('model.pth')


@pytest.mark.parametrize('seed', range(60))
def test_damaged_bytes_are_refused_or_harmless(seed: int) -> None:
    random = np.random.default_rng(seed)
    for is_new in (True, False):
        content = bytearray(saved({'state_dict': {'a.weight': torch.ones(4)}, 'meta': {'epoch': 3}}, is_new))
        for place in random.integers(0, len(content), 4):
            content[place] = random.integers(256)
        Path('model.pth').write_bytes(content)
        try:
            read_checkpoint('model.pth')
        except ValueError as error:
            assert 'model.pth' in str(error)  # noqa: PT017 (some damage does no harm)


@pytest.mark.parametrize('done', [10**12, -1, 'three', 1.5, True, float('inf')])
def test_a_training_does_not_resume_from_an_impossible_state(done: Any) -> None:
    checkpoint = {'meta': {'epoch': done, 'iter': 3}, 'optimizer': {}, 'message_hub': {}}
    with pytest.raises(ValueError, match='states epoch'):
        check_resumable(checkpoint, 'model.pth')


def test_what_trainers_write_is_read_as_it_was() -> None:
    content = {
        'state_dict': collections.OrderedDict({'a.weight': torch.ones(2), 'b.steps': torch.tensor(3)}),
        'args': argparse.Namespace(lr=1e-3, betas=(0.9, 0.95), day=datetime.date(2024, 1, 2), layers={3, 6}),
        'scalar': np.float32(1.5),
        'table': np.arange(6, dtype='>i2').reshape(2, 3),
        'names': np.array(['a', 'bc']),
        'parameter': torch.nn.Parameter(torch.ones(2)),
        'scaler': {'scale': 65536.0, '_growth_tracker': 7},
        'half': torch.ones(2, dtype=torch.float8_e4m3fn),
    }
    Path('model.pth').write_bytes(saved(content))
    read = read_checkpoint('model.pth')
    assert read['state_dict'].keys() == content['state_dict'].keys()
    assert read['args'] == content['args']
    assert read['scalar'] == 1.5
    assert read['table'].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert read['names'].tolist() == ['a', 'bc']
    assert read['parameter'].tolist() == [1, 1]
    assert read['scaler'] == content['scaler']
    assert read['half'].float().tolist() == [1, 1]
