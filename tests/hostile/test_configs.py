"""Configs that are damaged, forged or impossible end in one error that names them; data run nothing."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from mmengine.config import Config

from hicmae_mm.config.folds import parse_folds
from hicmae_mm.config.limits import check_numbers
from hicmae_mm.config.overrides import load_config
from hicmae_mm.config.plain_text import config_from_text

LEVELS = [b'l%d: &l%d [%s]' % (n, n, b','.join([b'*l%d' % (n - 1)] * 9)) for n in range(1, 12)]
LAUGHS = b'\n'.join([b'l0: &l0 [x,x]', *LEVELS])
FILES: list[tuple[str, bytes, str]] = [
    ('run.yaml', b'a: !!python/object/apply:os.system ["touch ran"]', 'could not determine a constructor'),
    ('run.yml', b'a: !!python/object/new:os.system ["touch ran"]', 'could not determine a constructor'),
    ('run2.yml', b'!!python/object/apply:os.system ["touch ran"]', 'could not determine a constructor'),
    ('name.yaml', b'a: !!python/name:os.system', 'could not determine a constructor'),
    ('module.yaml', b'a: !!python/module:os', 'could not determine a constructor'),
    ('object.yaml', b'a: !!python/object:subprocess.Popen {}', 'could not determine a constructor'),
    ('unknown.yaml', b'a: !thing 1', 'could not determine a constructor'),
    ('open.yaml', b'a: [1, 2', 'expected'),
    ('tab.yaml', b'a:\n\t- 1', 'cannot start any token'),
    ('list.yaml', b'- 1\n- 2', 'cannot be read'),
    ('text.yaml', b'hello', 'cannot be read'),
    ('empty.yaml', b'', 'cannot be read'),
    ('laughs.yaml', LAUGHS, 'repeat each other'),
    ('self.yaml', b'a: &a [*a]', 'too deeply, or repeat'),
    ('deep.yaml', b'a: ' + b'[' * 5000 + b']' * 5000, 'too deeply'),
    ('control.yaml', b'a: \x07', 'special characters are not allowed'),
    ('broken.json', b'{"a": 1', 'cannot be read'),
    ('list.json', b'[1, 2]', 'cannot be read'),
    ('text.json', b'"x"', 'cannot be read'),
    ('deep.json', b'{"a":' + b'[' * 100000, 'cannot be read'),
    ('number.json', b'{"a": ' + b'9' * 10000 + b'}', 'cannot be read'),
    ('empty.json', b'', 'cannot be read'),
    ('nul.json', b'\0\0\0\0', 'cannot be read'),
    ('syntax.py', b'a = (', 'cannot be read'),
    ('nul.py', b'a = 1\0', 'cannot be read'),
    ('latin.py', b'a = "\xff"', 'cannot be read'),
    ('name.py', b'a = b', "NameError: name 'b' is not defined"),
    ('zero.py', b'a = 1 / 0', 'ZeroDivisionError'),
    ('key.py', b'a = dict()["x"]', 'KeyError'),
    ('base.py', b'_base_ = "absent.py"', 'absent.py'),
    ('circle.py', b'_base_ = "circle.py"', 'circle.py inherits from itself: circle.py -> circle.py'),
    ('deep.py', b'a = ' + b'[' * 5000 + b']' * 5000, 'cannot be read'),
    ('config.txt', b'a = 1', 'its name must end in one of .py'),
    ('config', b'a = 1', 'its name must end in one of .py'),
    ('config.pkl', b'\x80\x04.', 'its name must end in one of .py'),
]


@pytest.mark.parametrize(('name', 'content', 'message'), FILES, ids=[name for name, _, _ in FILES])
def test_files(tmp_path: Path, name: str, content: bytes, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        load_config(tmp_path / name)
    assert message in str(caught.value)
    assert name.partition('.')[0] in str(caught.value) or 'absent' in message
    assert not (tmp_path / 'ran').exists()


def test_a_circle_of_bases_is_named_at_once(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f'c{number}.py').write_text(f"_base_ = ['c{(number + 1) % 5}.py']\n")
    began = time.monotonic()
    with pytest.raises(ValueError, match=r'c0\.py -> c1\.py -> c2\.py -> c3\.py -> c4\.py -> c0\.py'):
        load_config(tmp_path / 'c0.py')
    assert time.monotonic() - began < 2


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / 'pipe.py')
    (tmp_path / 'zero.py').symlink_to('/dev/zero')
    (tmp_path / 'folder.py').mkdir()
    with (tmp_path / 'large.py').open('wb') as file:
        file.truncate(1 << 40)
    for name, message in (('pipe', 'pipe or a device'), ('zero', 'pipe or a device'), ('large', 'at most 4194304')):
        with pytest.raises(ValueError, match=rf'{name}\.py .*{message}'):
            load_config(tmp_path / f'{name}.py')
    with pytest.raises(IsADirectoryError):
        load_config(tmp_path / 'folder.py')
    with pytest.raises(FileNotFoundError, match=r'none\.py does not exist'):
        load_config(tmp_path / 'none.py')


def test_dumped_tuples_are_read_back(tmp_path: Path) -> None:
    Config(dict(a=(1, 2), b=[dict(c=('x',))])).dump(tmp_path / 'config.yml')
    assert load_config(tmp_path / 'config.yml').a == (1, 2)


NUMBERS = [
    (f'{place}.{key}', value)
    for place, keys in (
        ('train_cfg', ('max_epochs', 'max_iters', 'val_interval')),
        ('train_dataloader', ('batch_size',)),
        ('val_dataloader', ('batch_size',)),
        ('test_dataloader', ('batch_size',)),
        ('optim_wrapper', ('accumulative_counts',)),
        ('default_hooks.logger', ('interval',)),
    )
    for key in keys
    for value in (0, -1, True, 1.5, '3', 10**13, [1], float('nan'))
]
NUMBERS += [
    (f'{phase}_dataloader.num_workers', value) for phase in ('train', 'val', 'test') for value in (-1, 10**6, '4', 0.5)
]
NUMBERS += [
    (f'optim_wrapper.optimizer.{key}', value)
    for key in ('lr', 'weight_decay')
    for value in (-1, float('nan'), float('inf'), '1e-3')
]
NUMBERS += [('randomness.seed', value) for value in (-1, 2**32, 'x', 1.5)]


@pytest.mark.parametrize(('key', 'value'), NUMBERS)
def test_impossible_numbers(key: str, value: object) -> None:
    cfg = Config(dict(train_cfg=dict(max_epochs=1)))
    cfg.merge_from_dict({key: value})
    with pytest.raises(ValueError, match=f'^{key}='):
        check_numbers(cfg)


FOLDS = [
    '1-99999999999',
    '1-1000',
    '99999999999',
    '0-' + '9' * 5000,
    '5-1',
    '',
    ',',
    'a',
    '1-',
    '-1',
    '1.5',
    '1;2',
    '١',
    '1-2-3',
    '1, ,2',
]


@pytest.mark.parametrize('text', FOLDS)
def test_fold_ranges(text: str) -> None:
    with pytest.raises(ValueError, match='folds .* (cannot be read|are too many)') as caught:
        parse_folds(text)
    assert len(str(caught.value)) < 200


TEXTS = [
    ('a = 1\n' * 200_000, 'characters, at most'),
    ('import os', 'something else'),
    ('a = __import__("os").system("touch ran")', 'plain values'),
    ('a = [x for x in (1,)]', 'plain values'),
    ('a = dict(**{})', 'plain values'),
    ('a.b = 1', 'something else'),
    ('a = b = 1', 'something else'),
    ('a: int = 1', 'something else'),
    ('a = (lambda: 1)()', 'plain values'),
    ('a = f"{1}"', 'plain values'),
    ('a = 1 if 1 else 2', 'plain values'),
    ('a = ' + '[' * 3000 + ']' * 3000, 'not readable|too deeply'),
    ('a = ' + '-' * 30000 + '1', 'not readable|too deeply|plain values'),
    ('def f(): pass', 'something else'),
    ('a = (', 'not readable'),
    ('exec("1")', 'something else'),
]


@pytest.mark.parametrize(('text', 'message'), TEXTS, ids=range(len(TEXTS)))
def test_configs_inside_of_checkpoints(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        config_from_text(text)


def test_json_of_a_config_is_data(tmp_path: Path) -> None:
    (tmp_path / 'config.json').write_text(json.dumps(dict(a='__import__("os")')))
    assert load_config(tmp_path / 'config.json').a == '__import__("os")'
