"""Opens the sound of a sample, aligned to the clock of its pictures."""

from __future__ import annotations

from typing import Any

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.readers.audio import AlignedAudio, AudioReader, open_audio
from hicmae_mm.datasets.readers.spans import AudioPart


def open_sound(results: dict[str, Any]) -> AudioReader:
    """Opens the sound of a sample.

    With pictures, the time stamps of the file that holds the sound place it, with zeros before its start. The clock of
    a separate file, such as one by ``extract_audio.py``, is taken to be that of the pictures.

    Args:
        results: The results of the pipeline, with ``streams``, and ``packed_clip`` or ``audio_path`` (None stands for
            the sound track of the video) with ``video_path``. ``span`` is a part of a longer file (seconds).

    Raises:
        FileNotFoundError: If there is no such file.
        MediaError: If the file is broken, or has no sound track, or the sample names no file.
    """
    packed, span = results.get('packed_clip'), results.get('span')
    path = results['audio_path'] or results['video_path']
    if packed is None and path is None:
        raise MediaError("the sample names no audio and no video, and streams has 'audio'; leave it out of streams")
    reader: AudioReader = open_audio(path) if packed is None else packed.open_audio()
    if 'video' in results['streams'] or span is not None:
        reader = AlignedAudio(reader)
    return reader if span is None else AudioPart(reader, span, path)


def follows_pictures(results: dict[str, Any]) -> bool:
    """Tells whether sound and pictures of a sample come from one file, so that its time stamps align them."""
    if 'video' not in results['streams']:
        return False
    packed = results.get('packed_clip')
    if packed is not None:
        return bool(packed.shares_clock)
    audio_path = results.get('audio_path', '')
    return audio_path is None or audio_path == results.get('video_path')
