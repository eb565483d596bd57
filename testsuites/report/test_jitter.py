# SPDX-License-Identifier: GPL-2.0-only
"""`make jitter-report`, seen through a browser: what the example says stands on the page."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from harness import jitterdata
from harness.jitterdata import JitterRun, Kind, Place, Series
from harness.report import jitter
from harness.results import REPOSITORY

EXAMPLE = REPOSITORY / "testsuites/jitter/example.json"


@pytest.fixture(scope="module")
def run() -> JitterRun:
    """The example with a straggler among a thousand ticks."""
    example = jitterdata.read(EXAMPLE)
    ticks = [4336 + 16 * (number % 3) for number in range(1000)]
    ticks[700] = 9008
    name, title = example.series[0].name, example.series[0].title
    cell = Series.of(name, title, Place.CELL, Kind.JITTER, ticks)
    return replace(example, series=(cell, *example.series[1:]))


@pytest.fixture(scope="module")
def report(run: JitterRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its page, after two other commits, the first measured with another emulator."""
    old = replace(run.versions, emulator="QEMU 9.2.0")
    history = [
        replace(run, commit="1" * 12, date="2026-01-01T00:00:00Z", versions=old),
        replace(run, commit="2" * 12, date="2026-02-01T00:00:00Z"),
    ]
    return jitter.generate(run, history, tmp_path_factory.mktemp("jitter"))


def test_figures_and_verdict(opened: Callable[..., Page], report: Path, run: JitterRun) -> None:
    page = opened(report)
    expect(page).to_have_title(f"Jitter of {run.commit}")
    expect(page.get_by_text("1 of 2 figures differ from the baseline")).to_be_visible()
    tiles = page.locator(".tile")
    for number, words in enumerate(
        ("4\u202f352 ns", "9\u202f008 ns", "4\u202f672 ns", "3\u202f712 ns")
    ):
        expect(tiles.nth(number)).to_contain_text(words)
    expect(tiles.nth(3)).to_contain_text("bare machine: 640 ns")
    row = page.get_by_role("row").filter(has_text="hypercall, cell: median").first
    expect(row).to_contain_text("+1")
    exit_cost = page.get_by_role("row").filter(has_text="x2APIC MSR read")
    for word in ("76 %", "96", "127", "101"):
        expect(exit_cost.get_by_text(word, exact=True)).to_be_visible()
    expect(page.get_by_text("no difference: 0.3 %, within the floor of 5 %")).to_be_visible()


def test_the_straggler_is_in_histogram_and_time_series(
    opened: Callable[..., Page], report: Path
) -> None:
    page = opened(report)
    card = page.locator(".series").first
    histogram, timeline = card.locator("svg").nth(0), card.locator("svg").nth(1)
    # One bar of the smallest count at the right edge, as wide as the others.
    bars, dots = histogram.locator("rect"), timeline.locator("circle")
    places = bars.evaluate_all("all => all.map((one) => Number(one.getAttribute('x')))")
    right = places.index(max(places))
    bars.nth(right).hover()
    expect(page.locator("#tip")).to_contain_text("in a cell: 1 of 1000")
    heights = dots.evaluate_all("all => all.map((one) => Number(one.getAttribute('cy')))")
    highest = heights.index(min(heights))
    dots.nth(highest).hover()
    expect(page.locator("#tip")).to_have_text("in a cell, sample 700: 9\u202f008 ns")


def test_history_breaks_where_tools_changed(opened: Callable[..., Page], report: Path) -> None:
    page = opened(report, scheme="dark")
    page.get_by_label("figure").select_option("hypercall, in a cell")
    chart = page.get_by_role("img", name="hypercall, in a cell over commits")
    expect(chart.locator("circle")).to_have_count(3)
    expect(chart.locator("line[stroke-dasharray]")).to_have_count(1)
    assert chart.locator("path").get_attribute("d").count("M") == 2  # type: ignore[union-attr]
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == "rgb(16, 18, 22)"


def test_legible_on_a_phone(opened: Callable[..., Page], report: Path) -> None:
    page = opened(report, width=390, height=800)
    # Tables scroll in their own frames; the page does not scroll sideways.
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    sizes = page.evaluate(
        "[...document.querySelectorAll('main *')].filter((e) => e.children.length === 0 && e.textContent.trim()"
        " && !e.closest('svg')).map((e) => parseFloat(getComputedStyle(e).fontSize))"
    )
    assert min(sizes) >= 13


def test_sparse_data_make_a_page_without_empty_promises(
    opened: Callable[..., Page], tmp_path: Path, run: JitterRun
) -> None:
    nothing = JitterRun(run.commit, run.date, run.target, run.versions, run.clock)
    page = opened(jitter.generate(nothing, [], tmp_path))
    expect(page.get_by_text("not compared with a baseline")).to_be_visible()
    expect(page.locator("h2")).to_have_count(0)
    expect(page.locator("svg")).to_have_count(0)
