"""Checkpoints of trained parts, and the weights that they belong to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from hicmae_mm.checkpoints.loading import load_weights, read_checkpoint
from hicmae_mm.checkpoints.trained_parts import (
    LoadedWeights,
    describe_base,
    keep_trained,
    trained_names,
    value_sha256,
)


class Model(nn.Module):
    """A frozen body in evaluation mode, a trained norm with statistics, and a trained layer."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)).requires_grad_(False)
        self.norm, self.fc = nn.BatchNorm1d(3), nn.Linear(3, 2)

    def train(self, mode: bool = True) -> Model:
        super().train(mode)
        self.body.eval()
        return self


def save(model: nn.Module, path: Path, *sources: Path, **more: Any) -> Path:
    """Saves the trained parts."""
    state = model.state_dict()
    checkpoint = dict(meta={}, state_dict=state, **more)
    keep_trained(checkpoint, describe_base(state, trained_names(model, state), map(str, sources)))
    torch.save(checkpoint, path)
    return path


@pytest.fixture
def model(tmp_path: Path) -> Model:
    torch.manual_seed(0)
    made = Model()
    torch.save(made.state_dict(), tmp_path / 'base.pth')
    made.fc.weight.data += 1
    return made.eval()


def test_trained_are_parameters_with_a_gradient_and_buffers_that_change(model: Model) -> None:
    names = trained_names(model, model.state_dict())
    statistics = ('running_mean', 'running_var', 'num_batches_tracked')
    assert names == {'fc.weight', 'fc.bias', *(f'norm.{name}' for name in ('weight', 'bias', *statistics))}
    assert not model.training


@pytest.mark.parametrize('place', ['as named', 'beside'])
def test_trained_parts_and_base_are_the_whole(model: Model, place: str, tmp_path: Path) -> None:
    base = tmp_path / 'base.pth'
    path = save(model, tmp_path / 'parts.pth', base if place == 'as named' else Path('elsewhere/base.pth'))
    assert not [name for name in read_checkpoint(path, with_base=False)['state_dict'] if name.startswith('body')]
    found = read_checkpoint(path)['state_dict']
    assert list(found) == list(model.state_dict())  # in the order of the model
    assert all(torch.equal(found[name], value) for name, value in model.state_dict().items())


def test_the_base_may_have_another_format_and_type(model: Model, tmp_path: Path) -> None:
    half = {name: value.half() if value.is_floating_point() else value for name, value in model.state_dict().items()}
    torch.save({'model': half}, tmp_path / 'half.pth')
    model.load_state_dict(half)
    path = save(model, tmp_path / 'parts.pth', tmp_path / 'half.pth')
    other = Model()
    load_weights(other, read_checkpoint(path)['state_dict'], str(path), require_all=True)
    assert torch.equal(other.body[0].weight, model.body[0].weight)


def test_an_average_is_completed_too(model: Model, tmp_path: Path) -> None:
    average = {f'module.{name}': value for name, value in model.state_dict().items()} | {'steps': torch.tensor(3)}
    path = save(model, tmp_path / 'parts.pth', tmp_path / 'base.pth', ema_state_dict=average)
    assert 'module.body.0.weight' not in read_checkpoint(path, with_base=False)['ema_state_dict']
    found = read_checkpoint(path)['ema_state_dict']
    assert found.keys() == average.keys()
    assert all(torch.equal(found[name], value) for name, value in average.items())


def test_a_model_that_has_the_base_needs_no_file(model: Model, tmp_path: Path) -> None:
    path = save(model, tmp_path / 'parts.pth', Path('elsewhere.pth'))
    other = Model()
    other.load_state_dict(torch.load(tmp_path / 'base.pth'))
    assert torch.equal(read_checkpoint(path, model=other)['state_dict']['fc.weight'], model.fc.weight)
    message = (
        r"parts\.pth' holds the trained parameters only\. They belong to the weights of elsewhere\.pth \(hash "
        r'[0-9a-f]{8}\), and no such file is beside it or where it was during the training\. Put the right file beside'
    )
    for wrong in (None, Model()):
        with pytest.raises(ValueError, match=message):
            read_checkpoint(path, model=wrong)


def test_another_base_is_refused(model: Model, tmp_path: Path) -> None:
    path = save(model, tmp_path / 'parts.pth', tmp_path / 'base.pth')
    state = torch.load(tmp_path / 'base.pth')
    state['body.0.bias'] += 1e-6
    torch.save(state, tmp_path / 'base.pth')
    with pytest.raises(ValueError, match=r"base\.pth' has other values in body\.0\.bias and 0 more"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    'damage', [dict(entries=3), dict(sources=[1]), dict(sha256='0'), dict(entries={'fc.bias': ''})]
)
def test_a_damaged_record_is_refused(model: Model, damage: dict[str, Any], tmp_path: Path) -> None:
    path = save(model, tmp_path / 'parts.pth', tmp_path / 'base.pth')
    checkpoint = torch.load(path)
    checkpoint['meta']['base'].update(damage)
    torch.save(checkpoint, path)
    with pytest.raises(
        ValueError, match=r"parts\.pth': the record of the weights that it belongs to \(meta\.base\) is"
    ):
        read_checkpoint(path)


def test_hashes_tell_shapes_and_values() -> None:
    value = torch.arange(6.0)
    assert value_sha256(value) == value_sha256(value.double()) == value_sha256(value.half())
    assert len({value_sha256(x) for x in (value, value.view(2, 3), value + 1, torch.tensor(1.0), torch.ones(0))}) == 5


def test_sources_of_a_resumed_training_are_those_of_the_first(model: Model, tmp_path: Path) -> None:
    base = str(tmp_path / 'base.pth')
    path = save(model, tmp_path / 'parts.pth', tmp_path / 'base.pth')
    loaded = {resumed: LoadedWeights() for resumed in (True, False)}
    for resumed, weights in loaded.items():
        weights.add(str(path), read_checkpoint(path), ['fc.weight'], is_resumed=resumed)
    assert (loaded[True].sources, loaded[False].sources) == ([base], [str(path), base])
    assert loaded[True].names == {'fc.weight'}
