"""Writes the faces of a video as a folder of pictures."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path
from typing import Any

from hicmae_mm.datasets.faces import BaseFaceCropper, CropOptions
from hicmae_mm.datasets.faces.openface import ALIGNED_SUFFIX
from hicmae_mm.datasets.preparation.jobs import Job, Outcome
from hicmae_mm.datasets.preparation.sources import find_files, find_frame_folders, mirrored_jobs
from hicmae_mm.registry import FACE_CROPPERS

INPUT_TYPES = ('video', 'frames')


@dataclass(frozen=True)
class ExtractFaces:
    """Makes the folder of a clip's face pictures; the work of ``extract_faces.py``.

    Attributes:
        cropper: Config of a component of ``FACE_CROPPERS``. It is built once in every process.
        options: Options of cutting out.
        root: Folder of the clips, which their names are relative to.
        imports: Modules that register croppers, as of ``custom_imports`` in a config: worker processes need them, too.
    """

    cropper: Mapping[str, Any]
    options: CropOptions
    root: Path
    imports: Sequence[str] = ()

    @cached_property
    def _cropper(self) -> BaseFaceCropper:
        for name in self.imports:
            importlib.import_module(name)
        cropper: BaseFaceCropper = FACE_CROPPERS.build(dict(self.cropper))
        return cropper

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != '_cropper'}  # detectors cannot be pickled

    def __call__(self, job: Job, target: Path) -> dict[str, Any]:
        """Makes ``target`` of ``job.source``; see :meth:`BaseFaceCropper.extract`."""
        name = Path(job.name) if job.source.is_dir() else Path(job.name).with_suffix('')
        return self._cropper.extract(job.source, name.as_posix(), self._cropper.resolve(self.options), target)

    def settings(self) -> dict[str, Any]:
        """Returns all settings that determine the pictures, with the defaults of the cropper."""
        return dict(cropper=dict(self.cropper), options=asdict(self._cropper.resolve(self.options)))

    def find_jobs(
        self, out_dir: Path, extensions: Iterable[str], input_type: str = 'video', pattern: str = '*'
    ) -> list[Job]:
        """Lists what there is to do.

        Args:
            out_dir: Folder for the new folders.
            extensions: Endings of the names of videos.
            input_type: ``'video'`` or ``'frames'`` (folders of pictures). A cropper that takes the output of another
                program over looks for that instead.
            pattern: Pattern that the names of files or folders must match, as shells write it.

        Raises:
            FileNotFoundError: If there is no such folder.
            ValueError: If there is nothing in it, or the input type is not known.
        """
        if input_type not in INPUT_TYPES:
            raise ValueError(f'the input type must be one of {INPUT_TYPES}, got {input_type!r}')
        if self._cropper.reads == 'openface':
            jobs = self._openface_jobs(out_dir)
        elif input_type == 'frames':
            jobs = mirrored_jobs(self.root, find_frame_folders(self.root, out_dir), out_dir)
        else:
            jobs = mirrored_jobs(self.root, find_files(self.root, tuple(extensions), out_dir), out_dir)
        matching = [job for job in jobs if fnmatch(job.source.name, pattern)]
        if not matching:
            raise ValueError(f'none of {len(jobs)} clips below {self.root} matches {pattern!r}, such as {jobs[0].name}')
        return matching

    def _openface_jobs(self, out_dir: Path) -> list[Job]:
        folders = [path for path in find_frame_folders(self.root, out_dir) if path.name.endswith(ALIGNED_SUFFIX)]
        if not folders:
            raise ValueError(f'no folders named *{ALIGNED_SUFFIX} below {self.root}; expected the output of OpenFace')
        jobs = mirrored_jobs(self.root, folders, out_dir)
        return [
            Job(job.name, job.source, job.target.with_name(job.target.name.removesuffix(ALIGNED_SUFFIX)))
            for job in jobs
        ]


def summarize_faces(outcomes: Iterable[Outcome]) -> dict[str, Any]:
    """Totals over clips: frames, pictures, frames with a face and their share, clips with several faces in a frame."""
    details = [outcome.details for outcome in outcomes if outcome.details]
    known = [clip for clip in details if clip['face_frames'] is not None]
    num_frames, num_found = sum(clip['frames'] for clip in known), sum(clip['face_frames'] for clip in known)
    return dict(
        frames=sum(clip['frames'] for clip in details),
        pictures=sum(clip['pictures'] for clip in details),
        face_frames=num_found,
        face_share=round(num_found / num_frames, 4) if num_frames else None,
        clips_with_several_faces=sum(clip['several_faces'] > 0 for clip in details),
    )
