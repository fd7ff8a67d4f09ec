"""The page in a real Chromium: drawn, silent, offline, legible, and without anybody's address."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from companies import ACCOUNTS, company
from general import NOW, config_of
from harness import Ticking, run
from outcome import Run
from postgres import ABSENT, server
from postgres_warehouse import PostgresWarehouse
from sandbox.server import Sandbox
from test_dbt import gap
from warehouse import Warehouse, needs_dbt

if TYPE_CHECKING:
    from collections.abc import Iterator

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
SCREENSHOTS = Path(__file__).resolve().parent.parent / "docs" / "images"
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium: Debian's package chromium, or CHROMIUM names the program"
)
pytestmark = [needs_dbt, pytest.mark.thorough]
LOOKS = [(theme, size) for theme in ("light", "dark") for size in ((1100, 900), (390, 844))]
"""Themes, and the sizes of a screen and of a phone."""
TRANSCRIPT = SCREENSHOTS.parent / "analytics.md"
CUT_OFF = """[...document.querySelectorAll("svg")].filter(svg => svg.checkVisibility()).flatMap(svg => {
  const box = svg.getBoundingClientRect();
  return [...svg.querySelectorAll("text")].filter(text => {
    const own = text.getBoundingClientRect();
    return own.width && (own.left < box.left - 1 || own.right > box.right + 1);
  }).map(text => text.textContent);
})"""
"""The letters of the charts that do not fit into them."""
CHARTS = ("flow", "rates", "times", "engagement", "complete")
"""The sections that hold charts."""


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """All vendors, read once."""
    clock, mail = Ticking(NOW), tmp_path_factory.mktemp("mail")
    with Sandbox(seed=3, size=1500, now=clock.now, options={"messangi": {"directory": str(mail)}}) as box:
        found = run(config_of(box), clock=clock)
    assert found.status == 0, found.stderr
    made = Warehouse(tmp_path_factory.mktemp("warehouse"))
    made.load(found, "2026-03-01 12:00:00")
    made.build("--exclude", "resource_type:test", "--exclude", "resource_type:unit_test")
    return made


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium without a screen."""
    with sync_playwright() as started:
        arguments = ["--no-sandbox", "--disable-background-networking"]
        opened = started.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield opened
        opened.close()


@contextmanager
def shown(browser: Any, text: str, folder: Path, theme: str = "light", size: tuple[int, int] = (1100, 900)) -> Any:
    """Open a page from disk; whatever the browser complains of, and every request but the file's, fails the test."""
    file = folder / "page.html"
    file.write_text(text, encoding="utf-8")
    context = browser.new_context(
        color_scheme=theme, viewport={"width": size[0], "height": size[1]}, timezone_id="Asia/Kolkata", locale="en-GB"
    )
    page = context.new_page()
    trouble: list[str] = []
    page.on("console", lambda message: trouble.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: trouble.append(f"error: {error}"))
    page.on("request", lambda request: trouble.append(request.url) if request.url != f"file://{file}" else None)
    page.goto(f"file://{file}")
    yield page
    assert not trouble
    context.close()


@needs_chromium
@pytest.mark.parametrize(("theme", "size"), LOOKS, ids=["light", "light phone", "dark", "dark phone"])
def test_the_page_is_drawn_and_accessible(
    warehouse: Warehouse, browser: Any, tmp_path: Path, theme: str, size: tuple[int, int]
) -> None:
    with shown(browser, warehouse.page(), tmp_path, theme, size) as page:
        for section in CHARTS:
            charts = page.locator(f"section[aria-labelledby={section}] svg:visible")
            assert charts.count() >= 1, section
            assert charts.first.locator("path").count() > 0, section
            assert charts.first.get_attribute("aria-label")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate(CUT_OFF) == []
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = false")
        name = f"page-{theme}-{'phone' if size[0] < 500 else 'wide'}.png"
        page.screenshot(path=str((SCREENSHOTS if os.environ.get("SCREENSHOTS") else tmp_path) / name), full_page=True)


@needs_chromium
def test_a_gap_made_on_purpose_is_said_first_and_red(browser: Any, tmp_path: Path) -> None:
    """A vendor that keeps two days was not read for three; docs/analytics.md shows what is said."""
    warehouse = Warehouse(tmp_path)
    warehouse.now = "2026-03-04T12:30:00+00:00"
    for found in gap():
        warehouse.load(found, "2026-03-05 12:00:00")
    warehouse.build("--exclude", "resource_type:test", "--exclude", "resource_type:unit_test")
    text = warehouse.page()
    (first, *_) = re.findall(r'<li class="(\w+)">', text)
    assert first == "bad"
    assert "Events are missing" in text
    assert "unavailable from 2026-03-01" in text
    said = warehouse.dbt("test", "--select", "nothing_is_missing")
    for line in TRANSCRIPT.read_text(encoding="utf-8").split("```text\n")[1].split("```")[0].splitlines():
        assert line.removeprefix("✕ ") in text + said, line
    with shown(browser, text, tmp_path) as page:
        (moment, *_) = re.findall(r'datetime="([^"]+)"[^>]*>[^<]*</time></td>', text)
        cell = page.locator("section[aria-labelledby=complete] td time").first
        assert cell.get_attribute("datetime") == moment
        assert "UTC" in (cell.get_attribute("title") or "")
        assert "UTC" not in cell.inner_text()
        red = page.locator("section[aria-labelledby=complete] .missing")
        assert red.count() >= 1
        calendar = page.locator("section[aria-labelledby=complete] svg:visible")
        assert calendar.locator("path[fill='var(--st-unavailable)']").count() >= 1
        assert calendar.locator("text", has_text="✕").count() >= 1


def test_no_address_subject_or_link_is_in_it(warehouse: Warehouse) -> None:
    text = warehouse.page()
    rows = warehouse.ask("select distinct recipient, sender, subject, url from fct_email_events")
    private = {value for row in rows for value in row if value and len(value) > 5}
    assert len(private) > 100
    assert not [value for value in private if value in text]
    assert "@" not in re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL)
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", text).replace("http-equiv", "")


def test_the_policy_allows_what_is_in_it_and_nothing_else(warehouse: Warehouse) -> None:
    text = warehouse.page()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert policy.count("sha256-") == 2
    assert text.count("<script") == text.count("<style") == 1


@needs_chromium
def test_nothing_loaded_yet_looks_right(browser: Any, tmp_path: Path) -> None:
    empty = Warehouse(tmp_path)
    clock = Ticking(NOW)
    with Sandbox(seed=3, size=0, now=clock.now, vendors=["smtp2go"]) as box:
        found = run(config_of(box, "smtp2go"), clock=clock)
    empty.load(Run(0, "", [one for one in found.messages if one["type"] == "SCHEMA"]), "2026-03-01 12:00:00")
    empty.build("--exclude", "test_type:unit")
    with shown(browser, empty.page(), tmp_path) as page:
        assert "Nothing has been loaded yet" in page.inner_text("main")
    for later in (found,):
        empty.load(later, "2026-03-01 12:00:00")
    empty.build("--exclude", "test_type:unit")
    with shown(browser, empty.page(), tmp_path) as page:
        assert "SMTP2GO: nothing is wrong" in page.inner_text("main")


def test_no_models_are_one_sentence(tmp_path: Path) -> None:
    said = Warehouse(tmp_path).page(status=1)
    assert said.startswith("Error: ")
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "page.html").exists()


def drawn_after(page: Any) -> float:
    """Load a page once more; return the milliseconds that it took. (A busy machine makes some slow, but none fast.)"""
    page.reload()
    milliseconds: float = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    return milliseconds


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """90 days of five vendors with 1,000 recipients' domains, four accounts, a dozen senders; one was never read."""
    made = Warehouse(tmp_path_factory.mktemp("large"))
    company(made.file, failed=tuple(f"zeptomail:{account}" for account in ACCOUNTS))
    made.build("--exclude", "resource_type:test", "--exclude", "resource_type:unit_test")
    return made


@needs_chromium
@pytest.mark.parametrize("look", [LOOKS[0], LOOKS[3]], ids=["light", "dark phone"])
@pytest.mark.parametrize("days", [90, 2])
def test_a_large_company(
    large: Warehouse, browser: Any, tmp_path: Path, look: tuple[str, tuple[int, int]], days: int
) -> None:
    """Drawn in two seconds, in few words, and nothing is cut off: with ninety days, and with two."""
    text = large.page("--days", str(days))
    assert len(text) < 3_000_000
    with shown(browser, text, tmp_path, *look) as page:
        assert min(drawn_after(page) for _ in range(3)) < 2000
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate(CUT_OFF) == []
        for item in page.locator(".lines li").all():
            assert item.locator("p").count() < 10, item.inner_text()
        (failed,) = page.locator(".lines li", has_text="ZeptoMail").all()
        assert failed.get_attribute("class") == "bad"
        assert "Nothing of it was read completely yet." in failed.inner_text()
        assert "past a threshold" in page.inner_text("section[aria-labelledby=senders]")
        calendar = page.locator("section[aria-labelledby=complete] svg:visible")
        assert calendar.locator("path[fill='var(--st-failed)']").count() == 2 * len(ACCOUNTS)
        assert calendar.locator("text", has_text="zeptomail_log a-company").count() == 1


def test_charts_have_the_thresholds_that_health_grades_by(large: Warehouse) -> None:
    assert "2 %: watch" in (text := large.page("--days", "2"))
    assert "said of 10 mails or more" in text
    large.dbt("run", "--select", "model_vars", "--vars", '{"hard_bounce_rate_watch": 0.07, "named_from_mails": 25}')
    assert "7 %: watch" in (text := large.page("--days", "2"))
    assert "2 %: watch" not in text
    assert "said of 25 mails or more" in text


@pytest.mark.skipif(bool(ABSENT), reason=ABSENT or "")
def test_postgresql_gives_the_same_page(warehouse: Warehouse, tmp_path: Path) -> None:
    """Whatever the database's own zone and order of letters are."""
    with server() as dsn:
        with psycopg.connect(dsn, autocommit=True) as connection:
            icu = "locale_provider icu icu_locale 'en-US'" if connection.info.server_version >= 150000 else ""
            connection.execute(f"create database elsewhere template template0 {icu}")
            connection.execute("alter database elsewhere set timezone = 'Asia/Kolkata'")
        other = PostgresWarehouse(tmp_path, dsn.removesuffix("tap") + "elsewhere")
        other.copy(warehouse)
        other.build("--exclude", "resource_type:test", "--exclude", "resource_type:unit_test")
        assert other.page() == warehouse.page()
        for query in (
            "select count(*), sum(events), sum(messages), sum(length(reason)) from bounce_reasons",
            "select count(*), sum(delivered), sum(seconds_p50), sum(seconds_p99) from time_to_deliver",
            "select count(*), count(machine_reason), count(distinct message_key) from fct_email_events",
        ):
            assert [float(n) for n in other.ask(query)[0]] == pytest.approx([float(n) for n in warehouse.ask(query)[0]])
