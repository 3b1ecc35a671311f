from __future__ import annotations

import numpy as np
import pytest

from hicmae_mm.datasets.transforms import RandomMask, RunningCellMask, SymmetricWindowMask, TubeMask
from hicmae_mm.datasets.transforms.masking import count_masked, random_mask, symmetric_window_mask, tube_mask
from hicmae_mm.datasets.transforms.running_cell import running_cell_masks


def _rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(('n', 'ratio', 'masked'), [(128, 0.8, 102), (100, 0.9, 90), (10, 0.55, 5)])
def test_random_mask_is_exact(n: int, ratio: float, masked: int) -> None:
    mask = random_mask(n, ratio, _rng())
    assert mask.shape == (n,)
    assert mask.dtype == bool
    assert mask.sum() == masked
    assert not np.array_equal(mask, random_mask(n, ratio, _rng(1)))
    np.testing.assert_array_equal(mask, random_mask(n, ratio, _rng()))


def test_every_token_is_masked_equally_often() -> None:
    rng = _rng()
    share = np.mean([random_mask(20, 0.8, rng) for _ in range(2000)], axis=0)
    np.testing.assert_allclose(share, 0.8, atol=0.05)


def test_tube_mask_repeats_over_time() -> None:
    mask = tube_mask((8, 10, 10), 0.9, _rng()).reshape(8, 100)
    assert (mask == mask[0]).all()
    assert mask[0].sum() == 90


@pytest.mark.parametrize('symmetry', ['global', 'local', None])
def test_window_mask_is_exact_per_window_and_one_sided(symmetry: str | None) -> None:
    sides = set()
    for seed in range(40):
        mask = symmetric_window_mask((8, 10, 10), 0.9, (5, 10), symmetry, _rng(seed)).reshape(8, 2, 5, 10)
        assert (mask == mask[0]).all()
        assert (mask[0].sum(axis=(1, 2)) == 45).all()
        visible = ~mask[0]
        halves = [(bool(window[:, :5].any()), bool(window[:, 5:].any())) for window in visible]
        sides.add(tuple(halves))
        if symmetry:
            assert all(left != right for left, right in halves)
        if symmetry == 'global':
            assert halves[0] == halves[1]
    assert len(sides) == {'global': 2, 'local': 4}.get(symmetry or '', len(sides))
    assert symmetry or (((True, True),) * 2) in sides


def test_window_mask_with_several_windows_in_a_row() -> None:
    mask = symmetric_window_mask((2, 4, 8), 0.75, (2, 4), 'local', _rng()).reshape(2, 2, 2, 2, 4)
    assert (mask[0].sum(axis=(1, 3)) == 6).all()


@pytest.mark.parametrize(('ratio', 'hidden'), [(0.25, 1), (0.5, 2), (0.75, 3)])
def test_running_cells_hide_as_many_everywhere_and_no_token_always(ratio: float, hidden: int) -> None:
    masks = running_cell_masks((8, 4, 6), ratio)
    assert (masks.reshape(4, 8, 2, 2, 3, 2).sum(axis=(3, 5)) == hidden).all()
    assert not masks.reshape(4, 8, 24).all(axis=1).any()
    assert len({mask.tobytes() for mask in masks}) == 4


def test_running_cells_need_pairs_of_tokens() -> None:
    with pytest.raises(ValueError, match='do not fit the 4x5 tokens of a frame; both must be even'):
        RunningCellMask(grid=(8, 4, 5))


@pytest.mark.parametrize('ratio', [1.0, 0.0, 0.001])
def test_masks_that_leave_nothing_are_refused(ratio: float) -> None:
    with pytest.raises(ValueError, match=f'a mask ratio of {ratio} masks'):
        count_masked(ratio, 100)
    for build in (TubeMask, RandomMask, SymmetricWindowMask, RunningCellMask):
        with pytest.raises(ValueError, match='at least one must be masked and one stay visible'):
            build(ratio=ratio)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(window=(3, 10)), 'must divide the 10x10 tokens'),
        (dict(window=(5, 5)), 'symmetry needs windows of even width'),
        (dict(ratio=0.4), 'symmetry needs windows of even width with at most half'),
        (dict(symmetry='both'), "symmetry must be 'global', 'local' or None"),
    ],
)
def test_windows_are_checked(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SymmetricWindowMask(**options)


@pytest.mark.parametrize(
    ('transform', 'stream', 'tokens', 'masked'),
    [
        (TubeMask(), 'video', 800, 720),
        (RandomMask(), 'audio', 128, 102),
        (SymmetricWindowMask(), 'video', 800, 720),
        (RandomMask(stream='video', grid=(8, 10, 10), ratio=0.9), 'video', 800, 720),
    ],
)
def test_transforms_store_masks_of_their_stream(transform: object, stream: str, tokens: int, masked: int) -> None:
    np.random.seed(0)
    first = transform(dict(streams=('video', 'audio')))['masks'][stream]
    assert (first.shape, first.sum()) == ((tokens,), masked)
    second = transform(dict(streams=('video', 'audio')))['masks'][stream]
    assert not np.array_equal(first, second)
    np.random.seed(0)
    np.testing.assert_array_equal(first, transform(dict(streams=('video', 'audio')))['masks'][stream])
    other = 'audio' if stream == 'video' else 'video'
    assert 'masks' not in transform(dict(streams=(other,)))


def test_masks_of_decoders_have_a_name_of_their_own() -> None:
    np.random.seed(0)
    results = dict(streams=('video', 'audio'))
    for transform in (
        RandomMask(grid=(4, 2), ratio=0.75),
        RandomMask(grid=(4, 2), ratio=0.25, for_decoder=True),
        RunningCellMask(grid=(2, 2, 2)),
    ):
        results = transform(results)
    counts = {name: int(mask.sum()) for name, mask in results['masks'].items()}
    assert counts == {'audio': 6, 'decoders.audio': 2, 'decoders.video': 4}
    assert 'masks' not in RunningCellMask(grid=(2, 2, 2))(dict(streams=('audio',)))
