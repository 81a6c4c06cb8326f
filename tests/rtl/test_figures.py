"""The figures of docs/nic.md: what they show is what the manual says, and what happened."""

import re
from pathlib import Path

import pytest

from cosim.cache import PROJECT
from tests.rtl import figures
from tests.rtl.recordings import Reception, receive, transmit
from tests.rtl.test_receive import STAGES

MANUAL = (PROJECT / "docs" / "nic.md").read_text()
MOST_RX_CYCLES, MOST_TX_CYCLES = 32, 12


def budget(title: str) -> dict[str, int]:
    """The table of cycles behind this line of the manual."""
    table = re.split(r"\n\n(?!\|)", MANUAL.split(title, 1)[1], maxsplit=1)[0]
    return {name: int(cycles) for name, cycles in re.findall(r"^\| ([^|]+) \| (\d+) \|", table, re.MULTILINE)}


def taken(reception: Reception) -> list[int]:
    """Cycles in which the host took a beat."""
    return [cycle for cycle, each in enumerate(reception.host) if each.valid and each.ready]


def test_a_received_frame_takes_the_cycles_that_the_manual_says() -> None:
    reception = receive([(0, 300)])
    (frame,) = reception.frames
    stages, told = frame.stages(), budget("From the last beat of a frame to its first line on the host port")
    print(f"last beat in to first host-write beat: {stages}, {sum(stages.values())} cycles")
    assert stages == STAGES
    assert told == {**stages, "together": frame.host[0] - frame.wire[-1]}
    assert told["together"] <= MOST_RX_CYCLES
    assert frame.host == list(range(frame.host[0], frame.host[0] + 5))
    assert reception.notifications == [frame.host[-1] + 1]


@pytest.mark.parametrize("sizes", [[60, 560], [1514]])
def test_a_tx_request_takes_the_cycles_that_the_manual_says(sizes: list[int]) -> None:
    cycles = transmit(sizes)
    reads, lines, flits = cycles["read request"], cycles["data line"], cycles["flit"]
    (tail,), (slot_job,), (slot,), (job,) = (cycles[name] for name in ("tail write", "slot job", "slot", "data job"))
    found = {
        "TX request fetch": slot_job - tail,
        "slot reader": reads[0] - slot_job,
        "together": reads[0] - tail,
        "slot reader, from the slot's line": slot - cycles["read line"][0],
        "TX requests": job - slot,
        "data reader": reads[1] - job,
        "data reader, from the last line of a read": lines[0] - cycles["read line"][8],
        "packetiser": flits[0] - lines[0],
        "TX frame buffer": cycles["wire out"][-1] - (-(-sizes[-1] // 64) - 1) - flits[-1],
        "TX requests, from the last flit": cycles["completion"][0] - flits[-1],
    }
    print(f"frames of {sizes} bytes: {found}")
    assert found == budget("From a tail write to the first read request") | budget("From the answer of a host read on")
    assert found["together"] <= MOST_TX_CYCLES


def test_packets_that_wait_share_writes_up_to_a_boundary() -> None:
    stalls = range(24, 34)
    reception = receive([(0, 60)] * 10, stalls)
    beats = [reception.host[cycle] for cycle in taken(reception)]
    assert not set(taken(reception)) & set(stalls)
    assert [each.flits for each in beats if each.first] == [1, 1, 2, 5, 2]
    assert sum(each.last for each in beats) == 5
    stalled = [each for each in reception.host[stalls.start : stalls.stop] if each.valid]
    assert len(stalled) == len(stalls)
    assert len(set(stalled)) == 1, "a beat that is shown stays"


def test_frames_of_a_burst_keep_their_order_and_only_the_first_of_a_pipe_notifies() -> None:
    reception = receive([(0, 60), (0, 200), (1, 60), (0, 60)])
    lines = [cycle for frame in reception.frames for cycle in frame.host]
    assert lines == sorted(lines)
    assert reception.notifications == [reception.frames[i].host[-1] + 1 for i in (0, 2)]
    for before, after in zip(reception.frames, reception.frames[1:], strict=False):
        assert all(before.leaves[block] < after.leaves[block] for block in STAGES)


def test_the_manual_shows_each_figure_and_figures_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    drawn = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        assert figures.main([str(folder)]) == 0
        drawn.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert drawn[0] == drawn[1]
    assert set(drawn[0]) == set(re.findall(r"\]\(([\w-]+\.svg)\)", MANUAL))
    assert all((PROJECT / "docs" / name).exists() for name in drawn[0])


def test_it_says_what_it_wants(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert figures.main([]) == 2
    assert figures.main([str(tmp_path / "none")]) == 2
    assert "FOLDER" in capsys.readouterr().err
