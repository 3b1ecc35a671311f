"""States what is known of every corpus's split: the sizes of the published lists, and the speaker in a clip's name.

Keys are the names of the data set classes. Where the sizes are from stands in the corpus's page, ``docs/datasets``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_IEMOCAP_SIZES = (1085, 1023, 1151, 1031, 1241)  # what work with these 5531 utterances reports, by session


@dataclass(frozen=True)
class Protocol:
    """Describes the published split of a corpus.

    Attributes:
        sizes: Clips of each fold's lists, ``{'fold1': (train, test)}``; empty where they are not known.
        speaker: Finds, in a clip's path, the groups that name its speaker; None where names do not tell.
    """

    sizes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    speaker: re.Pattern[str] | None = None

    def speaker_of(self, path: str) -> str | None:
        """Returns the speaker that the path of a clip names; None if it names none."""
        match = None if self.speaker is None else self.speaker.search(path)
        return None if match is None else ''.join(match.groups())


def _folds(*sizes: tuple[int, int]) -> dict[str, tuple[int, ...]]:
    return {f'fold{k}': size for k, size in enumerate(sizes, start=1)}


_CREMAD_NAME = re.compile(r'(?<!\w)(1\d{3})_[A-Z]{3}_(?:ANG|DIS|FEA|HAP|NEU|SAD)_[A-Z]{1,2}(?![A-Z0-9])')
_MAFW_SIZES = _folds((7320, 1836), (7323, 1833), (7329, 1827), (7327, 1829), (7325, 1831))

PROTOCOLS: dict[str, Protocol] = {
    'CREMAD': Protocol(_folds((5974, 1463), (5967, 1470), (5962, 1475), (5963, 1474), (5882, 1555)), _CREMAD_NAME),
    'CREMAD4': Protocol(speaker=_CREMAD_NAME),
    'AffWild2': Protocol(),
    'MAFW': Protocol(_MAFW_SIZES),
    'MAFW43': Protocol(),
    'DFEW': Protocol(_folds((9356, 2341), (9356, 2341), (9357, 2340), (9358, 2339), (9361, 2336))),
    'FERV39k': Protocol({'fold1': (31088, 7847)}),
    'MELD': Protocol({'fold1': (9988, 1108, 2610)}),
    'MOSI': Protocol({'fold1': (1284, 229, 686)}),
    'MOSEI': Protocol({'fold1': (16326, 1871, 4659)}),
    'SIMS': Protocol({'fold1': (1368, 456, 457)}),
    'MER2023': Protocol(_folds((3373, 411))),
    'RAVDESS': Protocol(
        _folds(*[(1200, 240)] * 6), re.compile(r'(?<!\d)0[1-3]-0[12]-0[1-8]-0[12]-0[12]-0[12]-(\d\d)(?!\d)')
    ),
    'MSPIMPROV': Protocol(
        _folds((6871, 916), (6459, 1328), (6165, 1622), (6743, 1044), (6380, 1407), (6317, 1470)),
        re.compile(r'(?:UTD|MSP)-IMPROV-S\d\d[AHNS]-([FM]\d\d)-[PRST]-'),
    ),
    'IEMOCAP': Protocol(
        _folds(*((sum(_IEMOCAP_SIZES) - size, size) for size in _IEMOCAP_SIZES)),
        re.compile(r'(Ses\d\d)[FM]_\w+_([FM])\d{3}(?!\d)'),
    ),
    # names tell game and seat; who sat there in several games is not on record
    'WerewolfXL': Protocol(_folds((11111, 3346), (11710, 2747), (11391, 3066), (10930, 3527), (12686, 1771))),
    'AVCAFFEArousal': Protocol(speaker=re.compile(r'(aiim\d{3})_task_')),
    'AVCAFFEValence': Protocol(speaker=re.compile(r'(aiim\d{3})_task_')),
    'VoxCeleb2': Protocol({'fold1': (1091581,)}, re.compile(r'(?<![^/])(id\d{5})(?=/)')),
}
