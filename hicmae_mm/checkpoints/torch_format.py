"""Reads files of ``torch.save``: zip archives, and the format of torch before 1.6."""

from __future__ import annotations

import io
import mmap
import os
import pickle
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch.storage import TypedStorage, UntypedStorage

from hicmae_mm.checkpoints.pickle_names import MAX_BYTES, asked_names
from hicmae_mm.checkpoints.plain_pickle import BoundedReader, PlainUnpickler, check_size

_MAGIC_NUMBER, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # the first two values in a file of torch before 1.6
_LOCAL_HEADER = struct.Struct('<26xHH')  # header of a member of a zip archive: lengths of its name and extra field


def load(path: Path, device: torch.device, is_mapped: bool = False) -> Any:
    """Reads a file of ``torch.save``.

    Args:
        path: A regular file.
        device: Device of the tensors.
        is_mapped: Whether tensors stay on the disk until they are used, if the format allows it.

    Raises:
        UnpicklingError: If the file is damaged, or contains values that are not allowed.
        BadZipFile: If the archive is damaged.
    """
    with path.open('rb') as file:
        size = os.fstat(file.fileno()).st_size
        is_archive = zipfile.is_zipfile(file)
        file.seek(0)
        content = _Archive(file, size, device, is_mapped).load() if is_archive else _load_old(file, size)
        check_size(content)
        return content if is_archive or device.type == 'cpu' else _moved(content, device)


class _Archive:
    """Reads a zip archive with one pickle and one member for every storage, all stored without compression."""

    def __init__(self, file: BinaryIO, size: int, device: torch.device, is_mapped: bool) -> None:
        self.file, self.size, self.device = file, size, device
        with zipfile.ZipFile(file) as archive:
            self.members = {member.filename.partition('/')[2]: member for member in archive.infolist()}
            if len(self.members) < len(archive.infolist()):
                raise pickle.UnpicklingError('the archive holds two files of one name')
        for name, member in self.members.items():
            if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
                raise pickle.UnpicklingError(f'{name} in it is compressed; torch.save stores files as they are')
        if sum(member.file_size for member in self.members.values()) > size:
            raise pickle.UnpicklingError('the archive claims to hold more than the file has')
        self.mapped = (
            np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY), np.uint8) if is_mapped else None
        )
        self.storages: dict[str, UntypedStorage] = {}

    def load(self) -> Any:
        if 'data.pkl' not in self.members:
            raise pickle.UnpicklingError('the archive has no data.pkl')
        if self.read('byteorder', b'little') != b'little':
            raise pickle.UnpicklingError('a big-endian machine wrote it; save it there as .safetensors')
        content = self.read('data.pkl')
        return PlainUnpickler(BoundedReader(io.BytesIO(content), len(content)), self.find_storage).load()

    def read(self, name: str, default: bytes = b'') -> bytes:
        return default if name not in self.members else self.content(name).numpy().tobytes()

    def content(self, name: str) -> torch.Tensor:
        """Returns the bytes of a member, ``(N,)`` uint8. It compares the checksum, unless the file is mapped."""
        member = self.members[name]
        if not 0 <= member.header_offset <= self.size:
            raise pickle.UnpicklingError(f'{name} in it lies outside of the file')
        self.file.seek(member.header_offset)
        header = self.file.read(_LOCAL_HEADER.size)
        start = member.header_offset + _LOCAL_HEADER.size + sum(_LOCAL_HEADER.unpack(header.ljust(_LOCAL_HEADER.size)))
        if start + member.file_size > self.size:
            raise pickle.UnpicklingError(f'the file ends within {name}')
        if self.mapped is not None and member.file_size:
            return torch.from_numpy(self.mapped[start : start + member.file_size])
        content = torch.empty(member.file_size, dtype=torch.uint8)
        self.file.seek(start)
        if self.file.readinto(content.numpy()) != member.file_size:  # type: ignore[attr-defined]
            raise pickle.UnpicklingError(f'the file ends within {name}')
        checksum = zlib.crc32(content.numpy())  # type: ignore[arg-type]
        if checksum != member.CRC:
            raise pickle.UnpicklingError(f'{name} in it is damaged: its checksum differs')
        return content

    def find_storage(self, pid: Any) -> TypedStorage:
        dtype, key, count = _check_id(pid)
        name = f'data/{key}'
        if key not in self.storages:
            if name not in self.members:
                raise pickle.UnpicklingError(f'the archive has no {name[:100]}, which holds a tensor')
            if count < 0 or self.members[name].file_size < count * dtype.itemsize:
                raise pickle.UnpicklingError(f'{name} in it holds less than the {count} numbers that it should')
            self.storages[key] = self.content(name).to(self.device).untyped_storage()
        return TypedStorage(wrap_storage=self.storages[key], dtype=dtype, _internal=True)


def _check_id(pid: Any) -> tuple[torch.dtype, str, int]:
    """Returns dtype, key and number of elements of a storage."""
    is_right = isinstance(pid, tuple) and len(pid) >= 5 and pid[0] == 'storage'
    if not is_right or not isinstance(pid[1], torch.dtype) or type(pid[2]) not in (str, int) or type(pid[4]) is not int:
        raise pickle.UnpicklingError('it describes a tensor in a way that torch.save does not')
    return pid[1], str(pid[2]), pid[4]


def _load_old(file: BinaryIO, size: int) -> Any:
    """Reads a file of torch before 1.6: several pickles in sequence, then the bytes of every storage."""
    reader = BoundedReader(file, size)
    _check_beginning(file, reader)
    PlainUnpickler(reader).load()  # facts about the machine
    storages: dict[str, tuple[UntypedStorage, int]] = {}
    asked = 0

    def find_storage(pid: Any) -> TypedStorage:
        nonlocal asked
        dtype, key, count = _check_id(pid)
        if len(pid) > 5 and pid[5] is not None:
            raise pickle.UnpicklingError('it holds views of storages, which torch no longer writes; save it anew')
        if key not in storages:
            asked += count * dtype.itemsize
            if count < 0 or not 0 <= asked <= size:
                raise pickle.UnpicklingError('its tensors need more bytes than the file has')
            storages[key] = UntypedStorage(count * dtype.itemsize), count
        return TypedStorage(wrap_storage=storages[key][0], dtype=dtype, _internal=True)

    content = PlainUnpickler(reader, find_storage).load()
    keys = PlainUnpickler(reader).load()
    if not isinstance(keys, list) or {str(key) for key in keys} != storages.keys():
        raise pickle.UnpicklingError('its list of storages is damaged')
    for key in keys:
        storage, count = storages[str(key)]
        if struct.unpack('<q', reader.read(8)) != (count,):
            raise pickle.UnpicklingError('the size of one of its tensors is damaged')
        if file.readinto(_bytes_of(storage)) != storage.nbytes():  # type: ignore[attr-defined]
            raise pickle.UnpicklingError('the file ends too early')
    return content


def _check_beginning(file: BinaryIO, reader: BoundedReader) -> None:
    """Refuses what ``torch.save`` did not write, and names what a plain pickle asks for."""
    try:
        if PlainUnpickler(reader).load() == _MAGIC_NUMBER and PlainUnpickler(reader).load() == _PROTOCOL:
            return
        reason = 'the file was not written by torch.save'
    except pickle.UnpicklingError as error:
        reason = str(error)
    file.seek(0)
    names = asked_names(file.read(MAX_BYTES))
    asked = f'; it is a pickle that asks for {", ".join(name[:100] for name in names[:3])}' if names else ''
    raise pickle.UnpicklingError(f'{reason}{asked}')


def _bytes_of(storage: UntypedStorage) -> np.ndarray:
    return torch.empty(0, dtype=torch.uint8).set_(storage, 0, (storage.nbytes(),), (1,)).numpy()


def _moved(value: Any, device: torch.device) -> Any:
    """Moves the tensors within a nested value to a device."""
    if isinstance(value, torch.Tensor):
        return value.to(device)
    if isinstance(value, dict):
        for key, item in value.items():
            value[key] = _moved(item, device)
    elif isinstance(value, list):
        value[:] = [_moved(item, device) for item in value]
    return value
