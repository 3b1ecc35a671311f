"""Data set classes of the published corpora: class names, colours, licences and sources."""

from hicmae_mm.datasets.corpora.cremad import CREMAD, CREMAD4

__all__ = ['CREMAD', 'CREMAD4']
