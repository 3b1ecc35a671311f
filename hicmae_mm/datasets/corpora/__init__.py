"""Data set classes of the published corpora: class names, colours, licences and sources."""

from hicmae_mm.datasets.corpora.cremad import CREMAD, CREMAD4
from hicmae_mm.datasets.corpora.iemocap import IEMOCAP
from hicmae_mm.datasets.corpora.mer2023 import MER2023
from hicmae_mm.datasets.corpora.msp_improv import MSPIMPROV
from hicmae_mm.datasets.corpora.werewolf_xl import WerewolfXL

__all__ = ['CREMAD', 'CREMAD4', 'IEMOCAP', 'MER2023', 'MSPIMPROV', 'WerewolfXL']
