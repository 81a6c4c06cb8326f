"""The link of `hermes explain --show` in a real browser: the trace gets from this machine into the viewer's page.

The viewer itself is not here: a page stands in for it that takes the link apart as the viewer does, under its name, and
fetches the trace. The browser's rules for that, which are what can fail, are the real ones.
"""

import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from selenium.webdriver.support.ui import WebDriverWait

from cosim.report.explain import VIEWER, link, serve
from tests.tools.browser import chromium, errors

pytestmark = pytest.mark.long

HOST = urlsplit(VIEWER).hostname
PAGE = b"""<!doctype html><link rel=icon href="data:,"><title>waiting</title><script>
const asked = new URLSearchParams(location.hash.split("?").slice(1).join("?"));
fetch(asked.get("url")).then(answer => answer.arrayBuffer()).then(trace => {
  document.title = [trace.byteLength, asked.get("visStart"), asked.get("visEnd")].join(" ");
});
</script>"""


class Viewer(BaseHTTPRequestHandler):
    """Gives the page, whatever is asked for."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def viewer(tmp_path: Path) -> Iterator[int]:
    """Its port."""
    files = [str(tmp_path / name) for name in ("certificate.pem", "key.pem")]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={HOST}", "-days", "1"]
    subprocess.run([*command, "-out", files[0], "-keyout", files[1]], check=True, capture_output=True, timeout=60)
    server = HTTPServer(("127.0.0.1", 0), Viewer)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_viewer_s_page_gets_the_trace_and_the_moment(tmp_path: Path, viewer: int) -> None:
    trace = tmp_path / "trace.perfetto"
    trace.write_bytes(bytes(range(256)) * 400)
    begin_ps, end_ps = 12_000_000_000, 12_044_000_000
    is_offered = threading.Event()
    offer = threading.Thread(target=serve, args=(trace, is_offered.set), daemon=True)
    offer.start()
    assert is_offered.wait(30)
    browser = chromium("--ignore-certificate-errors", f"--host-resolver-rules=MAP {HOST}:443 127.0.0.1:{viewer}")
    try:
        browser.get(link(begin_ps, end_ps))
        WebDriverWait(browser, 60).until(lambda page: page.title != "waiting")
        size, start, end = map(int, browser.title.split())
        assert size == 256 * 400
        # nanoseconds, with some room on both sides
        assert start < begin_ps // 1000 < end_ps // 1000 < end
        assert end - start < 4 * (end_ps - begin_ps) // 1000
        assert errors(browser) == []
    finally:
        browser.quit()
    offer.join(30)
    assert not offer.is_alive(), "it ends once the trace was fetched"
