"""What the model wrappers refuse, in one process."""

from __future__ import annotations

import pytest

from hicmae_mm.engine.hooks import CheckpointHook, EMAHook
from hicmae_mm.engine.wrappers import DataParallelModel, FullyShardedModel
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
