from __future__ import annotations

import pytest

from hicmae_mm.datasets.corpora.crops import CROPS
from hicmae_mm.datasets.corpora.protocols import PROTOCOLS
from hicmae_mm.datasets.preparation.provenance import MeasuredClip, Provenance, corpus_named, corpus_of, trace


def clips(count: int, size: tuple[int, int], frames: int | None = None, fps: float = 25.0) -> list[MeasuredClip]:
    """Clips of 2.0, 2.04, ... seconds."""
    return [MeasuredClip(frames or 50 + i, size, round((50 + i) / fps, 3)) for i in range(count)]


def texts(found: Provenance) -> str:
    return '\n'.join([*found.agrees, *found.differs])


def test_official_crops_agree() -> None:
    found = trace('DFEW', clips(6, (224, 224)), 2341)
    assert found.differs == []
    assert found.agrees[0] == '2341 clips: as published for fold1 test, fold2 test'
    assert found.agrees[1] == '50 to 55 frames a clip: not cut to one number'
    assert found.agrees[2].startswith('pictures of 224 x 224 (6 clips) [')
    assert "25.00 frames per second of sound (median); the corpus's own rate is not known" in found.unknown
    assert trace('DFEW', clips(6, (256, 256)), 2341).differs == []  # what the folder holds, says the author


def test_an_export_of_16_frames_is_named_with_its_effect() -> None:
    found = trace('DFEW', clips(6, (224, 224), frames=16), 9356)
    (text, rates) = found.differs[0], found.differs[1:]
    assert text.startswith('16 frames in 6 of 6 clips: looks like Clip/clip_224x224_16f')
    assert '16 frames at stride 4 has 4 different pictures' in text
    assert rates == []
    other = trace('MAFW', clips(6, (224, 224), frames=16), 7320).differs[0]
    assert other.startswith('16 frames in 6 of 6 clips: an export that was resampled in time')


def test_other_crops_and_lists_are_named() -> None:
    found = trace('DFEW', [*clips(3, (112, 112)), *clips(3, (224, 224))], 2000)
    assert found.differs[0].startswith('2000 clips: no published list has so many (9356/2341, 9357/2340')
    assert found.differs[1].startswith('pictures of 112 x 112 (3 clips), 224 x 224 (3 clips), expected 224 x 224 or')
    assert found.differs[2] == '3 clips have pictures below 160 pixels, which models see enlarged'


def test_frame_rate_tells_what_was_left_out() -> None:
    official = trace('AVCAFFEArousal', clips(6, (224, 224), fps=25.0), 58112)
    assert [text for text in official.agrees if 'per second' in text] == [
        '25.00 frames per second of sound (median): every frame of 25.0 [docs/datasets/avcaffe.md]'
    ]
    slow = trace('AVCAFFEArousal', clips(6, (224, 224), fps=16.0), 58112)
    assert any('16.00 frames per second of sound (median), expected 25.0' in text for text in slow.differs)
    mixed = [*clips(6, (224, 224)), MeasuredClip(20, (224, 224), 2.0)]
    assert any('1 of 7 clips have over a tenth' in text for text in trace('MAFW', mixed, 7320).differs)


def test_nothing_is_invented() -> None:
    found = trace('CREMAD', [MeasuredClip(None, None, 2.0)] * 10, 1463)
    assert found.agrees == ['1463 clips: as published for fold1 test']
    assert found.unknown == ['no pictures were checked']
    silent = trace('CREMAD', [MeasuredClip(50 + i, (256, 256)) for i in range(6)], 7442)
    assert silent.agrees[0] == '7442 clips: the whole corpus [docs/datasets/cremad.md]' or silent.differs
    assert 'pictures of 256 x 256 (6 clips); the size of the published ones is not known' in silent.unknown
    assert 'frames per second of sound: no clip has both' in silent.unknown


def test_every_corpus_has_an_entry_with_sources() -> None:
    assert CROPS.keys() == PROTOCOLS.keys()
    for crops in CROPS.values():
        facts = [crops.form, crops.num_clips, crops.sizes, crops.fps, *crops.wrong_exports.values()]
        assert all(fact is None or fact.source for fact in facts)


@pytest.mark.parametrize(
    ('name', 'corpus'),
    [
        ('cremad', 'CREMAD'),
        ('CREMA-D', 'CREMAD'),
        ('msp_improv', 'MSPIMPROV'),
        ('Werewolf-XL', 'WerewolfXL'),
        ('x', None),
    ],
)
def test_corpora_are_found_by_any_spelling(name: str, corpus: str | None) -> None:
    assert corpus_named(name) == corpus


def test_lists_tell_their_corpus() -> None:
    assert corpus_of(dict(name='DFEW'), ['a']) == 'DFEW'
    assert corpus_of(dict(corpus='mafw43'), ['a']) == 'MAFW43'
    assert corpus_of({}, ['Actor_01/03-01-01-01-01-01-01.wav']) == 'RAVDESS'
    assert corpus_of({}, ['Actor_01/03-01-01-01-01-01-01.wav', 'mine.wav']) is None
    assert corpus_of(dict(name=5), []) is None
