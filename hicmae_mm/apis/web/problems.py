"""What can go wrong for a visitor, in words that need no knowledge of video files or models."""

from __future__ import annotations

from collections.abc import Sequence

_NOUNS = {'video': 'picture', 'audio': 'sound'}


class VisitorError(ValueError):
    """Something that a visitor can understand and mend.

    Args:
        title: What is wrong, one short sentence.
        advice: What to do.
    """

    def __init__(self, title: str, advice: str) -> None:
        super().__init__(f'{title} {advice}')
        self.title, self.advice = title, advice


def nothing_chosen() -> VisitorError:
    """Before anything was uploaded."""
    return VisitorError('There is nothing to look at yet.', 'Choose a file or record something first.')


def upload_lost() -> VisitorError:
    """The upload is gone, because it waited too long or somebody else's equal upload was deleted."""
    return VisitorError('The upload is no longer here.', 'Uploads are deleted soon. Please choose the file again.')


def not_media() -> VisitorError:
    """For files that cannot be read."""
    return VisitorError(
        'This file cannot be read as a video or sound.',
        'It may be another kind of file, damaged, or not complete. MP4, WebM, MOV, AVI, WAV, MP3 and M4A files work.',
    )


def too_large(max_megabytes: float) -> VisitorError:
    """For files of too many bytes."""
    return VisitorError(
        f'This file is larger than {max_megabytes:g} MB.', 'Choose a shorter recording or one of lower resolution.'
    )


def too_long(max_seconds: float) -> VisitorError:
    """For files of too many seconds."""
    return VisitorError(f'This recording is longer than {_spoken(max_seconds)}.', 'Cut it shorter and try again.')


def too_detailed() -> VisitorError:
    """For frames of too many pixels, or too many frames."""
    return VisitorError(
        'The pictures of this video are too large or too many.', 'Save it as 1080p with 30 pictures a second.'
    )


def too_slow(max_seconds: float) -> VisitorError:
    """For analyses that do not come to an end."""
    return VisitorError(
        f'This recording took longer than {_spoken(max_seconds)} to analyse.', 'Try a shorter or smaller one.'
    )


def stopped() -> VisitorError:
    """For visitors who have taken their file away in the middle."""
    return VisitorError('The analysis was stopped.', 'Choose a file to start another one.')


def lacks(stream: str, needs: Sequence[str]) -> VisitorError:
    """For files without a stream that the model cannot do without."""
    needed = ' and '.join(_NOUNS[name] for name in needs)
    reason = 'has learned from both together' if len(needs) > 1 else f'looks at {needed} alone'
    noun = _NOUNS[stream]
    return VisitorError(f'This file has no {noun}.', f'The model {reason}; choose a recording with {needed}.')


def no_face() -> VisitorError:
    """For videos in which no face is found."""
    return VisitorError(
        'No face was found in this video.',
        'One face should be seen from the front, well lit, and fill at least a tenth of the height of the picture.',
    )


def cannot_score() -> VisitorError:
    """For clips that the model refuses for another reason."""
    return VisitorError('This recording could not be analysed.', 'Try another one, of at least one second.')


def unexpected() -> VisitorError:
    """For faults of the program, of which the server's log has the details."""
    return VisitorError('Something went wrong on the server.', 'Please try again later. Your upload has been deleted.')


def _spoken(seconds: float) -> str:
    whole = seconds % 60 == 0
    return f'{seconds / 60:g} minute{"" if seconds == 60 else "s"}' if whole else f'{seconds:g} seconds'
