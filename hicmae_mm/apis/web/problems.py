"""Errors for visitors, in words that need no knowledge of video files or models."""

from __future__ import annotations

from collections.abc import Sequence

_NOUNS = {'video': 'picture', 'audio': 'sound'}
LONGEST_TEXT = 30_000  # subtitles of ten minutes
"""Number of characters that a visitor may write."""


class VisitorError(ValueError):
    """Tells a visitor about an error that he or she can understand and correct.

    Args:
        title: One short sentence that says what is wrong.
        advice: Advice on what the visitor can do.

    Attributes:
        file (str): Name of the file that the error is about; empty if there is none.
    """

    def __init__(self, title: str, advice: str) -> None:
        super().__init__(title, advice)
        self.title, self.advice, self.file = title, advice, ''

    def __str__(self) -> str:
        return ': '.join(filter(None, [self.file, f'{self.title} {self.advice}']))


def nothing_chosen() -> VisitorError:
    """Returns the error for an analysis without an upload."""
    return VisitorError('There is nothing to analyse yet.', 'Choose a file or record something first.')


def upload_lost() -> VisitorError:
    """Returns the error for an upload that was deleted, for example because it waited too long."""
    return VisitorError(
        'The upload is no longer here.', 'Uploads are deleted after a short time. Please choose the file again.'
    )


def not_media() -> VisitorError:
    """Returns the error for a file that cannot be read."""
    return VisitorError(
        'This file cannot be read as a video or sound.',
        'It may be another kind of file, damaged, or not complete. MP4, WebM, MOV, AVI, WAV, MP3 and M4A files work.',
    )


def too_large(max_megabytes: float) -> VisitorError:
    """Returns the error for a file with too many bytes."""
    return VisitorError(
        f'This file is larger than {max_megabytes:g} MB.', 'Choose a shorter recording or one of lower resolution.'
    )


def too_long(max_seconds: float) -> VisitorError:
    """Returns the error for a file that is too long."""
    return VisitorError(f'This recording is longer than {_spoken(max_seconds)}.', 'Cut it shorter and try again.')


def too_detailed() -> VisitorError:
    """Returns the error for frames with too many pixels, or for too many frames."""
    return VisitorError(
        'The pictures of this video are too large or too many.', 'Save it as 1080p with 30 pictures a second.'
    )


def too_slow(max_seconds: float) -> VisitorError:
    """Returns the error for an analysis that takes too long."""
    return VisitorError(
        f'This recording took longer than {_spoken(max_seconds)} to analyse.', 'Try a shorter or smaller one.'
    )


def stopped() -> VisitorError:
    """Returns the error for an analysis that was stopped because its visitor removed the file or left the page."""
    return VisitorError('The analysis was stopped.', 'Choose a file to start another one.')


def lacks(stream: str, needs: Sequence[str]) -> VisitorError:
    """Returns the error for a file without a stream that the model needs.

    Args:
        stream: The missing stream.
        needs: All streams that the model needs.
    """
    needed = ' and '.join(_NOUNS[name] for name in needs)
    reason = 'has learned from both together' if len(needs) > 1 else f'uses only {needed}'
    noun = _NOUNS[stream]
    return VisitorError(f'This file has no {noun}.', f'The model {reason}; choose a recording with {needed}.')


def no_words() -> VisitorError:
    """Returns the error for a recording without its words, which the model needs."""
    return VisitorError('The words are missing.', 'Write what is said in the recording into the text field.')


def too_many_words() -> VisitorError:
    """Returns the error for a text that is too long."""
    return VisitorError(f'The text is longer than {LONGEST_TEXT} characters.', 'Write only what is said.')


def broken_times() -> VisitorError:
    """Returns the error for a text that looks like subtitles and is none."""
    return VisitorError(
        'The times of the words cannot be read.',
        'Paste subtitles as SRT or WebVTT, with lines such as 00:00:01,000 --> 00:00:02,500, or the words alone.',
    )


def no_face() -> VisitorError:
    """Returns the error for a video without a face."""
    return VisitorError(
        'No face was found in this video.',
        'One face should be seen from the front, well lit, and fill at least a tenth of the height of the picture.',
    )


def cannot_score() -> VisitorError:
    """Returns the error for a clip that cannot be scored for another reason."""
    return VisitorError('This recording could not be analysed.', 'Try another one that lasts at least one second.')


def unexpected() -> VisitorError:
    """Returns the error for a fault of the program; the log of the server has the details."""
    return VisitorError('Something went wrong on the server.', 'Please try again later. Your upload has been deleted.')


def _spoken(seconds: float) -> str:
    whole = seconds % 60 == 0
    return f'{seconds / 60:g} minute{"" if seconds == 60 else "s"}' if whole else f'{seconds:g} seconds'
