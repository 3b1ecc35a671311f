"""Checkpoint files: nothing in them runs, and they are written whole or not at all."""

from __future__ import annotations

import argparse
import collections
import datetime
import json
import os
import pathlib
import pickle
import random
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from hicmae_mm.checkpoints.files import file_sha256, read_file, write_checkpoint


class Attack:
    """Its pickle runs a command when it is read."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f'touch {self.witness}',)


class Harmless:
    """Its pickle runs nothing, but nobody can know that of a class."""


ARGUMENTS = argparse.Namespace(
    lr=1e-3,
    data_path=pathlib.Path('data/voxceleb2'),
    other_path=pathlib.PureWindowsPath('C:/data'),
    best=np.float64(0.25),
    count=np.int64(3),
    flag=np.bool_(1),
    name=np.str_('base'),
    table=np.arange(3, dtype=np.int16),
    device=torch.device('cuda:0'),
    dtype=torch.float16,
    size=torch.Size([2, 3]),
    betas=(0.9, 0.95),
    day=datetime.date(2024, 1, 2),
    groups=collections.defaultdict(list, a=[1]),
    ordered=collections.OrderedDict(a=1),
    layers=frozenset([3, 6, 9]),
    steps=range(3),
    nested=types.SimpleNamespace(x=1),
)


@pytest.mark.parametrize('is_new_format', [True, False])
def test_reads_the_command_line_that_trainers_store(is_new_format: bool, tmp_path: Path) -> None:
    content = {'model': {'w': torch.ones(2)}, 'args': ARGUMENTS, 'epoch': 3}
    path = tmp_path / 'trainer.pth'
    torch.save(content, path, _use_new_zipfile_serialization=is_new_format)
    read = read_file(path, is_mapped=True)
    assert torch.equal(read['model']['w'], torch.ones(2))
    found, expected = vars(read['args']), dict(vars(ARGUMENTS))
    assert found.pop('data_path') == Path('data/voxceleb2')
    assert 'data' in str(found.pop('other_path'))
    assert found.pop('table').tolist() == expected.pop('table').tolist()
    for name in ('data_path', 'other_path'):
        expected.pop(name)
    assert found == expected


def write_plainly(content: Any, path: Path) -> None:
    path.write_bytes(pickle.dumps(content, protocol=2))


def write_old(content: Any, path: Path) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


@pytest.mark.parametrize('write', [torch.save, write_old, write_plainly])
def test_an_attack_is_refused_by_name_and_does_not_happen(write: Any, tmp_path: Path) -> None:
    path, witness = tmp_path / 'evil.pth', tmp_path / 'witness'
    write({'model': {}, 'args': Attack(witness)}, path)
    with pytest.raises(ValueError, match=r"evil.pth' is not a checkpoint that can be read safely \(.*") as info:
        read_file(path)
    assert write is write_plainly or 'asks for posix.system, which could run code' in str(info.value)
    assert not witness.exists()


def test_a_trusted_file_runs_its_code(tmp_path: Path) -> None:
    path, witness = tmp_path / 'evil.pth', tmp_path / 'witness'
    torch.save({'model': {'w': torch.ones(1)}, 'args': Attack(witness)}, path)
    assert torch.equal(read_file(path, is_trusted=True)['model']['w'], torch.ones(1))
    assert witness.exists()


def test_unknown_classes_are_named(tmp_path: Path) -> None:
    torch.save({'model': {}, 'args': Harmless()}, tmp_path / 'own.pth')
    with pytest.raises(ValueError, match=r'its pickle asks for \S*test_files.Harmless'):
        read_file(tmp_path / 'own.pth')


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_written_files_are_read_again_and_repeat(suffix: str, tmp_path: Path) -> None:
    whole = torch.arange(1000.0)
    state = {'part': whole[:4], 'turned': torch.arange(6).reshape(2, 3).T, 'half': torch.ones(2).half()}
    state['twin'] = state['part']
    meta = {'classes': ('a', 'b'), 'epoch': np.int64(3), 'scores': {'UAR': np.float32(0.5)}, 'config': "x = 'y'\n"}
    paths = [tmp_path / name / f'model{suffix}' for name in ('first', 'second')]
    for path in paths:
        write_checkpoint(path, state, meta)
    content = read_file(paths[0])
    assert content['meta'] == {'classes': ['a', 'b'], 'epoch': 3, 'scores': {'UAR': 0.5}, 'config': "x = 'y'\n"}
    assert content['state_dict'].keys() == state.keys()
    for name, value in state.items():
        assert torch.equal(content['state_dict'][name], value)
        assert content['state_dict'][name].dtype == value.dtype
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert paths[0].stat().st_size < 4000  # not the whole of which `part` is a part
    (tmp_path / 'plain').touch()
    assert paths[0].stat().st_mode == (tmp_path / 'plain').stat().st_mode
    assert [path.name for path in paths[0].parent.iterdir()] == [f'model{suffix}']
    mapped = read_file(paths[0], is_mapped=True)
    assert mapped['meta'] == content['meta']


def test_the_header_of_safetensors_is_json_and_foreign_headers_are_read(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / 'own.safetensors', {'w': torch.ones(1)}, {'classes': ['a']})
    with safe_open(tmp_path / 'own.safetensors', framework='pt') as file:
        assert json.loads(file.metadata()['meta']) == {'classes': ['a']}
    save_file({'w': torch.ones(1)}, tmp_path / 'foreign.safetensors', metadata={'format': 'pt', 'author': 'me'})
    assert read_file(tmp_path / 'foreign.safetensors')['meta'] == {'author': 'me'}
    (tmp_path / 'broken.safetensors').write_bytes(b'nothing')
    with pytest.raises(ValueError, match=r'broken.safetensors.*not a checkpoint in the safetensors format'):
        read_file(tmp_path / 'broken.safetensors')


def test_what_cannot_be_written_is_refused_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / 'model.safetensors'
    with pytest.raises(ValueError, match=r'model.onnx.*must end in .pth or .safetensors'):
        write_checkpoint(path.with_suffix('.onnx'), {}, {})
    path.write_text('old')
    with pytest.raises(TypeError, match=r'metadata of a checkpoint cannot hold'):
        write_checkpoint(path, {}, {'x': object()})
    assert path.read_text() == 'old'
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.filterwarnings('ignore::UserWarning')
def test_damaged_files_are_refused_whatever_breaks(tmp_path: Path) -> None:
    noise = random.Random(0)
    content = {'model': {'w': torch.ones(20)}, 'args': argparse.Namespace(a=1), 'epoch': 3}
    torch.save(content, tmp_path / 'new.pth')
    write_old(content, tmp_path / 'old.pth')
    write_checkpoint(tmp_path / 'flat.safetensors', content['model'], {'epoch': 3})
    refusals = []
    for path in sorted(tmp_path.iterdir()):
        whole = path.read_bytes()
        for attempt in range(60):
            damaged = bytearray(whole)
            damaged[noise.randrange(len(whole))] = noise.randrange(256)
            damaged = damaged[: noise.randrange(len(whole))] if attempt % 2 else damaged
            broken = tmp_path / f'broken{path.suffix}'
            broken.write_bytes(damaged)
            try:
                read_file(broken)
            except ValueError as error:
                refusals.append(str(error))
    assert len(refusals) > 90
    assert all('not a checkpoint' in message for message in refusals)


def test_sha256_of_a_file(tmp_path: Path) -> None:
    (tmp_path / 'abc').write_bytes(b'abc')
    assert file_sha256(tmp_path / 'abc') == 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
