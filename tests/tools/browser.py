"""A real browser without a screen: Debian's Chromium, installed by the project's own script if it is missing."""

import shutil
import subprocess
from pathlib import Path

from selenium.webdriver import Chrome
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

SET_UP = Path(__file__).parents[2] / "scripts" / "setup_browser.sh"
_ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions")


def chromium(*arguments: str) -> Chrome:
    """One that keeps what pages log; the caller quits it."""
    subprocess.run(["sh", str(SET_UP)], check=True, timeout=600)
    options = Options()
    for argument in (*_ARGUMENTS, *arguments):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.binary_location = str(shutil.which("chromium"))
    return Chrome(options=options, service=Service(str(shutil.which("chromedriver"))))


def errors(browser: Chrome) -> list[dict[str, object]]:
    """What pages logged as an error or a warning since the last call."""
    entries = browser.execute("getLog", {"type": "browser"})["value"]
    return [entry for entry in entries if entry["level"] in ("SEVERE", "WARNING")]
