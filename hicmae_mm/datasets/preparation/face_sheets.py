"""Draws a picture per clip that shows the faces that were cut out, so that a person can check them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hicmae_mm.datasets.preparation.jobs import Job, Outcome
from hicmae_mm.datasets.readers.video import open_video
from hicmae_mm.utils.files import replaced_file

_COLUMNS, _ROWS = 8, 2
_TILE, _GAP, _HEAD = 128, 4, 24  # pixels


def sheets_folder(out_dir: Path) -> Path:
    """Returns the folder of the sheets. It is beside the faces, because among them sheets would count as clips."""
    return out_dir.with_name(f'{out_dir.name}_sheets')


def with_sheets(outcomes: Iterable[Outcome], jobs: Sequence[Job], out_dir: Path) -> Iterator[Outcome]:
    """Passes outcomes on, and draws the sheet of every clip that has faces, below :func:`sheets_folder`."""
    targets = {job.name: job.target for job in jobs}
    for outcome in outcomes:
        if outcome.status != 'failed':
            share = outcome.details.get('face_share')
            seen = '' if share is None else f': a face in {share:.0%} of {outcome.details["frames"]} frames'
            faces = targets[outcome.name]
            path = sheets_folder(out_dir) / f'{faces.relative_to(out_dir)}.jpg'
            write_sheet(faces, path, outcome.name + seen)
        yield outcome


def write_sheet(faces: Path, path: Path, title: str) -> None:
    """Draws up to 16 faces of a folder, evenly spaced in time, each with its number.

    Args:
        faces: Folder of numbered pictures.
        path: JPEG file to write.
        title: Put above the faces.
    """
    reader = open_video(faces)
    chosen = np.unique(np.linspace(0, reader.num_frames - 1, _COLUMNS * _ROWS).round().astype(int)).tolist()
    rows = -(-len(chosen) // _COLUMNS)
    step = _TILE + _GAP
    sheet = Image.new('RGB', (_COLUMNS * step + _GAP, _HEAD + rows * step + _GAP), 'white')
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    draw.text((_GAP, _GAP), title, fill='black', font=font)
    for place, index in enumerate(chosen):
        left, top = _GAP + place % _COLUMNS * step, _HEAD + place // _COLUMNS * step
        picture = Image.fromarray(reader.read([index])[0]).resize((_TILE, _TILE), Image.Resampling.LANCZOS)
        sheet.paste(picture, (left, top))
        number = reader.files[index].stem if hasattr(reader, 'files') else str(index)
        draw.text((left + 3, top + 2), number.lstrip('0'), fill='white', font=font, stroke_width=2, stroke_fill='black')
    with replaced_file(path) as partial:
        sheet.save(partial, format='JPEG', quality=90)
