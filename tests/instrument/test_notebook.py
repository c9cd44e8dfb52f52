"""Progress below a notebook's cell."""

import pytest

from calibration.crossbar import no_progress
from instrument.notebook import shown
from tests.support.development_packages import needed

interactiveshell = needed("IPython.core.interactiveshell")


@pytest.fixture
def published(monkeypatch):
    """What a kernel would send to its notebook: (text, whether it updates what is there)."""
    shell = interactiveshell.InteractiveShell.instance()
    sent = []
    monkeypatch.setattr(shell, "kernel", object(), raising=False)
    monkeypatch.setattr(
        shell.display_pub,
        "publish",
        lambda data, *_, update=False, **__: sent.append((data, update)),
    )
    yield sent
    interactiveshell.InteractiveShell.clear_instance()


def test_a_step_is_one_line_that_is_updated(published, monkeypatch):
    monkeypatch.setattr("instrument.notebook.UPDATE_SECONDS", 0.0)
    with shown("calibrate", None) as tell:
        tell(1, 4)
        tell(4, 4)
    texts = [data["text/plain"] for data, _ in published]
    assert [update for _, update in published] == [False, True, True, True]
    assert texts[0].startswith("calibrate: 0 %")
    assert texts[1].startswith("calibrate: 25 %, ")
    assert all("<progress" in data["text/html"] for data, _ in published[:-1])
    assert texts[-1].startswith("calibrate: done after ")
    assert '<progress value="1" max="4">' in published[1][0]["text/html"]


def test_a_step_that_fails_says_so(published):
    with pytest.raises(ZeroDivisionError), shown("<b>", None):
        raise ZeroDivisionError
    assert published[-1][0]["text/plain"].startswith("<b>: stopped after ")
    assert published[-1][0]["text/html"].startswith("&lt;b&gt;: stopped")


def test_ones_own_progress_is_told_instead(published):
    heard = []
    with shown("program", lambda done, total: heard.append((done, total))) as tell:
        tell(1, 2)
    assert heard == [(1, 2)]
    assert not published


def test_a_script_stays_quiet():
    with shown("program", None) as tell:
        assert tell is no_progress
