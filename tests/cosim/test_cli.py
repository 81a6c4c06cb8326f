"""The command line: what is refused in one line, and what it prints."""

import json
import os
import signal
import struct
import subprocess
import time
from pathlib import Path

import pytest

from cosim.traffic.pcap import write_capture
from tests.captures import CAPTURES, capture_names
from tests.tools.command import HERMES, hermes


def assert_refused(folder: Path, *arguments: str | Path, message: str) -> None:
    """That the command says one line, with exit code 2, and leaves nothing behind."""
    before = sorted(folder.rglob("*"))
    ended = hermes(folder, *arguments)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.startswith("hermes: ")
    assert ended.stderr.count("\n") == 1
    assert message in ended.stderr
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--cores", "0"], "cores is '0'; accepted is 1 to 64 application cores"),
        (["verilog", "--target", "board"], "--target is board; accepted is core"),
        (["verilog", "--config", "huge"], "--config is huge; accepted is full or tiny"),
        (["run", "--system", "linux"], "system is 'linux'; accepted is indirect"),
        (["run", "--rate", "200M"], "rate is 200000000; accepted is at most "),
        (["run", "--set", "colour=red"], "set is 'colour=red'; accepted is KEY=VALUE with KEY one of applications, "),
        (
            ["run", "--set", "link.max_payload_bytes=100"],
            "link.max_payload_bytes is 100; accepted is 128 or 256 or 512",
        ),
        (["run", "--pcap", "nothing.pcap"], "nothing.pcap: No such file or directory; accepted is a capture"),
        (["run", "--out", "/dev/null/x"], "out is '/dev/null/x' (Not a directory); accepted is a folder"),
        (["run", "--colour"], "No such option: --colour"),
        (["walk"], "No such command 'walk'"),
        (["experiment", "E99"], "experiment is 'E99' (No such file or directory); accepted is one of E1, E2"),
        (["experiment", "E1", "--system", "linux"], "system is 'linux'; accepted is indirect"),
        (["experiment", "E1", "--quick", "--full"], "scale is --quick and --full; accepted is one of them"),
        (["experiment", "E1", "--seeds", "0"], "seeds is 0; accepted is 1 or more"),
        (["experiment", "E1", "--set", "cores=99"], "E1: sweep load: cores is '99'; accepted is 1 to 64"),
        (
            ["compare", "system=indirect", "colour"],
            "'colour' is no setting; accepted is 'KEY=VALUE KEY=VALUE', or a run",
        ),
        (["explain", "nothing"], "result is 'nothing'"),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    assert_refused(tmp_path, *arguments, message=message)


def test_a_bad_capture_is_refused_with_its_name_and_frame(tmp_path: Path) -> None:
    good = tmp_path / "good.pcap"
    write_capture(good, [bytes(60), bytes(100)], [0, 1])
    content = good.read_bytes()
    for name, wrong, message in (
        ("empty.pcap", b"", "empty.pcap: the file is empty"),
        ("letter.pcap", b"Dear reader,\nthis is no capture.\n", "letter.pcap: is no capture"),
        ("truncated.pcap", content[:-1], "truncated.pcap: the capture is truncated: it ends within frame 2"),
        (
            "cut.pcap",
            content + struct.pack("<IIII", 0, 0, 60, 1514) + bytes(60),
            "cut.pcap: frame 3 was cut to 60 of its 1514 bytes by the snap length",
        ),
    ):
        (tmp_path / name).write_bytes(wrong)
        assert_refused(tmp_path, "run", "--pcap", name, message=message)


@pytest.mark.parametrize("name", capture_names("linux_cooked.pcap"))
def test_a_real_capture_of_another_link_type_is_refused(tmp_path: Path, name: str) -> None:
    message = f"{name}: has link type 113; accepted is 1, Ethernet"
    assert_refused(tmp_path, "run", "--pcap", CAPTURES / name, message=message)


def test_json_is_all_that_stands_on_stdout(tmp_path: Path) -> None:
    ended = hermes(tmp_path, "run", "--requests", "50", "--json")
    assert (ended.returncode, ended.stderr) == (0, "")
    result = json.loads(ended.stdout)
    assert (result["offered"], result["echoed"], result["unfinished"]) == (50, 50, 0)
    assert result["run"]["idle_skip"] is True
    written = json.loads((tmp_path / "out" / "result.json").read_text())
    assert written == {key: value for key, value in result.items() if key != "run"}


def test_without_json_there_is_a_table(tmp_path: Path) -> None:
    ended = hermes(tmp_path, "run", "--requests", "50", "--out", "results")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "indirect, echo of 50 requests of 8 flows at 1,000,000 per second" in ended.stdout
    assert "latency p99" in ended.stdout
    assert ended.stdout.endswith("Results are in results\n")
    outputs = ["config.json", "echo.pcap", "result.json", "run-info.json", "sent.pcap"]
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == outputs


def test_a_run_that_fails_says_in_one_line_who_waits_for_what_and_keeps_its_log(tmp_path: Path) -> None:
    ended = hermes(tmp_path, "run", "--requests", "5", "--set", "link.memory_read_ps=1000000000000")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.count("\n") == 1
    message, _, log = ended.stderr.strip().partition("; the simulator's log is ")
    assert "completion of config request" in message
    assert message.endswith("the wait for it began 10 ms before")
    assert "Traceback" in Path(log).read_text()
    Path(log).unlink()
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_ends_the_run_and_leaves_nothing_behind(tmp_path: Path) -> None:
    command: list[str | Path] = [HERMES, "run", "--requests", "200000", "--rate", "100k", "--set", "idle_skip=off"]
    # a session of its own, so that the interrupt reaches all its processes, as from a keyboard, and no other
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as run:
        end = time.monotonic() + 300
        while not list(tmp_path.rglob("simulator.log")) and time.monotonic() < end:
            time.sleep(0.1)
        time.sleep(2)
        os.killpg(run.pid, signal.SIGINT)
        stdout, stderr = run.communicate(timeout=60)
    assert (run.returncode, stdout, stderr) == (130, "", "hermes: interrupted\n")
    assert list(tmp_path.iterdir()) == []
