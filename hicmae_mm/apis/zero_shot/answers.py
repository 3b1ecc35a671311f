"""Reads what an answer says about each clip, and keeps answers in a file."""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hicmae_mm.apis.zero_shot.endpoint import Reply
from hicmae_mm.utils.files import read_regular

Reading = list[list[str]]  # the words about each clip, the best first

_REFUSAL = re.compile(
    r"\b(?:sorry|apologi[sz]e|(?:can(?:no|')t|unable to|not able to|won't|will not)\s+(?:\w+\s+){0,3}"
    r'(?:assist|help|provide|comply|identify|analy[sz]e|determine|fulfil))',
    re.IGNORECASE,
)
_LIST = re.compile(r'\[([^\[\]]*)\]')
_NUMBERS = ('item', 'number', 'id')
_FIELDS = ('emotions', 'emotion', 'ranking', 'result', 'results', 'labels')
_MOST_BYTES = 1 << 30
_FEWEST_REFUSING_WORDS = 3


def is_refusal(text: str) -> bool:
    """Tells whether a text that names no emotion declines to answer.

    Example:
        >>> is_refusal("I'm sorry, but I can't help with identifying people.")
        True
        >>> is_refusal('Item 1: a tall man')
        False
    """
    return bool(_REFUSAL.search(text.replace('\u2019', "'")))


def _is_refusing_phrase(words: str) -> bool:
    """Tells whether an item of an open vocabulary declines to answer. "sorry" alone is a word of emotion."""
    return len(words.split()) >= _FEWEST_REFUSING_WORDS and is_refusal(words)


def read_answer(text: str, count: int, classes: Sequence[str] | None) -> Reading | None:
    """Reads the words about each clip from an answer.

    JSON is read first; otherwise each pair of brackets without others inside counts as one clip. Words that are no
    class are left out, unless the vocabulary is open.

    Args:
        text: The answer.
        count: Number of clips that were asked for.
        classes: Names of the classes; None takes all words.

    Returns:
        A list for each clip. None if the answer does not have as many parts as clips, or says nothing of one.

    Example:
        >>> read_answer('```json\\n[{"item": 1, "emotions": ["Happy", "joyful", "sad"]}]\\n```', 1, ('happy', 'sad'))
        [['happy', 'sad']]
        >>> read_answer('{"name": 1, "result": [sad]} {"name": 2, "result": [happy]}', 2, ('happy', 'sad'))
        [['sad'], ['happy']]
        >>> read_answer('I am sorry.', 1, ('happy', 'sad')) is None
        True
    """
    try:
        parts = _json_parts(text)
    except _WrongNumbersError:
        return None
    if parts is None or len(parts) != count:
        parts = [re.split('[,;\n]', inside) for inside in _LIST.findall(text)]
    if len(parts) != count:
        return None
    if classes is None and any(_is_refusing_phrase(word) for part in parts for word in part):
        return None
    readings = [_known([_plain(word) for word in part], classes) for part in parts]
    return readings if all(readings) else None


def _json_parts(text: str) -> list[list[str]] | None:
    """Returns the list of words of each item of a JSON answer; None if it is not of that form."""
    start, end = min((text.find(mark) for mark in '[{' if mark in text), default=-1), max(map(text.rfind, ']}'))
    try:
        value = json.loads(text[start : end + 1]) if 0 <= start < end else None
    except (ValueError, RecursionError):
        return None
    if isinstance(value, dict) and all(key.isdecimal() for key in value):
        value = [dict(item=int(key), emotions=words) for key, words in value.items()]
    if isinstance(value, dict):
        value = [value] if any(field in value for field in _FIELDS) else list(value.values())
        if len(value) == 1 and isinstance(value[0], list) and value[0] and isinstance(value[0][0], dict):
            value = value[0]
    if not isinstance(value, list) or not value:
        return None
    if all(isinstance(item, str) for item in value):
        value = [value]
    parts = [_words_of(item) for item in _in_order(value)]
    return None if any(part is None for part in parts) else parts  # type: ignore[return-value]


class _WrongNumbersError(ValueError):
    """Reports that the numbers of the items are not 1, 2, and so on, so that nobody knows which clip is meant."""


def _in_order(items: list[Any]) -> list[Any]:
    """Sorts items by their numbers, if they have any."""
    numbers = [
        next((item[name] for name in _NUMBERS if name in item), None) for item in items if isinstance(item, dict)
    ]
    if all(number is None for number in numbers):
        return items
    try:
        order = [int(number) for number in numbers]  # type: ignore[arg-type]  # None is an error as well
    except (TypeError, ValueError):
        raise _WrongNumbersError from None
    if sorted(order) != list(range(1, len(items) + 1)):
        raise _WrongNumbersError
    return [item for _, item in sorted(zip(order, items), key=lambda pair: pair[0])]


def _words_of(item: Any) -> list[str] | None:
    if isinstance(item, dict):
        item = next((item[field] for field in _FIELDS if field in item), None)
    if isinstance(item, str):
        item = re.split('[,;]', item)
    return [str(word) for word in item] if isinstance(item, list) else None


def _plain(word: str) -> str:
    return re.sub(r'[\s_-]+', ' ', re.sub(r'^[^\w]+|[^\w]+$', '', word)).lower()


def _known(words: Sequence[str], classes: Sequence[str] | None) -> list[str]:
    """Keeps each word once; of a closed set of classes, in their spelling."""
    spelling = None if classes is None else {_plain(name): name for name in classes}
    kept = (word if spelling is None else spelling.get(word) for word in words)
    return list(dict.fromkeys(word for word in kept if word))


class AnswerStore:
    """Keeps every answer in a file of JSON lines, so that nothing is paid for twice.

    An answer is found by its request, pictures included, and by its attempt. A line that a crash has cut is ignored.

    Args:
        path: The file; it is made if it does not exist, and answers are added at its end.

    Raises:
        ValueError: If the file holds something else.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._lock = path, threading.Lock()
        self._replies: dict[str, Reply] = {}
        content = read_regular(path, _MOST_BYTES) if path.exists() else b''
        *lines, cut = content.split(b'\n')  # the last line is empty, or was cut by a crash
        self._cut_at = len(content) - len(cut) if cut else None
        for number, line in enumerate(lines, start=1):
            try:
                record = json.loads(line)
                key = record.pop('request')
                self._replies[key] = Reply(**record)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise ValueError(f'{path}, line {number}: not a stored answer; name another folder') from error

    def __len__(self) -> int:
        return len(self._replies)

    @staticmethod
    def key_of(body: Mapping[str, Any], attempt: int) -> str:
        """Returns the name of a request and attempt."""
        return hashlib.sha256(json.dumps([body, attempt], sort_keys=True).encode()).hexdigest()

    def get(self, key: str) -> Reply | None:
        """Returns a stored answer, or None."""
        return self._replies.get(key)

    def add(self, key: str, reply: Reply) -> None:
        """Stores an answer."""
        line = json.dumps(dict(request=key, **asdict(reply))) + '\n'
        with self._lock:
            self._replies[key] = reply
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self._cut_at is not None:
                os.truncate(self.path, self._cut_at)
                self._cut_at = None
            with self.path.open('a', encoding='utf-8') as file:
                file.write(line)
