from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hicmae_mm.datasets import MediaError
from hicmae_mm.datasets.transforms import Tokenize


def _results(root: Path, text: Any) -> dict[str, Any]:
    return dict(streams=('text',), columns=dict(said=text), data_folders={'': str(root)})


def _tokens(root: Path, text: Any, vocabulary: str, **options: Any) -> list[int]:
    ids: list[int] = Tokenize(vocabulary, 'said', **options).transform(_results(root, text))['text_ids'].tolist()
    return ids


def test_words_of_a_list(tmp_path: Path) -> None:
    (tmp_path / 'words.txt').write_text('[UNK]\nso\nbe\nit\n')
    assert _tokens(tmp_path, 'so  be what', 'words.txt') == [1, 2, 0]
    assert _tokens(tmp_path, 'so be it', 'words.txt', max_length=2) == [1, 2]
    (tmp_path / 'bare.txt').write_text('so\n\nbe\n')
    assert _tokens(tmp_path, 'be so', 'bare.txt') == [2, 0]
    with pytest.raises(ValueError, match=r"bare\.txt lacks the word 'it'; add it, or a line \[UNK\]"):
        _tokens(tmp_path, 'so it', 'bare.txt')


def test_a_tokenizer_file(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip('tokenizers')
    words = {'[UNK]': 0, '[CLS]': 1, 'so': 2, 'be': 3}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token='[UNK]'))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing('[CLS] $A', special_tokens=[('[CLS]', 1)])
    tokenizer.enable_padding(length=9)  # padding is the batch's affair
    tokenizer.save(str(tmp_path / 'tokenizer.json'))
    for vocabulary in ('tokenizer.json', '.'):
        assert _tokens(tmp_path, 'so be it', vocabulary) == [1, 2, 3, 0]
    (tmp_path / 'other.json').write_text('{}')
    with pytest.raises(ValueError, match=r'other\.json: not a tokenizer of the package tokenizers'):
        _tokens(tmp_path, 'so', 'other.json')


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / 'words.txt').write_text('so\n')
    with pytest.raises(FileNotFoundError, match=r'the vocabulary .*none\.txt does not exist'):
        _tokens(tmp_path, 'so', 'none.txt')
    with pytest.raises(MediaError, match="the column 'said' is empty"):
        _tokens(tmp_path, None, 'words.txt')
    with pytest.raises(MediaError, match="the column 'said' must hold text, got 7"):
        _tokens(tmp_path, 7, 'words.txt')
    with pytest.raises(MediaError, match="the text '  ' has no token"):
        _tokens(tmp_path, '  ', 'words.txt')
    with pytest.raises(ValueError, match=r"the list has no column 'text', only \['said'\]"):
        Tokenize('words.txt').transform(_results(tmp_path, 'so'))
    with pytest.raises(ValueError, match='max_length must be at least 1'):
        Tokenize('words.txt', max_length=0)
    assert Tokenize('none.txt').transform(dict(streams=())) == dict(streams=())
