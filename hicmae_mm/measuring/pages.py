"""Puts tables into pages of the documentation."""

from __future__ import annotations

from pathlib import Path

from hicmae_mm.utils.files import write_text


def replace_between_marks(page: Path, marks: tuple[str, str], text: str) -> None:
    """Replaces what stands between two lines of a page.

    Args:
        page: A text file.
        marks: The line before the replaced text, and the line behind it.
        text: The new text; it ends with a line break.

    Raises:
        FileNotFoundError: If there is no such page.
        ValueError: If the page lacks the marks.
    """
    if not page.is_file():
        raise FileNotFoundError(f'{page} does not exist: name a page that has the lines {" and ".join(marks)}')
    before, begin, rest = page.read_text(encoding='utf-8').partition(f'{marks[0]}\n')
    _, end, after = rest.partition(marks[1])
    if not begin or not end:
        raise ValueError(f'{page} lacks the marks {" and ".join(marks)}, each on a line of its own')
    write_text(page, f'{before}{begin}{text}{end}{after}')
