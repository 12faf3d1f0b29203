"""The page in headless Chromium: no message on its console, nothing loaded, no sideways scroll."""

import html
import json
import re
import shutil
import subprocess

import pytest
from made_up import write_experiment

from tfcil.report.compare.comparison import Comparison
from tfcil.report.compare.page import comparison_page
from tfcil.report.experiment import read_experiment
from tfcil.report.page.build import experiment_page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
# A window is never narrower than 500 pixels; a frame in it is.
FRAME = """<!doctype html><body style="margin: 0">
<iframe width="{width}" height="800" style="border: 0" srcdoc="{page}"></iframe>
<script>
addEventListener("load", () => {{
  const frame = document.querySelector("iframe");
  const page = frame.contentDocument;
  const target = page.querySelector("svg[data-chart]");
  const box = target.getBoundingClientRect();
  const Pointer = frame.contentWindow.PointerEvent;
  const place = {{clientX: box.x + box.width - 15, clientY: box.y + box.height / 2}};
  target.dispatchEvent(new Pointer("pointermove", place));
  const shown = page.getElementById("tip").textContent;
  const search = page.querySelector("input[type=search]");
  search.value = "number 1";
  search.dispatchEvent(new Event("input"));
  const rows = [...page.querySelectorAll("#class-table tbody tr")];
  document.documentElement.dataset.seen = JSON.stringify({{
    scroll: page.documentElement.scrollWidth,
    client: page.documentElement.clientWidth,
    tooltip: shown,
    found: rows.filter((row) => !row.hidden).map((row) => row.cells[0].textContent),
    loaded: frame.contentWindow.performance.getEntriesByType("resource")
      .map((entry) => entry.name).filter((name) => !name.startsWith("data:")),
  }});
}});
</script>"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt-get install chromium")


def look(folder, page, width):
    """Opens a page that many pixels wide; returns what was seen, and the console's messages."""
    file = folder / f"frame{width}.html"
    file.write_text(FRAME.format(width=width, page=html.escape(page)), encoding="utf-8")
    command = [
        *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
        *("--enable-logging=stderr", "--virtual-time-budget=10000", "--window-size=1300,900"),
        *(f"--user-data-dir={folder / 'profile'}", "--dump-dom", file.as_uri()),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    seen = re.search(r'data-seen="([^"]*)"', done.stdout)
    assert seen, done.stderr
    messages = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return json.loads(html.unescape(seen[1])), messages


def experiment(folder, sizes, **settings):
    layout, params = write_experiment(folder, sizes, **settings)
    return read_experiment(layout, params.model_dump())


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("sizes", [[2, 1, 1], [15, 12]], ids=["squares", "picture"])
def test_page_renders_at_desktop_and_phone_width(tmp_path, sizes, width):
    page = experiment_page(experiment(tmp_path, sizes, memory=27))
    seen, messages = look(tmp_path, page, width)
    assert messages == []
    assert seen["loaded"] == []
    assert seen["scroll"] <= seen["client"] == width
    assert f"task {len(sizes) - 1:02d}" in seen["tooltip"]
    assert "highest logit: " in seen["tooltip"]
    assert "class number 1" in seen["found"]
    assert "class number 2" not in seen["found"]


def test_long_names_do_not_widen_the_page(tmp_path):
    names = ["x" * 200, "y" * 200, "number 1"]
    page = experiment_page(experiment(tmp_path, [2, 1], names=names))
    seen, messages = look(tmp_path, page, 390)
    assert messages == []
    assert seen["scroll"] <= 390


@pytest.mark.parametrize("width", [1280, 390])
def test_comparison_renders_at_desktop_and_phone_width(tmp_path, width):
    both = (
        experiment(tmp_path / "1", [2, 1]),
        experiment(tmp_path / "2", [2, 1, 2], memory=15, seed=1),
    )
    page = comparison_page(Comparison(("a-long-name-of-a-branch", "e4f5a6b7c8d9" * 3), both))
    seen, messages = look(tmp_path, page, width)
    assert messages == []
    assert seen["loaded"] == []
    assert seen["scroll"] <= seen["client"] == width


def test_a_script_that_got_in_would_not_run(tmp_path):
    """The second lock, should escaping fail one day: the browser refuses it and says so."""
    page = experiment_page(experiment(tmp_path, [2, 1]))
    evil = page.replace("</main>", "<script>document.title = 'owned'</script></main>")
    messages = look(tmp_path, evil, 1280)[1]
    assert any("Content Security Policy" in one for one in messages)
