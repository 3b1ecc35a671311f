from __future__ import annotations

from pathlib import Path

import pytest

from hicmae_mm.measuring.pages import replace_between_marks


def test_a_page_is_changed_between_its_marks_alone(tmp_path: Path) -> None:
    page, marks = tmp_path / 'page.md', ('<!-- begin -->', '<!-- end -->')
    page.write_text('before\n<!-- begin -->\nold\n<!-- end -->\nafter\n')
    replace_between_marks(page, marks, 'new\n')
    assert page.read_text() == 'before\n<!-- begin -->\nnew\n<!-- end -->\nafter\n'
    page.write_text('nothing\n')
    with pytest.raises(ValueError, match='lacks the marks <!-- begin --> and <!-- end -->'):
        replace_between_marks(page, marks, 'new\n')
    assert page.read_text() == 'nothing\n'
    with pytest.raises(FileNotFoundError, match='name a page that has the lines'):
        replace_between_marks(tmp_path / 'none.md', marks, 'new\n')
