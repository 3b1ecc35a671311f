"""Words of a clip, with the times at which they are spoken if the transcript has times."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av

from hicmae_mm.datasets.errors import MediaError, decoder_errors
from hicmae_mm.datasets.text_files import read_text

_SUBTITLE_FORMATS = {'.srt': 'srt', '.vtt': 'webvtt'}
TRANSCRIPT_SUFFIXES = ('.txt', *_SUBTITLE_FORMATS)
_WORD_TIME = re.compile(r'<(?:(\d+):)?(\d{2}):(\d{2})[.,](\d{3})>')
_MARKUP = re.compile(r'<[^<>]*>|\{\\[^{}]*\}')
_VOICE = re.compile(r'<v(?:\.[^\s<>]*)?\s+([^<>]*?)\s*>')  # of WebVTT; SubRip has no standard for speakers


@dataclass(frozen=True)
class Word:
    """Stores a word and the time at which it is spoken (seconds)."""

    start_seconds: float
    end_seconds: float
    text: str


@dataclass(frozen=True)
class Cue:
    """Stores one subtitle.

    Attributes:
        start_seconds: Time at which it begins.
        end_seconds: Time at which it ends.
        words: Its words, at least one.
        speaker: Name of the speaker; None if the subtitle names none, or several.
    """

    start_seconds: float
    end_seconds: float
    words: tuple[Word, ...]
    speaker: str | None = None

    @property
    def text(self) -> str:
        """Returns all words."""
        return ' '.join(word.text for word in self.words)


@dataclass(frozen=True)
class Transcript:
    """Stores the words of a clip.

    Attributes:
        text: All words.
        words: The words with their times, in order. None if the transcript has no times.
        cues: The subtitles that have words, in order. Empty if the transcript has no times.

    Example:
        >>> Transcript('oh no', (Word(0.0, 0.4, 'oh'), Word(0.4, 1.0, 'no'))).between(0.5, 1.0)
        'no'
    """

    text: str
    words: tuple[Word, ...] | None = None
    cues: tuple[Cue, ...] = ()

    @classmethod
    def of_cues(cls, cues: Iterable[Cue]) -> Transcript:
        """Makes a transcript of subtitles."""
        cues = tuple(cue for cue in cues if cue.words)
        words = tuple(word for cue in cues for word in cue.words)
        return cls(' '.join(word.text for word in words), words, cues)

    @property
    def end_seconds(self) -> float:
        """Returns the end of the last word (seconds); it is 0 without times."""
        return max((word.end_seconds for word in self.words or ()), default=0.0)

    def between(self, start_seconds: float, end_seconds: float) -> str:
        """Returns the words whose middle lies within a span. A transcript without times returns all its words."""
        if self.words is None:
            return self.text
        middles = ((word.start_seconds + word.end_seconds) / 2 for word in self.words)
        return ' '.join(word.text for word, at in zip(self.words, middles) if start_seconds <= at < end_seconds)

    def part(self, start_seconds: float, end_seconds: float) -> Transcript:
        """Returns the words whose middle lies within a span, with times from its start."""
        if self.words is None:
            return self

        def within(words: Iterable[Word]) -> tuple[Word, ...]:
            return tuple(
                Word(word.start_seconds - start_seconds, word.end_seconds - start_seconds, word.text)
                for word in words
                if start_seconds <= (word.start_seconds + word.end_seconds) / 2 < end_seconds
            )

        words = within(self.words)
        cues = [
            Cue(
                max(cue.start_seconds, start_seconds) - start_seconds,
                min(cue.end_seconds, end_seconds) - start_seconds,
                within(cue.words),
                cue.speaker,
            )
            for cue in self.cues
        ]
        return Transcript(' '.join(word.text for word in words), words, tuple(cue for cue in cues if cue.words))


def read_transcript(text: str | Path) -> Transcript:
    """Reads the transcript of a clip.

    Args:
        text: The words themselves, or a file of one of the endings :data:`TRANSCRIPT_SUFFIXES`. Subtitles give times:
            words of a cue share its time by their lengths, unless the cue times each word (WebVTT).

    Raises:
        FileNotFoundError: If there is no such file.
        MediaError: If the file is no transcript.
    """
    if isinstance(text, str) and not names_transcript(text):
        return Transcript(' '.join(text.split()))
    path = Path(text).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f'{path}: there is no such transcript')
    if path.suffix.lower() not in TRANSCRIPT_SUFFIXES:
        raise MediaError(f'{path}: a transcript is a file of {", ".join(TRANSCRIPT_SUFFIXES)}, or the text itself')
    if path.suffix.lower() == '.txt':
        try:
            return Transcript(' '.join(read_text(path).split()))
        except ValueError as error:
            raise MediaError(str(error)) from error
    found = Transcript.of_cues(_read_cues(f'file:{path}', _SUBTITLE_FORMATS[path.suffix.lower()], str(path)))
    if not found.words and path.read_bytes().strip(b'\xef\xbb\xbf\xff\xfe\0 \r\n') not in (b'', b'WEBVTT'):
        raise MediaError(f'{path}: no subtitle can be read from it; is its time line written as 00:00:01,000 --> ...?')
    return found


def parse_transcript(text: str) -> Transcript:
    r"""Reads words that somebody has written or pasted. SubRip or WebVTT subtitles give times.

    Raises:
        MediaError: If the text looks like subtitles, and none can be read.

    Example:
        >>> parse_transcript('1\n00:00:01,000 --> 00:00:02,000\noh no\n').between(1.0, 1.5)
        'oh'
    """
    if '-->' not in text:
        return Transcript(' '.join(text.split()))
    lines = '\n'.join(line.strip() for line in text.strip().splitlines()) + '\n'
    kind = 'webvtt' if lines.startswith('WEBVTT') else 'srt'
    found = Transcript.of_cues(_read_cues(io.BytesIO(lines.encode()), kind, 'the text'))
    if not found.words:
        raise MediaError('the text: no subtitle can be read from it; are its times written as 00:00:01,000 --> ...?')
    return found


def names_transcript(text: str) -> bool:
    """Tells whether a text is the name of a file of words, not the words themselves."""
    return '\n' not in text and text.lower().endswith(TRANSCRIPT_SUFFIXES)


def _read_cues(source: str | io.BytesIO, kind: str, name: str) -> Iterator[Cue]:
    problem = f'{name}: cannot be read as subtitles'
    with decoder_errors(problem), av.open(source, format=kind, metadata_errors='replace') as file:
        for packet in file.demux():
            if packet.pts is None or packet.time_base is None:  # the packet that ends the file
                continue
            try:
                text = bytes(packet).decode('utf-8')
            except UnicodeDecodeError as error:
                raise MediaError(f'{problem}: not UTF-8 text; convert the file to UTF-8') from error
            start = float(packet.pts * packet.time_base)
            end = start + float((packet.duration or 0) * packet.time_base)
            voices = set(_VOICE.findall(text))
            speaker = html.unescape(voices.pop()) if len(voices) == 1 else None
            yield Cue(start, end, tuple(_words_of(start, end, text)), speaker)


def _words_of(start: float, end: float, text: str) -> Iterator[Word]:
    """Yields the words of a cue. Times within it divide it, and the words of a part share its time by their lengths."""
    edges, parts, last = [start], [], 0
    for mark in _WORD_TIME.finditer(text):
        hours, minutes, seconds, milliseconds = (int(number or 0) for number in mark.groups())
        edges.append(min(max(3600 * hours + 60 * minutes + seconds + milliseconds / 1000, edges[-1]), end))
        parts.append(text[last : mark.start()])
        last = mark.end()
    parts.append(text[last:])
    for part, first, stop in zip(parts, edges, [*edges[1:], end], strict=True):
        words = html.unescape(_MARKUP.sub('', part)).split()
        total, at = sum(map(len, words)), first
        for word in words:
            until = at + (stop - first) * len(word) / total
            yield Word(at, until, word)
            at = until
