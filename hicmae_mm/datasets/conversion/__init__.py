"""From a corpus as its owners distribute it to annotation lists, for ``tools/dataset_converters``.

A converter names the clips of every fold; this package finds their media, checks them, and writes the lists whole or
not at all.
"""

from hicmae_mm.datasets.annotations import OWN_SOUND_TRACK
from hicmae_mm.datasets.conversion.command_line import converter_parser, run_converter
from hicmae_mm.datasets.conversion.lists import Folds, cross_validation, list_line, listing, write_folds
from hicmae_mm.datasets.conversion.media import Clip, MediaLayout, find_by_stem, has_content, stand_in_of
from hicmae_mm.datasets.conversion.tables import Row, read_rows, read_table

__all__ = [
    'OWN_SOUND_TRACK',
    'Clip',
    'Folds',
    'MediaLayout',
    'Row',
    'converter_parser',
    'cross_validation',
    'find_by_stem',
    'has_content',
    'list_line',
    'listing',
    'read_rows',
    'read_table',
    'run_converter',
    'stand_in_of',
    'write_folds',
]
