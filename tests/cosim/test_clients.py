"""Clients that wait for their answers: when each request comes, and that nothing hangs if an answer never does."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from scapy.utils import RawPcapReader

from tests.cosim.test_run import dropped, files, run

MAC_NS, THINK_NS = 200, 1500
SHORT = ("--set", "frame_bytes=60")


def ports_and_times(path: Path, port_at: int) -> list[tuple[int, int]]:
    """Of each frame in order the UDP port, and when its last beat was, in ns."""
    with RawPcapReader(str(path)) as reader:
        return [(int.from_bytes(data[port_at : port_at + 2]), meta.sec * 10**9 + meta.usec) for data, meta in reader]


def sent(out: Path) -> list[tuple[int, int]]:
    return ports_and_times(out / "sent.pcap", 36)


def answered(out: Path) -> list[tuple[int, int]]:
    return ports_and_times(out / "echo.pcap", 34)


def with_clients(out: Path, clients: int, *arguments: str) -> dict[str, Any]:
    return run(out, "--set", f"clients={clients}", *arguments)


def test_each_request_comes_when_its_client_has_thought_about_the_answer_before(tmp_path: Path) -> None:
    clients = 3
    settings = ("--set", f"think={THINK_NS}ns", *SHORT)
    result = with_clients(tmp_path, clients, "--requests", "400", "--flows", "7", *settings)
    assert (result["offered"], result["completed"], result["not_sent"]) == (400, 400, 0)
    came, left = defaultdict(list), defaultdict(list)
    for port, time in sent(tmp_path):
        came[(port - 1024) % clients].append(time)
    for port, time in answered(tmp_path):
        left[(port - 1024) % clients].append(time)
    assert set(came) == set(range(clients))
    waited = []
    for client in range(clients):
        assert len(came[client]) == len(left[client])
        waited += [later - time for later, time in zip(came[client][1:], left[client], strict=False)]
    # to the client, thought about, 6.72 ns on the wire, to the NIC, and to its next edge; seldom the wire is taken
    alone = -(-(2 * MAC_NS + THINK_NS + 7) // 4) * 4
    assert min(waited) == alone
    assert max(waited) <= alone + 2 * 8
    assert waited.count(alone) > 300


def test_no_client_has_two_requests_under_way(tmp_path: Path) -> None:
    with_clients(tmp_path, 5, "--requests", "500", "--uthreads", "3", "--flows", "20")
    under_way: dict[int, int] = defaultdict(int)
    events = [(time, 1, port) for port, time in sent(tmp_path)] + [
        (time, -1, port) for port, time in answered(tmp_path)
    ]
    most = 0
    for _, change, port in sorted(events):
        under_way[(port - 1024) % 5] += change
        most = max(most, sum(under_way.values()))
        assert set(under_way.values()) <= {0, 1}
    assert most == 5


def test_more_clients_ask_more_until_the_cores_are_busy(tmp_path: Path) -> None:
    def rate(clients: int) -> float:
        service = ("--workload", "spin", "--service", "constant:10us", "--cores", "2", "--uthreads", "16")
        result = with_clients(tmp_path, clients, "--requests", "300", *service)
        assert result["completed"] == 300
        per_s: float = result["requests_per_s"]
        return per_s

    one, sixteen = rate(1), rate(16)
    assert 40_000 < one < 70_000  # 10 us, and the ways
    assert 150_000 < sixteen < 200_000  # 2 cores


@pytest.mark.parametrize("workload", ["echo", "spin", "kv"])
def test_all_workloads_may_have_clients(tmp_path: Path, workload: str) -> None:
    result = with_clients(tmp_path, 8, "--requests", "300", "--workload", workload)
    assert (result["offered"], result["completed"]) == (300, 300)


@pytest.mark.parametrize("how", ["idle_skip=off", "lookahead=1"])
def test_how_a_run_is_carried_out_changes_no_byte_of_its_files(tmp_path: Path, how: str) -> None:
    arguments = ("--requests", "200", "--set", "think=3us", "--uthreads", "4", "--flows", "9")
    with_clients(tmp_path / "one", 3, *arguments)
    with_clients(tmp_path / "other", 3, *arguments, "--set", how)
    assert files(tmp_path / "one") == files(tmp_path / "other")


@pytest.mark.parametrize("how", ["idle_skip=off", "lookahead=1"])
def test_a_run_that_ends_in_the_middle_is_the_same_however_it_is_carried_out(tmp_path: Path, how: str) -> None:
    service = ("--workload", "spin", "--service", "bimodal:10us:0.99:0.5:50.5", "--cores", "1", "--uthreads", "2")
    arguments = (*service, "--requests", "400", "--set", "drain=30us")
    one = with_clients(tmp_path / "one", 2, *arguments)
    with_clients(tmp_path / "other", 2, *arguments, "--set", how)
    assert files(tmp_path / "one") == files(tmp_path / "other")
    assert one["not_sent"] > 0
    assert one["unfinished"] > 0
    assert one["completed"] > 0


def test_nothing_comes_any_more_once_a_run_has_ended(tmp_path: Path) -> None:
    # the first answers leave while the counters are read
    slow = ("--workload", "spin", "--service", "constant:10us", "--set", "drain=5us")
    result = with_clients(tmp_path, 8, "--requests", "100", *slow)
    assert (result["offered"], result["not_sent"]) == (8, 92)
    assert result["unfinished"] == 8 - result["completed"]
    assert len(sent(tmp_path)) == 8


def test_clients_whose_requests_are_dropped_stop_and_the_others_go_on(tmp_path: Path) -> None:
    long = ("--service", "constant:1us", "--set", "frame_bytes=1514", "--set", "drain=3ms")
    result = with_clients(tmp_path, 1800, "--requests", "3000", "--flows", "1800", "--uthreads", "1", *long)
    drops = result["dropped"]["pipe_full"]
    assert dropped(result) == {"pipe_full": drops}
    assert drops > 50
    assert result["unfinished"] == 0
    assert result["not_sent"] > 0
    assert result["offered"] + result["not_sent"] == 3000
    assert len(sent(tmp_path)) == result["offered"]
