"""Emotional speech without pictures: recordings of a folder, statistics of the voice, and folds by speaker."""

from hicmae_mm.datasets.speech.folds import Fold, speaker_folds, stratified_folds
from hicmae_mm.datasets.speech.normalization import normalize_by_speaker
from hicmae_mm.datasets.speech.recordings import (
    EMODB,
    Naming,
    Recording,
    check_recordings,
    recordings_by_name,
    recordings_of_table,
)
from hicmae_mm.datasets.speech.statistics import NUM_STATISTICS, SAMPLE_RATE_HZ, voice_statistics
from hicmae_mm.datasets.speech.writing import read_statistics, write_corpus

__all__ = [
    'EMODB',
    'NUM_STATISTICS',
    'SAMPLE_RATE_HZ',
    'Fold',
    'Naming',
    'Recording',
    'check_recordings',
    'normalize_by_speaker',
    'read_statistics',
    'recordings_by_name',
    'recordings_of_table',
    'speaker_folds',
    'stratified_folds',
    'voice_statistics',
    'write_corpus',
]
