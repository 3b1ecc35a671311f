from __future__ import annotations

import pytest

from hicmae_mm.datasets import corpora
from hicmae_mm.datasets.corpora.protocols import PROTOCOLS
from hicmae_mm.datasets.corpora.speakers import compare_speakers
from hicmae_mm.registry import DATASETS


def test_every_corpus_has_a_protocol_and_says_whether_it_is_speaker_independent() -> None:
    assert sorted(PROTOCOLS) == sorted(corpora.__all__)
    independent = {name: DATASETS.get(name).METAINFO['speaker_independent'] for name in PROTOCOLS}
    assert {name for name, value in independent.items() if value} == {
        'CREMAD',
        'CREMAD4',
        'RAVDESS',
        'IEMOCAP',
        'MSPIMPROV',
        'AVCAFFEArousal',
        'AVCAFFEValence',
    }
    assert independent['WerewolfXL'] is False
    assert independent['MAFW'] is independent['DFEW'] is independent['FERV39k'] is independent['MER2023'] is None


@pytest.mark.parametrize(
    ('corpus', 'path', 'speaker'),
    [
        ('CREMAD', 'face_aligned/1001_DFA_ANG_XX', '1001'),
        ('CREMAD', '/c/AudioWAV/1091_ITH_SAD_X.wav', '1091'),
        ('CREMAD', 'openface/1040_IEO_HAP_LO/1040_IEO_HAP_LO_aligned', '1040'),
        ('CREMAD', 'a/31001_DFA_ANG_XX', None),
        ('RAVDESS', 'Actor_24/03-01-08-02-02-02-24.wav', '24'),
        ('RAVDESS', '/x/01-01-01-01-01-01-05', '05'),
        ('MSPIMPROV', 'session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM01', 'F01'),
        ('MSPIMPROV', 'UTD-IMPROV-S02N-M04-P-MF01.avi', 'M04'),
        ('IEMOCAP', 'Session1/Ses01F_impro01/Ses01F_impro01_M003', 'Ses01M'),
        ('IEMOCAP', 'Session5/Ses05M_script01_1b/Ses05M_script01_1b_F010.wav', 'Ses05F'),
        ('AVCAFFEValence', 'aiim012/task_1/aiim012_task_1_clip_001.avi', 'aiim012'),
        ('VoxCeleb2', 'dev/mp4/id00012/21Uxsk56VDQ/00001.mp4', 'id00012'),
        ('DFEW', 'Clip/clip_224x224/00012', None),
        ('WerewolfXL', '01_05_128', None),
    ],
)
def test_speakers_are_read_from_names(corpus: str, path: str, speaker: str | None) -> None:
    assert PROTOCOLS[corpus].speaker_of(path) == speaker


def test_sizes_of_all_folds_are_those_of_one_set_of_clips() -> None:
    totals = dict(
        CREMAD=7437,
        DFEW=11697,
        FERV39k=38935,
        MOSI=2199,
        MOSEI=22856,
        SIMS=2281,
        MER2023=3784,
        RAVDESS=1440,
        MSPIMPROV=7787,
        IEMOCAP=5531,
        WerewolfXL=14457,
    )
    for name, total in totals.items():
        assert {sum(sizes) for sizes in PROTOCOLS[name].sizes.values()} == {total}, name
    assert {sum(sizes) for sizes in PROTOCOLS['MAFW'].sizes.values()} == {9156}


def test_overlap_of_two_lists() -> None:
    overlap = compare_speakers(['a', 'b', None], ['b', 'c'])
    assert (overlap.shared, overlap.unknown) == (['b'], 1)
    assert overlap.describe() == (
        '2/2 speakers, 1 IN BOTH (b): scores are not speaker-independent; of 1 clips the speaker is not known'
    )
    assert compare_speakers(['a'], ['b', 'b']).describe() == '1/1 speakers, none in both'
    assert compare_speakers([None], ['b']).describe() == 'speakers are not known'
