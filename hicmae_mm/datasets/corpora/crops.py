"""States how the pictures of every corpus look in published work, as far as it is known, and the source of each fact.

Most scores that cannot be reproduced come from other pictures: exports with another number of frames, own face crops.
Keys are the names of the data set classes. What is not listed is not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Fact:
    """States a fact about a corpus, and its source.

    Attributes:
        value: The number or text.
        source: Source of the value.
    """

    value: Any
    source: str


@dataclass(frozen=True)
class Crops:
    """Describes the pictures that published work reads.

    Attributes:
        form: Description of the pictures in words.
        num_clips: Clips of the whole corpus.
        sizes: Heights and widths that the pictures may have.
        fps: Frames per second, all frames being kept.
        wrong_exports: Exports that look alike but are not these, by number of frames per clip.
    """

    form: Fact
    num_clips: Fact | None = None
    sizes: Fact | None = None
    fps: Fact | None = None
    wrong_exports: Mapping[int, Fact] = field(default_factory=dict)


def _page(name: str) -> str:
    return f'docs/datasets/{name}.md'


_OWN_CROPS = 'faces cut out of the videos by OpenFace; the corpus distributes none'
_AUTHORS = "the author's answer in github.com/sunlicai/MAE-DFER, issue 7"
_PAPER = 'the list of data sets of the HiCMAE paper'
_UNCUT = Fact('the videos as distributed, one per sentence', _page('mosi'))
_FRAMES = Fact('frames; how faces were cut out of them is not said', _PAPER)
_CREMAD = Crops(Fact(_OWN_CROPS, _AUTHORS), Fact(7442, _page('cremad')))
_MAFW = Crops(_FRAMES, Fact(10045, _page('mafw')))
_AVCAFFE = Crops(
    Fact("faces cut out by OpenFace; the corpus's own crops came later, at 16 frames a second", _page('avcaffe')),
    Fact(58112, _page('avcaffe')),
    fps=Fact(25.0, _page('avcaffe')),
)

CROPS: dict[str, Crops] = {
    'CREMAD': _CREMAD,
    'CREMAD4': _CREMAD,
    'RAVDESS': Crops(Fact(_OWN_CROPS, _AUTHORS), Fact(1440, _page('ravdess'))),
    'DFEW': Crops(
        Fact('Clip/clip_224x224, every frame', _page('dfew')),
        Fact(16372, _page('dfew')),
        Fact(
            ((224, 224), (256, 256)),
            f"the folder's name ({_page('dfew')}); 256 x 256 in spite of it, says the author in "
            'github.com/sunlicai/MAE-DFER, issue 17',
        ),
        wrong_exports={16: Fact('Clip/clip_224x224_16f, interpolated to 16 frames over time', _page('dfew'))},
    ),
    'FERV39k': Crops(Fact('2_ClipsforFaceCrop, every frame', _page('ferv39k')), Fact(38935, _page('ferv39k'))),
    'MAFW': _MAFW,
    'MAFW43': _MAFW,
    'AffWild2': Crops(
        Fact('faces that the organisers cut out and aligned, numbered as the frames', _page('affwild2')),
    ),
    'MELD': Crops(
        Fact('the videos as distributed, one per utterance', _page('meld')),
        Fact(13706, f'{_page("meld")}, without the two unusable videos'),
    ),
    'MOSI': Crops(_UNCUT, Fact(2199, _page('mosi'))),
    'MOSEI': Crops(_UNCUT, Fact(22856, _page('mosi'))),
    'SIMS': Crops(_UNCUT, Fact(2281, _page('mosi'))),
    'MER2023': Crops(_FRAMES),
    'MSPIMPROV': Crops(_FRAMES, Fact(8438, _page('msp_improv'))),
    'IEMOCAP': Crops(Fact("the speaker's half of the dialogue's video", _page('iemocap'))),
    'WerewolfXL': Crops(_FRAMES, Fact(14632, _page('werewolf_xl'))),
    'AVCAFFEArousal': _AVCAFFE,
    'AVCAFFEValence': _AVCAFFE,
    'VoxCeleb2': Crops(
        Fact('the videos as distributed: faces tracked and cut out', _page('voxceleb2')),
        Fact(1092009, f'{_page("voxceleb2")}, development part'),
        Fact(((224, 224),), _page('voxceleb2')),
        Fact(25.0, _page('voxceleb2')),
    ),
}
