"""Makes a synthetic corpus of drawn talking faces with synthesised voices, as real media files."""

from hicmae_mm.datasets.synthetic.corpus import EMOTIONS, Clip, CorpusConfig, plan_clips, write_corpus

__all__ = ['EMOTIONS', 'Clip', 'CorpusConfig', 'plan_clips', 'write_corpus']
