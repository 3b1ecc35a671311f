from __future__ import annotations

import numpy as np
import pytest

from hicmae_mm.datasets.transforms import DropVectors


def test_vectors_become_0_at_the_rate() -> None:
    ones = np.ones((1000, 3), np.float32)
    result = DropVectors(('audio', 'video'), rate=0.3)(dict(audio=ones, video=ones, text=ones, sample_id='a'))
    kept = result['audio'].all(axis=1)
    assert np.array_equal(kept, result['audio'].any(axis=1))
    assert kept.mean() == pytest.approx(0.7, abs=0.05)
    assert not np.array_equal(result['audio'], result['video'])
    assert result['text'] is ones
    assert ones.all()


def test_a_clip_lacks_the_same_in_every_test_and_more_at_a_higher_rate() -> None:
    def kept(rate: float, name: str, seed: int | None = 0) -> np.ndarray:
        clip = dict(audio=np.ones((200, 1)), sample_id=name)
        return DropVectors(('audio',), rate, seed=seed)(clip)['audio'][:, 0] == 1

    assert np.array_equal(kept(0.5, 'a'), kept(0.5, 'a'))
    assert not np.array_equal(kept(0.5, 'a'), kept(0.5, 'b'))
    assert not np.array_equal(kept(0.5, 'a', None), kept(0.5, 'a', None))
    assert not (kept(0.6, 'a') & ~kept(0.5, 'a')).any()
    assert kept(0.0, 'a').all()
    assert not kept(1.0, 'a').any()


def test_words_and_ends() -> None:
    transform = DropVectors(('text', 'words'), rate=1.0, keep_ends=('text',), unknown_id=7)
    result = transform(dict(text=np.ones((4, 2)), words=np.array([1, 20, 30, 2])))
    assert result['text'].sum(axis=1).tolist() == [2, 0, 0, 2]
    assert result['words'].tolist() == [1, 7, 7, 2]


def test_absent_streams_and_wrong_options() -> None:
    clip = dict(audio=np.ones((2, 2)), absent_streams=('audio',))
    assert DropVectors(('audio', 'video'), 1.0)(clip)['audio'].all()
    assert DropVectors(('text',), 1.0)(dict(text='a column of the list'))['text'] == 'a column of the list'
    with pytest.raises(ValueError, match='rate must be from 0 to 1'):
        DropVectors(('audio',), 1.5)
    with pytest.raises(ValueError, match='streams a list of names'):
        DropVectors('audio', 0.5)
