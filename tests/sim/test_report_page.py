"""The report's page in a real browser: every figure is drawn, at both widths, offline, and nothing logs an error."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome

from cosim.experiments.definition import Experiment, Figure, Sweep
from cosim.experiments.table import write
from cosim.report.page import write_report
from tests.tools.browser import chromium, errors

WIDTHS = {"desktop": (1280, 900), "phone": (390, 844)}

pytestmark = pytest.mark.long

FIGURES = [
    Figure(id="lines", sweep="s", title="Lines", x="rate_per_s", y=["latency_p50_ns", "latency_p99_ns"], y_log=True),
    Figure(id="bars", sweep="s", title="Bars", kind="bars", y=["latency_p50_ns"]),
    Figure(id="stack", sweep="s", title="Stack", kind="stack", x="rate_per_s", y=["a_one_share", "a_two_share"]),
    Figure(id="series", sweep="s", title="Series", kind="series", x="series_start_ns", y=["series_load_per_s"]),
    Figure(id="tornado", sweep="s", title="Tornado", kind="tornado", y=["latency_p99_ns"], says=["largest", "ranking"]),
    Figure(id="changes", sweep="s", title="Changes", kind="changes", y=["latency_p99_ns"], says=["largest"]),
]
EXPERIMENT = Experiment(id="X", title="Every kind", question="Is it drawn?", sweep=[Sweep(name="s")], figure=FIGURES)


def rows() -> list[dict[str, object]]:
    common = {"experiment": "X", "sweep": "s", "nic": "model", "version": "0", "latency_p99.9_ns": None}
    common |= {"costs_sha256": "c", "code_sha256": "d", "rtl_sha256": "r", "key": "k"}
    made: list[dict[str, object]] = []
    for number, system in enumerate(("indirect", "semi-direct", "priority"), start=1):
        for place, case in enumerate(("default", "park low", "park high")):
            for rate in (100_000, 200_000, 400_000):
                for seed in (1, 2, 3):
                    value = 1000.0 * number * (1 + place) * rate / 100_000 + seed
                    measured = {"latency_p50_ns": value, "latency_p99_ns": 3 * value, "event_hash": f"{value}"}
                    measured |= {"a_one_share": 0.25, "a_two_share": 0.75}
                    measured |= {"series_start_ns": [0.0, 1e6, 2e6], "series_load_per_s": [1e5, None, value]}
                    made.append(
                        {**common, "system": system, "case": case, "rate_per_s": rate, "seed": seed, **measured}
                    )
    return made


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    about = {"definition": EXPERIMENT.model_dump_json(), "scale": "quick", "settings": "", "failed": ""}
    write(folder / "X.parquet", rows(), about)
    return write_report(folder)


@pytest.fixture(scope="module")
def driver() -> Iterator[Chrome]:
    browser = chromium()
    browser.execute_cdp_cmd("Network.enable", {})
    browser.execute_cdp_cmd(
        "Network.emulateNetworkConditions",
        {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0},
    )
    yield browser
    browser.quit()


@pytest.mark.parametrize("width", WIDTHS)
def test_every_figure_is_drawn_and_nothing_logs_an_error(driver: Chrome, page: Path, width: str) -> None:
    wide, high = WIDTHS[width]
    metrics = {"width": wide, "height": high, "deviceScaleFactor": 1, "mobile": width == "phone"}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    driver.get(page.as_uri())
    driver.set_script_timeout(60)
    driver.execute_async_script("const done = arguments[0]; window.setTimeout(done, 1000);")
    drawn = driver.execute_script(
        "return [...document.querySelectorAll('.js-plotly-plot')].map(plot => ({id: plot.id,"
        " marks: plot.querySelectorAll('.scatterlayer .trace, .barlayer .point').length,"
        " cell: plot.parentElement.parentElement.getBoundingClientRect().right,"
        " right: plot.querySelector('.main-svg').getBoundingClientRect().right,"
        " height: plot.getBoundingClientRect().height}))"
    )
    names = {entry["id"].rsplit("-", 1)[0] for entry in drawn}
    assert names == {f"X-{figure.id}" for figure in FIGURES}
    for entry in drawn:
        assert entry["marks"] > 0, entry
        assert entry["height"] > 200, entry
        assert entry["right"] <= entry["cell"] + 1 <= wide, f"{entry} is wider than its place"
    assert driver.execute_script("return document.documentElement.scrollWidth") <= wide
    assert errors(driver) == []
    driver.save_screenshot(str(page.with_name(f"{width}.png")))


def test_the_page_asks_for_nothing_beyond_itself(page: Path) -> None:
    text = page.read_text()
    for attribute in ('src="http', "src=http", 'rel="stylesheet"', "rel=stylesheet"):
        assert attribute not in text
    for file in ("X-lines.png", "X-lines.pdf"):
        assert (page.parent / "figures" / file).stat().st_size > 1000
