from __future__ import annotations

import pytest

from hicmae_mm.apis.web.problems import VisitorError
from hicmae_mm.apis.web.stops import Analyses, CheckStop, Stop, StoppedError


def test_the_analyses_of_one_visitor_end():
    analyses = Analyses()
    with analyses.of('me', 10) as mine, analyses.of('me', 10) as too, analyses.of('other', 10) as other:
        analyses.stop('me')
        for stop in (mine, too):
            with pytest.raises(StoppedError):
                stop.check()
        other.check()
    analyses.stop('me')  # nothing runs any more


def test_time_is_counted_from_the_first_check():
    stop = Stop(max_seconds=0)
    stop.check()
    with pytest.raises(VisitorError, match='took longer than 0 minutes'):
        stop.check()


def test_a_step_passes_samples_on():
    step = CheckStop()
    assert step({'a': 1}) == {'a': 1}
    step.stop.ask()
    with pytest.raises(StoppedError):
        step({'a': 1})
