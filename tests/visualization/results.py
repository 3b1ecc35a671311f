"""A result of the inferencer, written by hand."""

from __future__ import annotations

from typing import Any


def window(start: float, end: float, scores: dict[str, float] | None, coverage: float) -> dict[str, Any]:
    return dict(
        start_seconds=start,
        end_seconds=end,
        label=max(scores, key=lambda name: scores[name]) if scores else None,
        scores=scores,
        values=None,
        streams=['video', 'audio'] if scores else [],
        absent_streams={} if scores else {'video': 'no face'},
        face_coverage=coverage,
    )


RESULT: dict[str, Any] = dict(
    name='talk.mp4',
    model='tiny',
    label='joy',
    scores=dict(joy=0.6, anger=0.4),
    values=None,
    duration_seconds=6.0,
    windows=[
        window(0.0, 2.0, dict(joy=0.8, anger=0.2), 1.0),
        window(1.0, 3.0, dict(joy=0.4, anger=0.6), 0.5),
        window(4.0, 6.0, None, 0.0),
    ],
    faces=[
        dict(seconds=0.0, box=[10.0, 10.0, 20.0, 20.0]),
        dict(seconds=0.4, box=[14.0, 10.0, 20.0, 20.0]),
        dict(seconds=4.0, box=None),
    ],
    warnings=[],
)
