from __future__ import annotations

from collections import Counter

import numpy as np

from hicmae_mm.datasets.synthetic.clips import EXPRESSION_AND_STYLE
from hicmae_mm.datasets.synthetic.conversations import plan_conversations
from hicmae_mm.datasets.synthetic.corpus import Clip, CorpusConfig, plan_clips, write_transcripts
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


def test_conversations_have_every_clip_once_and_a_mood() -> None:
    clips = [clip for clip in plan_clips(CorpusConfig(num_train_actors=5)) if clip.split == 'train']
    planned = plan_conversations(clips, np.random.default_rng(0))
    assert sorted(clip.name for clip, _ in planned) == sorted(clip.name for clip in clips)
    talks: dict[int, list[Clip]] = {}
    for clip, place in planned:
        assert place.turn == len(talks.setdefault(place.conversation, []))
        talks[place.conversation].append(clip)
    assert [len(talk) for talk in talks.values()] == [6] * 12 + [3] * 6  # two pairs, and one who is alone
    for number, talk in talks.items():
        actors = [clip.actor for clip in talk]
        assert actors == ([2 * (number // 6), 2 * (number // 6) + 1] * 3 if len(talk) == 6 else [4] * 3)
    shared = [max(Counter(clip.label for clip in talk).values()) / len(talk) for talk in talks.values()]
    assert 0.5 < np.mean(shared) < 0.9  # the others tell something of an utterance, and not everything


def test_tables_of_conversations_are_those_of_words_in_another_order(tmp_path) -> None:
    write_transcripts(tmp_path, CorpusConfig(), plan_clips(CorpusConfig(num_train_actors=2, num_test_actors=2)))
    for split in ('train', 'test'):
        words = [row for _, row in read_table(tmp_path / f'{split}_words.csv')]
        talks = [row for _, row in read_table(tmp_path / f'{split}_talks.csv')]
        places = [(row.pop('dialogue'), int(row.pop('turn')), row.pop('speaker')) for row in talks]
        assert len(set(places)) == 36
        assert [name for name, turn, _ in places if turn == 5] == [f'{split}_{number:03d}' for number in range(6)]
        assert all(row['sample_id'].split('_')[1] == speaker[-3:] for row, (*_, speaker) in zip(talks, places))
        assert sorted(row['sample_id'] for row in talks) == sorted(row['sample_id'] for row in words)
