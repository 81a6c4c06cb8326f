"""Reads a trace as Perfetto does: in the order of time, at equal time in that of the file, a stack for each track."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as messages


@dataclass
class Slice:
    track: str
    name: str
    begin_ns: int
    arguments: Mapping[str, int | str]
    depth: int
    flows: tuple[int, ...]
    ends_flows: bool
    end_ns: int = -1
    """That of an instant is its begin."""
    is_instant: bool = False


@dataclass
class Read:
    """By path of names: the slices of each track in order of their begins, and the (ns, value) of each counter."""

    slices: dict[str, list[Slice]] = field(default_factory=lambda: defaultdict(list))
    counters: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    flows: dict[int, list[Slice]] = field(default_factory=lambda: defaultdict(list))
    paths: dict[int, str] = field(default_factory=dict)
    """By number of the track."""

    def of(self, path: str) -> list[Slice]:
        """The slices of a track that are no instants and not within another one."""
        return [one for one in self.slices[path] if not one.is_instant and one.depth == 0]


def read(data: bytes) -> Read:
    result = Read()
    counters: set[int] = set()
    interned: dict[str, dict[int, str]] = defaultdict(dict)
    events = []
    for packet in messages.Trace.FromString(data).packet:
        assert packet.trusted_packet_sequence_id == 1
        if packet.HasField("track_descriptor"):
            track = packet.track_descriptor
            assert track.uuid not in result.paths
            parent = f"{result.paths[track.parent_uuid]}/" if track.parent_uuid else ""
            result.paths[track.uuid] = parent + track.name
            if track.HasField("counter"):
                counters.add(track.uuid)
        for kind, values in packet.interned_data.ListFields():
            for value in values:
                assert value.iid not in interned[kind.name], "given once"
                text = value.str.decode() if kind.name == "debug_annotation_string_values" else value.name
                interned[kind.name][value.iid] = text
        if packet.HasField("track_event"):
            event = packet.track_event
            assert event.track_uuid in result.paths, "a track is told before its events"
            if event.name_iid:
                assert packet.sequence_flags == 2
                assert event.name_iid in interned["event_names"], "a name is told before its events"
            events.append(packet)
    events.sort(key=lambda packet: packet.timestamp)
    stacks: dict[int, list[Slice]] = defaultdict(list)
    types = messages.TrackEvent
    for packet in events:
        event, stack = packet.track_event, stacks[packet.track_event.track_uuid]
        path = result.paths[event.track_uuid]
        assert (event.type == types.TYPE_COUNTER) == (event.track_uuid in counters)
        if event.type == types.TYPE_COUNTER:
            result.counters[path].append((packet.timestamp, event.counter_value))
        elif event.type == types.TYPE_SLICE_END:
            stack.pop().end_ns = packet.timestamp
        else:
            arguments = {
                interned["debug_annotation_names"][part.name_iid]: _value(part, interned)
                for part in event.debug_annotations
            }
            flows = (*event.flow_ids, *event.terminating_flow_ids)
            name = interned["event_names"][event.name_iid]
            ends = bool(event.terminating_flow_ids)
            found = Slice(path, name, packet.timestamp, arguments, len(stack), flows, ends)
            result.slices[path].append(found)
            for flow in flows:
                result.flows[flow].append(found)
            if event.type == types.TYPE_INSTANT:
                found.is_instant, found.end_ns = True, packet.timestamp
            else:
                stack.append(found)
    assert not any(stacks.values()), "every slice ends"
    return result


def _value(part: Any, interned: Mapping[str, Mapping[int, str]]) -> int | str:
    if part.HasField("string_value_iid"):
        return interned["debug_annotation_string_values"][part.string_value_iid]
    value: int = part.uint_value
    return value
