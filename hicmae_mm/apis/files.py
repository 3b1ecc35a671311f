"""Write the results of clips to a folder: a JSON file and a picture of the timeline for each clip."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hicmae_mm.datasets.clips.inputs import ClipInput
from hicmae_mm.datasets.clips.media import OpenClip
from hicmae_mm.utils.files import write_text
from hicmae_mm.visualization.hooks.prediction_visualization import safe_file_name


def draw_timelines(clips: Sequence[ClipInput], results: Sequence[Mapping[str, Any]], out_dir: Path) -> list[str | None]:
    """Draws the timeline of every clip.

    Args:
        clips: The clips.
        results: Their results.
        out_dir: Folder for the pictures.

    Returns:
        Paths of the pictures. None stands for a clip without a result, or of unknown length.
    """
    from hicmae_mm.visualization import save_figure  # loads matplotlib only if something is drawn
    from hicmae_mm.visualization.timeline import draw_timeline, read_envelope

    files: list[str | None] = []
    for clip, result, stem in zip(clips, results, file_stems(results), strict=True):
        if 'error' in result or result['duration_seconds'] is None:
            files.append(None)
            continue
        with OpenClip(clip, ('video', 'audio')) as opened:
            figure = draw_timeline(result, read_envelope(opened.audio))
        files.append(str(save_figure(figure, out_dir / f'{stem}.png')))
    return files


def write_results(results: Sequence[Mapping[str, Any]], out_dir: Path) -> None:
    """Writes a JSON file for each clip.

    Args:
        results: Results of the clips.
        out_dir: Folder for the files.
    """
    for result, stem in zip(results, file_stems(results), strict=True):
        write_text(out_dir / f'{stem}.json', json.dumps(result, indent=2) + '\n')


def file_stems(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """Makes a unique file name without suffix for each clip.

    Args:
        results: Results of the clips.

    Returns:
        One name for each result. Clips of equal names get a number.
    """
    stems: list[str] = []
    for result in results:
        stem = safe_file_name(Path(result['name']).stem)
        number = 2
        unique = stem
        while unique in stems:
            unique = f'{stem}_{number}'
            number += 1
        stems.append(unique)
    return stems
