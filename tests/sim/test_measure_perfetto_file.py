"""Many events of one layout at a time: what Perfetto's own messages read is what was written."""

import io
import random
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as messages

from cosim.config import ConfigError
from cosim.measure.perfetto_file import Event, Numbers, PerfettoFile, Text, filled, require_perfetto
from tests.tools.perfetto_reader import Read, read


def written(write: Callable[[PerfettoFile], object]) -> Read:
    file = io.BytesIO()
    write(PerfettoFile(file))
    return read(file.getvalue())


@pytest.mark.parametrize("seed", range(5))
def test_numbers_of_any_size_come_back(seed: int) -> None:
    print(f"seed {seed}")
    draw = random.Random(seed)
    columns = [
        np.array([draw.getrandbits(draw.randrange(1, draw.choice((2, 8, 30, 57)))) for _ in range(50)])
        for _ in range(3)
    ]

    def message(numbers: Sequence[int]) -> bytes:
        packet = messages.TracePacket(timestamp=numbers[0])
        packet.track_event.track_uuid = numbers[1]
        packet.track_event.flow_ids.append(numbers[2])
        return packet.SerializeToString()

    for row, content in enumerate(filled(message, columns, ends_fixed=True)):
        packet = messages.TracePacket.FromString(content.tobytes())
        event = packet.track_event
        assert [packet.timestamp, event.track_uuid, *event.flow_ids] == [column[row] for column in columns]


@pytest.mark.parametrize("number", [-1, 1 << 56])
def test_a_number_that_does_not_fit_is_an_error(number: int) -> None:
    with pytest.raises(ValueError, match=r"accepted are 0 to 2\^56 - 1"):
        filled(lambda numbers: bytes(numbers), [np.array([5, number])], ends_fixed=False)


def test_rows_of_any_number_come_in_their_order_with_all_that_they_say() -> None:
    count = 70_000  # more than are made at a time
    times = np.arange(count) * 2_500

    def write(trace: PerfettoFile) -> None:
        group = trace.track("group")
        tracks = np.array([trace.track("even", group), trace.track("odd", group)])[np.arange(count) % 2]
        names = np.array([trace.name(name) for name in ("a", "b", "c")])[np.arange(count) % 3]
        texts = np.array([trace.text(text) for text in ("x", "y")])[np.arange(count) % 2]
        arguments: dict[str, Numbers | Text] = {"row": np.arange(count), "text": Text(texts), "same": 7}
        trace.rows(
            Event(kind="begin", tracks=tracks, times_ps=times, names=names, arguments=arguments),
            Event(kind="end", tracks=tracks, times_ps=times + 3_000),
        )

    found = written(write)
    for parity, path in enumerate(("group/even", "group/odd")):
        rows = range(parity, count, 2)
        assert [one.arguments for one in found.slices[path]] == [
            {"row": row, "text": "xy"[parity], "same": 7} for row in rows
        ]
        assert [one.name for one in found.slices[path]] == ["abc"[row % 3] for row in rows]
        assert [one.begin_ns for one in found.slices[path]] == [row * 2_500 // 1000 for row in rows]
        assert [one.end_ns for one in found.slices[path]] == [(row * 2_500 + 3_000) // 1000 for row in rows]


def test_slices_without_a_gap_are_never_within_each_other_however_short_they_are() -> None:
    begins = np.cumsum([0, 1, 700, 0, 299, 1, 5, 2_000])

    def write(trace: PerfettoFile) -> None:
        track, name = trace.track("core"), trace.name("poll")
        trace.rows(
            Event(kind="begin", tracks=track, times_ps=begins[:-1], names=name),
            Event(kind="end", tracks=track, times_ps=begins[1:]),
        )

    assert len(written(write).of("core")) == 7


def test_arrows_have_their_numbers_and_ends() -> None:
    def write(trace: PerfettoFile) -> None:
        for name in ("from", "to"):
            trace.rows(
                Event(
                    kind="instant",
                    tracks=trace.track(name),
                    times_ps=np.array([5_000, 6_000]),
                    names=trace.name(name),
                    flows=np.array([1, 1 << 40]),
                    ends_flows=name == "to",
                )
            )

    flows = written(write).flows
    assert {flow: [(one.name, one.ends_flows) for one in its] for flow, its in flows.items()} == {
        flow: [("from", False), ("to", True)] for flow in (1, 1 << 40)
    }


def test_a_counter_tells_the_last_value_of_a_nanosecond_where_it_is_another() -> None:
    times = np.array([1_000, 1_500, 2_000, 3_000, 3_999, 4_000])
    values = np.array([1, 0, 0, 5, 3, 2])
    found = written(lambda trace: trace.count(trace.track("length", unit="packets"), times, values))
    assert found.counters["length"] == [(1, 0), (3, 3), (4, 2)]


def test_nothing_can_be_written_too() -> None:
    nothing = np.zeros(0, dtype=np.int64)

    def write(trace: PerfettoFile) -> None:
        trace.rows(Event(kind="instant", tracks=trace.track("empty"), times_ps=nothing, names=nothing))
        trace.count(trace.track("none", unit=""), nothing, nothing)

    found = written(write)
    assert (dict(found.slices), dict(found.counters)) == ({}, {})


def test_without_perfetto_a_trace_is_refused_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    require_perfetto()
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"trace is on; accepted is off .*: pip install -e '\.\[trace\]'"):
        require_perfetto()
