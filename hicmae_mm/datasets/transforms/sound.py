"""The sound of a sample, on the clock of its pictures."""

from __future__ import annotations

from typing import Any

from hicmae_mm.datasets.audio_readers import AlignedAudio, AudioReader, open_audio


def open_sound(results: dict[str, Any]) -> AudioReader:
    """Opens the sound of a sample.

    Sound from the file of the pictures is placed by the time stamps of that file: before it starts, there are zeros.
    Sound from a file of its own starts with the pictures.

    Args:
        results: ``packed_clip``, or ``audio_path`` (None: the video's own sound) and ``video_path``; ``streams``.

    Raises:
        FileNotFoundError: If there is no such file.
        MediaError: If it is broken, or has no sound.
    """
    packed = results.get('packed_clip')
    reader: AudioReader = (
        open_audio(results['audio_path'] or results['video_path']) if packed is None else packed.open_audio()
    )
    return AlignedAudio(reader) if follows_pictures(results) else reader


def follows_pictures(results: dict[str, Any]) -> bool:
    """Whether the time stamps of one file say which sound of a sample belongs to which picture."""
    if 'video' not in results['streams']:
        return False
    packed = results.get('packed_clip')
    return results.get('audio_path', '') is None if packed is None else packed.shares_clock
