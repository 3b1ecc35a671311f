"""Data set classes of the published corpora: class names, colours, licences and sources."""

from hicmae_mm.datasets.corpora.affwild2 import AffWild2
from hicmae_mm.datasets.corpora.avcaffe import AVCAFFEArousal, AVCAFFEValence
from hicmae_mm.datasets.corpora.cremad import CREMAD, CREMAD4
from hicmae_mm.datasets.corpora.dfew import DFEW
from hicmae_mm.datasets.corpora.ferv39k import FERV39k
from hicmae_mm.datasets.corpora.iemocap import IEMOCAP
from hicmae_mm.datasets.corpora.mafw import MAFW, MAFW43
from hicmae_mm.datasets.corpora.meld import MELD
from hicmae_mm.datasets.corpora.mer2023 import MER2023
from hicmae_mm.datasets.corpora.msp_improv import MSPIMPROV
from hicmae_mm.datasets.corpora.ravdess import RAVDESS
from hicmae_mm.datasets.corpora.sentiment import MOSEI, MOSI, SIMS
from hicmae_mm.datasets.corpora.voxceleb2 import VoxCeleb2
from hicmae_mm.datasets.corpora.werewolf_xl import WerewolfXL

__all__ = [
    'CREMAD',
    'CREMAD4',
    'DFEW',
    'IEMOCAP',
    'MAFW',
    'MAFW43',
    'MELD',
    'MER2023',
    'MOSEI',
    'MOSI',
    'MSPIMPROV',
    'RAVDESS',
    'SIMS',
    'AVCAFFEArousal',
    'AVCAFFEValence',
    'AffWild2',
    'FERV39k',
    'VoxCeleb2',
    'WerewolfXL',
]
