from __future__ import annotations

import pytest
from mmengine.dataset import ClassBalancedDataset, ConcatDataset, RepeatDataset

from hicmae_mm.datasets import AudioVisualDataset
from hicmae_mm.datasets.readers.numbering import number_samples
from tests.conftest import MediaFolder


def dataset(media: MediaFolder, *lines: str) -> AudioVisualDataset:
    return AudioVisualDataset(str(media.annotation(*lines)), [], num_classes=2)


def test_joined_data_sets_share_no_number(media: MediaFolder) -> None:
    first = dataset(media, 'a b 0', 'c d 1')
    first.full_init()
    second = dataset(media, 'e f 0', 'g h 1', 'i j 0')
    joined = ConcatDataset([first, second])
    assert number_samples(joined) == number_samples(joined) == 5
    numbers = {joined[place]['sample_id']: joined[place]['sample_idx'] for place in range(len(joined))}
    assert numbers == dict(a=0, c=1, e=2, g=3, i=4)


def test_repetitions_keep_the_number(media: MediaFolder) -> None:
    repeated = RepeatDataset(dataset(media, 'a b 0', 'c d 1'), times=2)
    assert number_samples(repeated) == 2
    assert [repeated[place]['sample_idx'] for place in range(4)] == [0, 1, 0, 1]
    assert number_samples(ClassBalancedDataset(dataset(media, 'a b 0', 'c d 1', 'e f 1'), 0.9)) == 3


def test_other_data_sets_cannot_be_joined(media: MediaFolder) -> None:
    class Joined:
        datasets = (dataset(media, 'a b 0'), [1, 2])

    with pytest.raises(ValueError, match='list is joined with other data sets and cannot number its samples'):
        number_samples(Joined())
