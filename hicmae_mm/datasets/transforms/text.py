"""Streams of text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.text_files import read_text, shown, text_lines
from hicmae_mm.datasets.transforms.sources import cell_of, path_below
from hicmae_mm.registry import TRANSFORMS

_UNKNOWN_WORDS = ('[UNK]', '<unk>')


@dataclass(frozen=True)
class Vocabulary:
    """Turns texts into token ids.

    Attributes:
        encode: Function from a text to its ids.
        ids: The id of every token.
    """

    encode: Callable[[str], list[int]]
    ids: dict[str, int]


@TRANSFORMS.register_module()
class Tokenize(BaseTransform):
    """Turns the text of a column into token ids.

    Without the stream nothing happens. Required keys: ``streams``, ``columns``. Added key: ``{stream}_ids`` ``(T,)``
    int64, which ``PackStreams(sequences=dict(text='text_ids'))`` packs.

    Args:
        vocabulary: Either a ``tokenizer.json`` (or the folder that has one) of the package ``tokenizers``, which must
            be installed then; its special tokens are added. Or a text file of one word per line: words are separated
            by white space, the id of a word is its line, counted from 0, and other words get the id of ``[UNK]`` or
            ``<unk>``. Absolute or below the data set's ``data_root``.
        field: Column with the text.
        stream: Name of the stream.
        max_length: Longest sequence; the rest is cut off. None cuts nothing.

    Raises:
        ValueError: If ``max_length`` is below 1.
    """

    def __init__(
        self, vocabulary: str, field: str = 'text', stream: str = 'text', max_length: int | None = None
    ) -> None:
        if max_length is not None and max_length < 1:
            raise ValueError(f'max_length must be at least 1, got {max_length}')
        self.vocabulary, self.field, self.stream, self.max_length = vocabulary, field, stream, max_length

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Adds the token ids.

        Raises:
            FileNotFoundError: If there is no vocabulary.
            ImportError: If ``tokenizers`` is needed and not installed.
            MediaError: If the cell has no text, or the text has no token.
            ValueError: If the list has no such column, or the vocabulary lacks a word.
        """
        if self.stream not in results['streams']:
            return results
        text = cell_of(results, self.field)
        if not isinstance(text, str):
            raise MediaError(f'the column {self.field!r} must hold text, got {shown(text)}')
        ids = open_vocabulary(path_below(results, self.vocabulary)).encode(text)[: self.max_length]
        if not ids:
            raise MediaError(f'the text {shown(text)} has no token')
        results[f'{self.stream}_ids'] = np.array(ids, np.int64)
        return results


@lru_cache(maxsize=8)
def open_vocabulary(path: str) -> Vocabulary:
    """Opens a tokenizer or a list of words, once per process.

    Raises:
        FileNotFoundError: If there is no such file.
        ImportError: If ``tokenizers`` is needed and not installed.
        ValueError: If the file is no vocabulary.
    """
    file = Path(path)
    if file.is_dir():
        file = file / 'tokenizer.json'
    if not file.is_file():
        raise FileNotFoundError(f'the vocabulary {file} does not exist; name a tokenizer.json or a list of words')
    return _tokenizer(file) if file.suffix.lower() == '.json' else _words(file)


def _tokenizer(file: Path) -> Vocabulary:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise ImportError(
            f'{file} needs the package tokenizers: pip install "hicmae_mm[text]", or use a list of words'
        ) from error
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the package raises Exception itself
        raise ValueError(f'{file}: not a tokenizer of the package tokenizers ({error})') from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return Vocabulary(lambda text: list(tokenizer.encode(text).ids), tokenizer.get_vocab(with_added_tokens=True))


def _words(file: Path) -> Vocabulary:
    words = [line.strip() for line in text_lines(read_text(file))]
    ids = {word: number for number, word in enumerate(words) if word}
    unknown = next((ids[word] for word in _UNKNOWN_WORDS if word in ids), None)
    if not ids:
        raise ValueError(f'{file} has no words, expected one per line')

    def encode(text: str) -> list[int]:
        found = [ids.get(word, unknown) for word in text.split()]
        if None in found:
            word = text.split()[found.index(None)]
            raise ValueError(f'{file} lacks the word {shown(word)}; add it, or a line [UNK] for all other words')
        return [number for number in found if number is not None]

    return Vocabulary(encode, ids)
