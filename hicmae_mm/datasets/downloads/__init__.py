"""Open corpora, fetched from where their owners publish them."""

from hicmae_mm.datasets.downloads.corpus import CorpusFile, PublishedCorpus
from hicmae_mm.datasets.downloads.cremad import CremadDownload
from hicmae_mm.datasets.downloads.fetching import download_files, num_missing_bytes
from hicmae_mm.datasets.downloads.ravdess import RavdessDownload

DOWNLOADS: dict[str, type[PublishedCorpus]] = {'ravdess': RavdessDownload, 'cremad': CremadDownload}

__all__ = [
    'DOWNLOADS',
    'CorpusFile',
    'CremadDownload',
    'PublishedCorpus',
    'RavdessDownload',
    'download_files',
    'num_missing_bytes',
]
