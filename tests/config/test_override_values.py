from __future__ import annotations

import argparse
from typing import Any

import pytest

from hicmae_mm.config.override_values import OverrideAction, read_value


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        ('3', 3),
        ('1e-3', 0.001),
        ('true', True),
        ('None', None),
        ('rand-m9-n2', 'rand-m9-n2'),
        ('epoch_{}.pth', 'epoch_{}.pth'),
        ('1,2', [1, 2]),
        ('[(a,b), 3]', [('a', 'b'), 3]),
        ('"[a, b]"', ['a', 'b']),
        ("['my.mod']", ['my.mod']),
        ('/data/my corpus/a.csv', '/data/my corpus/a.csv'),
        ('[happy face, sad]', ['happy face', 'sad']),
        ("[dict(type='EMAHook', momentum=1e-3)]", [dict(type='EMAHook', momentum=0.001)]),
        ("[ {'type': 'EMAHook'}, ]", [dict(type='EMAHook')]),
        (
            'dict(type=mmengine.EMAHook, on=true, names=[a, b], low=-1)',
            dict(type='mmengine.EMAHook', on=True, names=['a', 'b'], low=-1),
        ),
    ],
)
def test_values(text: str, value: Any) -> None:
    assert read_value(text) == value


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('[1,2', r"the brackets of '\[1,2' do not match"),
        ('[dict(type=print(1))]', r'print\(1\).*is not a value.*lists of dictionaries are given as'),
        ("dict(type='A'", 'cannot be read'),
        ('dict(**x)', 'is not a value'),
        ('[' * 3000 + '{}' + ']' * 3000, 'cannot be read'),
        ('1' * 200_000, 'too long'),
    ],
)
def test_what_cannot_be_read_is_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_value(text)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['a.b'], "expected key=value, got 'a.b'"),
        (['=3'], "expected key=value, got '=3'"),
        (['a..b=3'], 'expected key=value'),
        (['a=1', 'a=2'], 'a is given twice'),
        (['a=[1'], 'a: the brackets'),
    ],
)
def test_arguments_are_refused_in_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=OverrideAction)
    with pytest.raises(SystemExit):
        parser.parse_args(['--cfg-options', *arguments])
    assert message in capsys.readouterr().err.strip().splitlines()[-1]


def test_several_groups_of_options_add_up() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=OverrideAction)
    args = parser.parse_args(['--cfg-options', 'a=1', 'b.c=x=y', '--cfg-options', 'd=2'])
    assert args.cfg_options == {'a': 1, 'b.c': 'x=y', 'd': 2}
