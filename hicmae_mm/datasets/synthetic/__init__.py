"""Makes a synthetic corpus of drawn talking faces with synthesised voices, as real media files."""

from hicmae_mm.datasets.synthetic.compounds import COMPOUNDS, write_compounds
from hicmae_mm.datasets.synthetic.corpus import EMOTIONS, Clip, CorpusConfig, plan_clips, write_corpus
from hicmae_mm.datasets.synthetic.descriptions import write_descriptions
from hicmae_mm.datasets.synthetic.recordings import RecordingConfig, write_recordings

__all__ = [
    'COMPOUNDS',
    'EMOTIONS',
    'Clip',
    'CorpusConfig',
    'RecordingConfig',
    'plan_clips',
    'write_compounds',
    'write_corpus',
    'write_descriptions',
    'write_recordings',
]
