from __future__ import annotations

import numpy as np

from hicmae_mm.datasets.synthetic.clips import EXPRESSION_AND_STYLE
from hicmae_mm.datasets.synthetic.corpus import Clip, CorpusConfig, write_transcripts
from hicmae_mm.datasets.synthetic.transcripts import TOPICS, VOCABULARY, make_transcript
from hicmae_mm.datasets.tables import is_table, read_table


def test_any_two_streams_tell_all_six_emotions() -> None:
    seen = {emotion: (*EXPRESSION_AND_STYLE[emotion], TOPICS[emotion]) for emotion in EXPRESSION_AND_STYLE}
    for pair in ((0, 1), (0, 2), (1, 2)):
        assert len({tuple(streams[number] for number in pair) for streams in seen.values()}) == 6
    for number in range(3):
        assert len({streams[number] for streams in seen.values()}) == 3


def test_words_tell_the_topic_and_are_in_the_vocabulary() -> None:
    said = {emotion: {make_transcript(emotion, np.random.default_rng(n)) for n in range(40)} for emotion in TOPICS}
    assert all(set(text.split()) <= set(VOCABULARY) for texts in said.values() for text in texts)
    assert all(len(texts) > 20 for texts in said.values())
    for first in TOPICS:
        for second in TOPICS:
            assert bool(said[first] & said[second]) == (TOPICS[first] == TOPICS[second])
    assert len(VOCABULARY) == len(set(VOCABULARY))


def test_tables_name_what_is_said(tmp_path) -> None:
    clips = [Clip(f'{split}_{n}', split, 0, n, 0) for split in ('train', 'test', 'unlabelled') for n in range(6)]
    write_transcripts(tmp_path, CorpusConfig(), clips)
    assert is_table(tmp_path / 'train_words.csv')
    rows = [row for _, row in read_table(tmp_path / 'train_words.csv')]
    assert [row['label'] for row in rows] == list('012345')
    assert rows[0]['video'] == 'video/train_0.mp4'
    assert all(set(row['text'].split()) <= set((tmp_path / 'words.txt').read_text().split('\n')) for row in rows)
    written = (tmp_path / 'test_words.csv').read_bytes()
    write_transcripts(tmp_path, CorpusConfig(), clips)
    assert (tmp_path / 'test_words.csv').read_bytes() == written
    write_transcripts(tmp_path, CorpusConfig(seed=1), clips)
    assert (tmp_path / 'test_words.csv').read_bytes() != written
