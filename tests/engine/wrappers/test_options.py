"""What the model wrappers refuse, in one process."""

from __future__ import annotations

import pytest
from torch import nn

from hicmae_mm.engine.hooks import CheckpointHook, EMAHook
from hicmae_mm.engine.wrappers import DataParallelModel, FullyShardedModel
from hicmae_mm.engine.wrappers.base import WholeTraining, sharding_of, unwrapped
from tests.engine.wrappers.scenarios import recognizer


def test_a_graph_that_changes_is_not_static() -> None:
    with pytest.raises(ValueError, match=r"static_graph=True contradicts the model's missing_streams='zero'"):
        DataParallelModel(recognizer(missing_streams='zero'), static_graph=True)
    with pytest.raises(ValueError, match='static_graph=True contradicts find_unused_parameters=True'):
        DataParallelModel(recognizer(), find_unused_parameters=True, static_graph=True)


def test_clips_without_a_stream_cannot_be_trained_sharded() -> None:
    with pytest.raises(ValueError, match=r"FullyShardedModel cannot train a model with missing_streams='zero'"):
        FullyShardedModel(recognizer(missing_streams='zero'))


def test_a_model_is_whole_until_it_is_sharded() -> None:
    model = FullyShardedModel(recognizer())
    assert not model.is_sharded
    assert model.module.state_dict().keys() == recognizer().state_dict().keys()


def test_hooks_that_need_the_whole_model_are_named() -> None:
    FullyShardedModel.check_hooks([CheckpointHook()])
    with pytest.raises(ValueError, match='EMAHook cannot work with a FullyShardedModel'):
        FullyShardedModel.check_hooks([CheckpointHook(), EMAHook()])


def test_a_wrapper_is_trained_as_sharded_for_what_it_can_do() -> None:
    class Halves(nn.Module):
        """Somebody else's wrapper, without a common base class."""

        is_sharded = True
        resume_location = None

        def prepare_training(self, hooks: object, init_weights: object) -> None: ...
        def adopt(self, optim_wrapper: object) -> None: ...
        def take_part_in_saving(self, optim_wrapper: object) -> None: ...

    wrapper, sharded = Halves(), FullyShardedModel(recognizer())
    assert sharding_of(wrapper) is wrapper
    assert sharding_of(sharded) is sharded
    assert sharding_of(sharded).resume_location == 'cpu'
    whole = sharding_of(recognizer())
    assert isinstance(whole, WholeTraining)
    assert not whole.is_sharded


def test_hooks_are_checked_before_the_weights_are_touched() -> None:
    initialised: list[bool] = []
    with pytest.raises(ValueError, match='EMAHook cannot work with a FullyShardedModel'):
        FullyShardedModel(recognizer()).prepare_training([EMAHook()], lambda: initialised.append(True))
    assert not initialised
    sharding_of(recognizer()).prepare_training([EMAHook()], lambda: initialised.append(True))
    assert not initialised


def test_a_wrapped_model_is_unwrapped_and_another_stays() -> None:
    model = recognizer()
    assert unwrapped(FullyShardedModel(model)) is model
    assert unwrapped(model) is model
