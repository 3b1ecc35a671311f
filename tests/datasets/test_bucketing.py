from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.dataset import InfiniteSampler

from hicmae_mm.datasets import ClassBalancedSampler, LengthBucketBatchSampler, SeededSampler
from hicmae_mm.datasets.bucketing import padding_share


class Clips(list[float]):
    """Clips of given seconds, as a table with a column of them would give."""

    def get_data_info(self, index: int) -> dict[str, Any]:
        return dict(columns=dict(seconds=self[index]), position=f'line {index + 2}', gt_label=index % 3)


def speech(count: int, seed: int = 0) -> Clips:
    """Lengths as in corpora of utterances: most take a few seconds, some many."""
    return Clips(np.random.default_rng(seed).lognormal(np.log(3), 0.6, count).clip(0.5, 20).tolist())


def ranks(dataset: Clips, world_size: int, epoch: int = 0, kind: Any = SeededSampler, **options: Any) -> list[Any]:
    """The batches of every rank."""
    batches = []
    for rank in range(world_size):
        sampler = kind(dataset, seed=4, **options.get('sampler', {}))
        sampler.rank, sampler.world_size = rank, world_size
        sampler.num_samples = -(-len(dataset) // world_size)
        sampler.total_size = sampler.num_samples * world_size
        sampler.set_epoch(epoch)
        bucketed = LengthBucketBatchSampler(sampler, column='seconds', **{'batch_size': 8, **options.get('batch', {})})
        batches.append(list(bucketed))
        assert len(batches[-1]) == len(bucketed)
    return batches


@pytest.mark.parametrize('budget', [None, 40.0])
@pytest.mark.parametrize('world_size', [1, 3])
def test_every_clip_comes_once_in_batches_of_similar_length(world_size: int, budget: float | None) -> None:
    dataset = speech(600)
    epochs = [ranks(dataset, world_size, epoch, batch=dict(budget=budget)) for epoch in range(2)]
    for epoch, batches in enumerate(epochs):
        assert len({len(of_rank) for of_rank in batches}) == 1
        flat = [index for of_rank in batches for batch in of_rank for index in batch]
        assert Counter(flat) == Counter(range(600))
        assert {(index.seed, index.epoch, index.key == index) for index in flat} == {(4, epoch, True)}
        lengths = [np.array([dataset[index] for index in batch]) for of_rank in batches for batch in of_rank]
        assert padding_share(lengths) < 0.1
        assert all(len(part) * part.max() <= (budget or 200) or len(part) == 1 for part in lengths)
        for step in zip(*batches):  # the ranks have equally long clips at the same time
            assert len({len(batch) for batch in step}) == 1
    first, second = ([sorted(batch) for batch in of_epoch[0]] for of_epoch in epochs)
    assert len(first) == len(second)
    assert sum(batch in second for batch in first) < len(first) / 2  # other neighbours in every epoch
    assert epochs[0] == ranks(dataset, world_size, 0, batch=dict(budget=budget))


def test_clips_that_do_not_divide_evenly() -> None:
    for batch in (dict(), dict(budget=30.0)):
        batches = ranks(speech(101), 2, batch=batch)
        assert [sum(map(len, of_rank)) for of_rank in batches] == [51, 51]
        assert set(itertools.chain(*itertools.chain(*batches))) == set(range(101))
    kept = ranks(speech(101), 2, batch=dict(drop_last=True))
    assert {len(batch) for of_rank in kept for batch in of_rank} == {8}


def test_resumes_in_the_middle_and_repeats_stay_together() -> None:
    sampler = SeededSampler(speech(50), seed=0, num_repeats=2)
    bucketed = LengthBucketBatchSampler(sampler, 8, column='seconds')
    whole = list(bucketed)
    bucketed.skip_batches(5)
    assert list(bucketed) == whole[5:]
    assert list(bucketed) == whole
    assert all(batch[::2] == batch[1::2] for batch in whole)
    assert len({index.key for batch in whole for index in batch}) == 100
    assert bucketed.mean_batch_size == pytest.approx(100 / 13)
    with pytest.raises(ValueError, match='cannot skip 14 batches of an epoch of 13'):
        bucketed.skip_batches(14)


def test_balanced_classes_stay_balanced() -> None:
    (batches,) = ranks(speech(300), 1, kind=ClassBalancedSampler)
    assert Counter(index % 3 for batch in batches for index in batch) == {0: 100, 1: 100, 2: 100}


def test_cut_clips_count_with_their_cut_length() -> None:
    sampler = SeededSampler(Clips([1.0, 9.0, 30.0, 90.0]), seed=0)
    bucketed = LengthBucketBatchSampler(sampler, 4, column='seconds', max_length=10, budget=20)
    assert sorted(map(sorted, bucketed)) == [[0, 1], [2, 3]]


@pytest.mark.parametrize(
    ('sampler', 'options', 'message'),
    [
        (InfiniteSampler, {}, 'cannot be combined with InfiniteSampler; use SeededSampler'),
        (ClassBalancedSampler, dict(budget=9.0), 'ClassBalancedSampler draws other clips in every epoch'),
        (SeededSampler, dict(column='minutes'), "line 2: column 'minutes' must hold a length above 0, got None"),
        (SeededSampler, dict(budget=0.0), 'budget above 0, got 8, 1.15 and 0.0'),
        (SeededSampler, dict(budget=9.0, drop_last=True), 'drop_last cannot be combined with budget'),
    ],
)
def test_what_does_not_fit_is_refused(sampler: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LengthBucketBatchSampler(sampler(speech(9)), **{'batch_size': 8, 'column': 'seconds', **options})
    with pytest.raises(ValueError, match='batch_size=3 must be a multiple of num_repeats=2'):
        LengthBucketBatchSampler(SeededSampler(speech(9), num_repeats=2), 3, column='seconds')


def test_media_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hicmae_mm.datasets import AudioVisualDataset, durations
    from hicmae_mm.datasets.writers import write_wav

    for number in range(3):
        write_wav(tmp_path / f'{number}.wav', np.zeros(1600 * (number + 1)))
    (tmp_path / 'list.csv').write_text('audio,label,start,end\n0.wav,0,,\n1.wav,1,,\n2.wav,0,,\n2.wav,0,0.1,0.15\n')
    dataset = AudioVisualDataset('list.csv', [], data_root=str(tmp_path), num_classes=2, streams=('audio',))
    expected = [0.1, 0.2, 0.3, 0.05]
    np.testing.assert_allclose(durations.clip_lengths(dataset), expected)
    read: list[str] = []
    seconds_of = durations._seconds_of
    monkeypatch.setattr(durations, '_seconds_of', lambda file: read.append(file) or seconds_of(file))
    np.testing.assert_allclose(durations.clip_lengths(dataset), expected)
    assert read == []
    write_wav(tmp_path / '1.wav', np.zeros(8000))  # the file has changed
    np.testing.assert_allclose(durations.clip_lengths(dataset), [0.1, 0.5, 0.3, 0.05])
    assert [Path(file).name for file in read] == ['1.wav']
    (tmp_path / 'durations.json').write_text('{broken')
    np.testing.assert_allclose(durations.clip_lengths(dataset), [0.1, 0.5, 0.3, 0.05])
    (tmp_path / '0.wav').unlink()
    with pytest.raises(ValueError, match='no such file'):
        durations.clip_lengths(dataset)
