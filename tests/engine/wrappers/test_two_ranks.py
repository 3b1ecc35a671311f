"""Two ranks with two clips each must train what one rank with the four clips trains."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.distributed as dist

from hicmae_mm.engine.wrappers import DataParallelModel, FullyShardedModel
from tests.engine.wrappers.scenarios import (
    ADAPT,
    FREEZE,
    Traffic,
    incomplete_batch,
    one_step,
    pretrainer,
    pretrainer_batch,
    recognizer,
    recognizer_batch,
    spread,
    train,
)

pytestmark = [pytest.mark.slow, pytest.mark.dist]
Results = list[dict[str, Any]]


def run(rank: int, folder: str) -> None:
    """All scenarios on one of two ranks, written to a file."""
    store = dist.FileStore(f'{folder}/store', 2)
    dist.init_process_group('gloo', store=store, rank=rank, world_size=2)
    found: dict[str, Any] = {}
    found['gathered'] = one_step(DataParallelModel(pretrainer(gather=True)), pretrainer_batch(rank))
    frozen = DataParallelModel(recognizer(checkpoint_activations=True, **FREEZE))
    found['frozen'] = one_step(frozen, recognizer_batch(0, rank))
    found['incomplete'] = one_step(
        DataParallelModel(recognizer(missing_streams='zero'), find_unused_parameters=True), incomplete_batch(rank)
    )
    for name, options in dict(static={}, dynamic=dict(static_graph=False, gradient_as_bucket_view=False)).items():
        model = DataParallelModel(recognizer(), **options)
        traffic = Traffic(model)
        found[name] = train(model, rank, traffic) | dict(buckets=traffic.buckets)
    torch.manual_seed(rank)
    found['dropping'] = train(DataParallelModel(recognizer(drop_path_rate=0.5)), rank)
    found['whole'] = train(DataParallelModel(recognizer(**FREEZE)), rank)
    for name, options in dict(sharded={}, replicated=dict(shard_size=1, reshard_after_forward=False)).items():
        sharded = FullyShardedModel(recognizer(checkpoint_activations=name == 'sharded', **FREEZE), **options)
        sharded.shard()
        found[f'{name}_share'] = sum(value.to_local().numel() for value in sharded.parameters())
        found[name] = train(sharded, rank)
    found['adapted'] = train(DataParallelModel(recognizer(**ADAPT)), rank)
    sharded = FullyShardedModel(recognizer(checkpoint_activations=True, **ADAPT))
    sharded.shard()
    found['sharded_adapted'] = train(sharded, rank)
    sharded.module.load_state_dict({name: value + 1 for name, value in recognizer(**ADAPT).state_dict().items()})
    found['sharded_loaded'] = sharded.module.state_dict()
    torch.save(found, f'{folder}/{rank}.pth')
    dist.destroy_process_group()


@pytest.fixture(scope='module')
def ranks(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp('two_ranks')
    spread(run, str(folder))
    return [torch.load(folder / f'{rank}.pth', weights_only=True) for rank in range(2)]


def assert_same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor], tolerance: float = 3e-5) -> None:
    # AdamW enlarges the rounding of gradients that are nearly 0
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, atol=tolerance, rtol=tolerance, msg=lambda m: f'{name}: {m}')  # noqa: B023


def test_gathered_negatives_give_the_gradients_of_the_whole_batch(ranks: Results) -> None:
    expected = one_step(pretrainer(gather=False), pretrainer_batch(None))
    local = one_step(pretrainer(gather=False), pretrainer_batch(0))
    assert any((local[name] - value).abs().max() > 1e-3 for name, value in expected.items())
    for found in ranks:
        assert_same(found['gathered'], expected)


def test_frozen_parts_get_no_gradient_and_nothing_is_searched(ranks: Results) -> None:
    expected = one_step(recognizer(**FREEZE), recognizer_batch(0, None))
    assert not any(name.startswith('encoders.video') for name in expected)
    for found in ranks:
        assert_same(found['frozen'], expected)


@pytest.mark.parametrize('wrapper', ['adapted', 'sharded_adapted'])
def test_adapters_train_as_on_one_rank(wrapper: str, ranks: Results) -> None:
    pytest.importorskip('peft')
    expected = train(recognizer(**ADAPT), None)
    first = recognizer(**ADAPT).state_dict()
    changed = {name for name, value in expected['weights'].items() if not torch.equal(value, first[name])}
    assert {name for name in changed if name.startswith('encoders.')} == {name for name in first if '.lora_' in name}
    assert_same(ranks[0][wrapper]['weights'], expected['weights'])
    assert_same(ranks[0]['sharded_loaded'], {name: value + 1 for name, value in first.items()}, tolerance=0)


def test_a_stream_that_a_whole_rank_lacks_is_averaged_all_the_same(ranks: Results) -> None:
    expected = one_step(recognizer(missing_streams='zero'), incomplete_batch(None))
    for found in ranks:
        assert_same(found['incomplete'], expected)


@pytest.mark.parametrize('graph', ['static', 'dynamic'])
def test_accumulated_and_clipped_steps_are_those_of_one_rank(graph: str, ranks: Results) -> None:
    expected = train(recognizer(), None)
    for found in ranks:
        assert_same(found[graph]['weights'], expected['weights'])
        assert found[graph]['norms'] == pytest.approx(expected['norms'], rel=1e-5)
    losses = [sum(pair) / 2 for pair in zip(*(found[graph]['losses'] for found in ranks))]
    assert losses == pytest.approx(expected['losses'], rel=1e-5)


def test_only_the_last_iteration_of_a_window_sends_gradients(ranks: Results) -> None:
    num_bytes = sum(parameter.numel() * 4 for parameter in recognizer().parameters())
    for found in ranks:
        sent = {graph: [sum(sizes) for sizes in found[graph]['buckets']] for graph in ('static', 'dynamic')}
        assert sent['dynamic'] == [0, 0, num_bytes, 0, 0, num_bytes, num_bytes]  # the last window has one iteration
        assert sent['static'] == [num_bytes, *sent['dynamic'][1:]]  # once more at the very beginning


def test_a_static_graph_goes_with_drop_path(ranks: Results) -> None:
    first, second = (found['dropping'] for found in ranks)
    assert first['losses'] != second['losses']
    assert_same(first['weights'], second['weights'], tolerance=0)


@pytest.mark.parametrize('mode', ['sharded', 'replicated'])
def test_sharded_steps_are_those_of_the_whole_model(mode: str, ranks: Results) -> None:
    for found in ranks:
        assert found[mode]['losses'] == pytest.approx(found['whole']['losses'], rel=1e-5)
        assert found[mode]['norms'] == pytest.approx(found['whole']['norms'], rel=1e-5)
    assert_same(ranks[0][mode]['weights'], ranks[0]['whole']['weights'])
    assert {name: value.shape for name, value in ranks[1][mode]['weights'].items()} == {
        name: value.shape for name, value in ranks[0][mode]['weights'].items()
    }


def test_a_rank_keeps_its_share_only(ranks: Results) -> None:
    total = sum(parameter.numel() for parameter in recognizer().parameters())
    assert sum(found['sharded_share'] for found in ranks) == total
    assert all(found['sharded_share'] < 0.6 * total for found in ranks)
    assert all(found['replicated_share'] == total for found in ranks)
