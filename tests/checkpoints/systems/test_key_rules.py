"""Tables of parameter names: both directions, shifted numbers, unused parameters, errors."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hicmae_mm.checkpoints.systems import KeyRules, Unused, rules_of, system_names

RULES = KeyRules(
    (
        ('blocks.{i}.attn.qkv.', 'encoder.{i}.qkv.'),
        ('positions.{i+1}.', 'encoder.positions.{i}.'),
        ('token', 'cls_token'),
    ),
    unused=(Unused('blocks.{i}.norm2.weight', 'blocks.{i}.attn.qkv.bias', 1.0), Unused('head.')),
)


@pytest.mark.parametrize(
    ('published', 'ours'),
    [
        ('blocks.10.attn.qkv.weight', 'encoder.10.qkv.weight'),
        ('positions.3.bias', 'encoder.positions.2.bias'),
        ('token', 'cls_token'),
    ],
)
def test_names_are_renamed_in_both_directions(published: str, ours: str) -> None:
    assert RULES.ours(published) == RULES.ours(f'module.{published}') == ours
    assert RULES.published(ours) == published


def test_unused_parameters_are_dropped_and_written_back() -> None:
    state = {
        'blocks.1.attn.qkv.bias': torch.zeros(3),
        'blocks.1.norm2.weight': torch.ones(3),
        'head.weight': torch.ones(2),
    }
    ours = RULES.to_ours(state)
    assert list(ours) == ['encoder.1.qkv.bias']
    back = RULES.to_published(ours)
    assert back.keys() == state.keys() - {'head.weight'}
    assert back['blocks.1.norm2.weight'].tolist() == [1, 1, 1]


def test_unknown_names_are_counted() -> None:
    with pytest.raises(KeyError, match=r"2 parameter names that no rule knows, such as \['tokens', 'x'\]"):
        RULES.to_ours({'tokens': torch.ones(1), 'x': torch.ones(1), 'token': torch.ones(1)})
    with pytest.raises(KeyError, match='1 parameter names'):
        RULES.to_published({'decoder.weight': torch.ones(1)})


def test_weights_that_do_not_fit_are_named() -> None:
    rules, model = KeyRules((('a.', ''),)), nn.Linear(2, 3)
    rules.load(model, {'a.weight': torch.ones(3, 2), 'a.bias': torch.zeros(3)})
    assert model(torch.ones(1, 2)).tolist() == [[2, 2, 2]]
    with pytest.raises(ValueError, match=r"1 missing in the checkpoint, such as \['bias'\].*1 of another shape"):
        rules.load(model, {'a.weight': torch.ones(2, 2)})


def test_every_system_has_a_table() -> None:
    for name in system_names():
        rules = rules_of(name)
        assert rules.rules
    with pytest.raises(ValueError, match="no table of parameter names for the system 'nothing'"):
        rules_of('nothing')


def test_a_state_is_renamed_by_the_form_that_knows_all_of_its_names() -> None:
    rules = KeyRules((('a.', 'x.'), ('head.', 'y.')), other_forms=(KeyRules((('encoder.a.', 'x.'), ('mask', 'z'))),))
    weight = torch.ones(1)
    for published, ours in (('a.w', 'head.w'), ('x.w', 'y.w')), (('encoder.a.w', 'mask'), ('x.w', 'z')):
        assert list(rules.to_ours(dict.fromkeys(published, weight))) == list(ours)
        assert list(rules.to_published(dict.fromkeys(ours, weight))) == list(published)
    with pytest.raises(KeyError, match=r"1 parameter names that no rule knows, such as \['mask'\]"):
        rules.to_ours({'a.w': weight, 'mask': weight})
