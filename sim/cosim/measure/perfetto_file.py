"""Writes a trace of Perfetto's: tracks, and many events of one layout at a time.

    with path.open("wb") as file:
        trace = PerfettoFile(file)
        cores = trace.track("cores")
        core = trace.track("core 0", cores)
        trace.rows(begin(core, begins_ps, trace.name("poll")), end(core, ends_ps))

An event's message is made once, by the perfetto package; in its bytes the numbers of each row are filled in. So a
million events take a second.

Perfetto's time is nanoseconds: times are rounded down. Of events of a track at equal time, those that were written
first come first.
"""

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final, Literal

import numpy as np
from numpy.typing import NDArray

from cosim.config import ConfigError

Integers = NDArray[np.int64]
Bytes = NDArray[np.uint8]
Numbers = Integers | int
"""One for each row, or the same for all; 0 to 2^56 - 1."""

PS_PER_NS: Final = 1000
_SEQUENCE = 1
_FIRST, _NEEDS_NAMES = 1, 2  # sequence_flags
_TYPES: Final = {"begin": 1, "end": 2, "instant": 3, "counter": 4}  # TrackEvent.Type
_BITS, _MOST_BITS = 7, 56  # of a byte of a varint, and of all that are used
_ONES = 0x0101010101010101
_CHUNK = 1 << 16  # rows that are made at a time


@dataclass(frozen=True)
class Text:
    """Of an argument's values: numbers that stand for texts, as ``PerfettoFile.text`` gives them."""

    numbers: Numbers


@dataclass(frozen=True, kw_only=True)
class Event:
    """An event in each row.

    Attributes
    ----------
    kind
        What it is.
    tracks
        As ``PerfettoFile.track`` gives them.
    times_ps
        When.
    names
        As ``PerfettoFile.name`` gives them; of no meaning at an end or of a counter.
    arguments
        By name.
    flows
        Arrows lead from event to event of the same number, in the order of time; not 0.
    ends_flows
        No arrow leads on from here.
    values
        Of a counter.
    """

    kind: Literal["begin", "end", "instant", "counter"]
    tracks: Numbers
    times_ps: Integers
    names: Numbers = 0
    arguments: Mapping[str, Numbers | Text] = field(default_factory=dict)
    flows: Integers | None = None
    ends_flows: bool = False
    values: Numbers = 0


def require_perfetto() -> None:
    """See that a trace can be written.

    Raises
    ------
    ConfigError
        The perfetto package is missing.
    """
    if importlib.util.find_spec("perfetto") is None:
        raise ConfigError("trace is on; accepted is off where perfetto is missing: pip install -e '.[trace]'")


class PerfettoFile:
    """A trace that is being written.

    Parameters
    ----------
    file
        Gets all of it, in order.
    """

    def __init__(self, file: BinaryIO) -> None:
        from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as messages  # an extra, and heavy

        self._file = file
        self._messages: Any = messages
        self._tracks = 0
        self._numbers: dict[tuple[str, str], int] = {}
        self._put(trusted_packet_sequence_id=_SEQUENCE, sequence_flags=_FIRST, first_packet_on_sequence=True)

    def track(self, name: str, parent: int = 0, *, unit: str | None = None) -> int:
        """A new track below another one, behind those that are there; with a unit it is a counter's."""
        self._tracks += 1
        descriptor = self._messages.TrackDescriptor(
            uuid=self._tracks,
            name=name,
            sibling_order_rank=self._tracks,
            child_ordering=self._messages.TrackDescriptor.EXPLICIT,
        )
        if parent:
            descriptor.parent_uuid = parent
        if unit is not None:
            descriptor.counter.unit_name = unit
        self._put(trusted_packet_sequence_id=_SEQUENCE, track_descriptor=descriptor)
        return self._tracks

    def name(self, text: str) -> int:
        """The number of an event's name."""
        return self._number("event_names", "name", text)

    def text(self, text: str) -> int:
        """The number of a text that is an argument's value."""
        return self._number("debug_annotation_string_values", "str", text)

    def rows(self, *events: Event) -> None:
        """Row after row, these events, equally many of each; those of a row are written one after the other."""
        for start in range(0, len(events[0].times_ps), _CHUNK):
            parts = [self._encoded(event, slice(start, start + _CHUNK)) for event in events]
            self._file.write(np.hstack(parts).tobytes())

    def count(self, track: int, times_ps: Integers, values: Integers) -> None:
        """A counter's values from these times on, ascending: of each nanosecond the last one, where it is another."""
        is_last = np.diff(times_ps // PS_PER_NS, append=-1) != 0
        times_ps, values = times_ps[is_last], values[is_last]
        differs = np.diff(values, prepend=-1) != 0
        self.rows(Event(kind="counter", tracks=track, times_ps=times_ps[differs], values=values[differs]))

    # --- inside -------------------------------------------------------------------------------------------------------

    def _put(self, **fields: Any) -> None:  # noqa: ANN401 (whatever a packet takes)
        packet = self._messages.TracePacket(**fields)
        self._file.write(self._messages.Trace(packet=[packet]).SerializeToString())

    def _number(self, kind: str, attribute: str, text: str) -> int:
        """Of a text that events refer to by number; told when it is used first."""
        number = self._numbers.get((kind, text))
        if number is None:
            number = self._numbers[kind, text] = len(self._numbers) + 1
            data = self._messages.InternedData()
            value = text.encode() if attribute == "str" else text
            getattr(data, kind).add(iid=number, **{attribute: value})
            self._put(trusted_packet_sequence_id=_SEQUENCE, sequence_flags=_NEEDS_NAMES, interned_data=data)
        return number

    def _encoded(self, event: Event, rows: slice) -> Bytes:
        """The bytes of an event in these rows, as uint8 (rows, bytes)."""
        messages = self._messages
        names = [self._number("debug_annotation_names", "name", name) for name in event.arguments]
        fields = ["string_value_iid" if isinstance(part, Text) else "uint_value" for part in event.arguments.values()]
        is_named = event.kind in ("begin", "instant")

        def message(numbers: Sequence[int]) -> bytes:
            number = iter(numbers)
            packet = messages.TracePacket(timestamp=next(number), trusted_packet_sequence_id=_SEQUENCE)
            body = packet.track_event
            body.type = _TYPES[event.kind]
            body.track_uuid = next(number)
            if is_named:
                packet.sequence_flags = _NEEDS_NAMES
                body.name_iid = next(number)
            elif event.kind == "counter":
                body.counter_value = next(number)
            for name, value_field in zip(names, fields, strict=True):
                body.debug_annotations.add(name_iid=name, **{value_field: next(number)})
            if event.flows is not None:
                (body.terminating_flow_ids if event.ends_flows else body.flow_ids).append(next(number))
            content: bytes = messages.Trace(packet=[packet]).SerializeToString()
            return content

        columns: list[Numbers] = [event.times_ps // PS_PER_NS, event.tracks]
        if is_named:
            columns.append(event.names)
        elif event.kind == "counter":
            columns.append(event.values)
        columns += [part.numbers if isinstance(part, Text) else part for part in event.arguments.values()]
        if event.flows is not None:
            columns.append(event.flows)
        count = len(event.times_ps)
        parts = [np.broadcast_to(column, count)[rows] for column in columns]
        return filled(message, parts, ends_fixed=event.flows is not None)


def filled(message: Callable[[Sequence[int]], bytes], columns: Sequence[Integers], *, ends_fixed: bool) -> Bytes:
    """The bytes of a message for each row of numbers, uint8 (rows, bytes): all equally long.

    Parameters
    ----------
    message
        Makes it of a number for each column.
    columns
        A number for each row, 0 to 2^56 - 1. Where the message has a varint, small ones are filled up with bytes that
        add nothing, which every reader takes.
    ends_fixed
        Where it has the last number are 8 bytes, not a varint.
    """
    is_fixed = [ends_fixed and k == len(columns) - 1 for k in range(len(columns))]
    widths = [8 if fixed else _width(column) for fixed, column in zip(is_fixed, columns, strict=True)]
    # each byte of a column differs between its lowest and its highest number of that width
    lowest = [_ONES if fixed else 1 << _BITS * (width - 1) for fixed, width in zip(is_fixed, widths, strict=True)]
    highest = [2 * _ONES if fixed else (1 << _BITS * width) - 1 for fixed, width in zip(is_fixed, widths, strict=True)]
    plain = np.frombuffer(message(lowest), dtype=np.uint8)
    result = np.empty((len(columns[0]), len(plain)), dtype=np.uint8)
    result[:] = plain
    for k, column in enumerate(columns):
        numbers = [*lowest[:k], highest[k], *lowest[k + 1 :]]
        at = int(np.flatnonzero(np.frombuffer(message(numbers), dtype=np.uint8) != plain)[0])
        for byte in range(widths[k]):
            if is_fixed[k]:
                result[:, at + byte] = column >> 8 * byte & 0xFF
            else:
                goes_on = 0x80 if byte < widths[k] - 1 else 0
                result[:, at + byte] = column >> _BITS * byte & 0x7F | goes_on
    return result


def _width(column: Integers) -> int:
    """Bytes of a varint for the largest of these."""
    if column.min() < 0 or column.max() >= 1 << _MOST_BITS:
        raise ValueError(f"numbers from {column.min()} to {column.max()}; accepted are 0 to 2^{_MOST_BITS} - 1")
    return max(1, -(-int(column.max()).bit_length() // _BITS))
