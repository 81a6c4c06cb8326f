"""Measures the latencies of the RTL at its ports: what ``hermes calibrate`` does.

Software does one thing at a time, and waits until all is quiet. The times of what the NIC gets and sends then tell each
latency: they are those of recorded pins and transfers (pcie/pins.py).
"""

import json
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cosim.nic.latencies import Latencies
from cosim.pcie.bridge import Bridge
from cosim.pcie.pins import RECORDED_PINS, RECORDED_TRANSFERS, Flag, Port
from enso_nic import registers as r
from enso_nic.config import FULL

if TYPE_CHECKING:
    from cocotb.handle import HierarchyObject

    from cosim.nic.fast import FastNic

_PINS, _TRANSFERS = "pins.bin", "transfers.bin"
_QUIET_PS = 20_000_000
"""After so long nothing goes on any more, the sweep of the tables included."""
_RING_BYTES = 1 << 21
_FLOW_INSERT, _FALLBACK = 1, 4
_FRAME = struct.pack(
    "!6s6sHBBHHHBBH4s4sHHHH18x",
    *(bytes(6), bytes(6), 0x0800, 0x45, 0, 46, 0, 0, 64, 17, 0, bytes(4), bytes([10, 0, 0, 1]), 1, 1024, 26, 0),
)
"""A UDP frame of 60 bytes, to the destination of the rule."""


class _Software:
    """Does one thing at a time."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge, self.now, self._slots = bridge, 0, 0
        self.cycles: dict[str, int] = {}
        memory = bridge.memory
        self._pipe, self._rx, self._tx, self._data = (
            memory.allocate(_RING_BYTES, _RING_BYTES, name) for name in ("pipe", "notifications", "requests", "data")
        )

    async def wait(self, name: str) -> None:
        """Until all is quiet; what happens until then is known by this name."""
        self.cycles[name] = self._bridge.cycle
        self.now += _QUIET_PS
        while await self._bridge.run(self.now) < self.now:
            self._bridge.take_effects()
        self._bridge.take_effects()
        self._bridge.advance(self.now)

    async def write(self, name: str, address: int, value: int) -> None:
        self._bridge.mmio_write(self.now, address, value, 8 if value >> 32 else 4)
        await self.wait(name)

    async def read(self, name: str, address: int) -> None:
        self._bridge.mmio_read(self.now, address, 1)
        await self.wait(name)

    async def enable(self) -> None:
        for address, ring in (
            (r.notification_buffer_register(0, r.RX_MEM_LOW), self._rx),
            (r.notification_buffer_register(0, r.TX_MEM_LOW), self._tx),
            (r.pipe_register(0, r.RX_MEM_LOW), self._pipe),
        ):
            await self.write("enable", address, ring)

    async def receive(self, name: str) -> None:
        frame, length = np.frombuffer(_FRAME, np.uint8), np.array([len(_FRAME)], np.int32)
        self._bridge.load_frames(frame, np.zeros(1, np.int64), length, np.array([self.now + _QUIET_PS // 2]))
        await self.wait(name)

    async def request(self, name: str, slot: bytes) -> None:
        offset = self._tx - self._bridge.memory.base + 64 * self._slots
        self._bridge.memory.bytes[offset : offset + 64] = slot.ljust(64, b"\0")
        self._slots += 1
        await self.write(name, r.notification_buffer_register(0, r.TX_TAIL), self._slots)

    async def send(self, name: str) -> None:
        offset = self._data - self._bridge.memory.base
        self._bridge.memory.bytes[offset : offset + len(_FRAME)] = _FRAME
        await self.request(name, struct.pack("<QQQ", 1, self._data, len(_FRAME)))


async def inside(top: "HierarchyObject | FastNic", task: Path, say: Callable[[str], None]) -> None:
    """Do everything that is measured, and write what the NIC got and sent beside the task file."""
    bridge = Bridge(top, memory_bytes=8 * _RING_BYTES)
    bridge.record(task.with_name(_PINS))
    bridge.record_transfers(task.with_name(_TRANSFERS))
    software = _Software(bridge)
    await software.read("open", r.pipe_register(0, r.RX_TAIL))
    await software.wait("sweep")
    await software.wait("sweep")
    await software.read("register_read", r.pipe_register(0, r.RX_TAIL))
    await software.read("extension_read", r.extension_register("version"))
    await software.read("tx_register_read", r.notification_buffer_register(0, r.TX_TAIL))
    await software.enable()
    await software.request("fallback", struct.pack("<QQIIQ", 2, _FALLBACK, 1, 0, 0))
    await software.request("flow_insert", struct.pack("<QQHHIIII", 2, _FLOW_INSERT, 1024, 0, 0x0A000001, 0, 17, 0))
    await software.receive("frame")
    await software.write("head", r.pipe_register(0, r.RX_HEAD), 0)
    await software.send("send")
    say("measured")
    bridge.finish_record()
    bridge.record_transfers(None)
    task.write_text(json.dumps(software.cycles))


def calibrate(simulate: Callable[..., None]) -> Latencies:
    """The latencies of the NIC that ``simulate`` simulates: cosim.nic.rtl's, or cosim.nic.fast's."""
    with tempfile.TemporaryDirectory() as name:
        task = Path(name) / "task"
        simulate("cosim.nic.calibration:inside", task, folder=Path(name), progress=lambda _: None)
        return latencies_of(Path(name), json.loads(task.read_text()))


def latencies_of(folder: Path, cycles: dict[str, int]) -> Latencies:
    """What the files in ``folder`` tell; ``cycles`` says behind which cycle each thing was done."""
    pins: npt.NDArray[Any] = np.fromfile(folder / _PINS, RECORDED_PINS)
    transfers: npt.NDArray[Any] = np.fromfile(folder / _TRANSFERS, RECORDED_TRANSFERS)
    begins = sorted({*cycles.values(), int(pins["cycle"][-1]) + 1})

    def within(records: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
        begin = cycles[name]
        end = next(each for each in begins if each > begin)
        found: npt.NDArray[Any] = records[(records["cycle"] > begin) & (records["cycle"] <= end)]
        return found

    def given(name: str, flag: Flag) -> npt.NDArray[np.int64]:
        found = within(pins, name)
        return np.asarray(found["cycle"][(found["flags"] & flag) != 0], np.int64)

    def sent(name: str, port: Port) -> npt.NDArray[np.int64]:
        found = within(transfers, name)
        return np.asarray(found["cycle"][found["port"] == port], np.int64)

    def read(name: str) -> int:
        return int(sent(name, Port.TO_HOST)[0] - given(name, Flag.MMIO_VALID)[0])

    def configured(name: str) -> int:
        return int(sent(name, Port.TO_HOST)[0] - given(name, Flag.COMPLETION_VALID)[0])

    register_read = read("register_read")
    slot, data = given("send", Flag.COMPLETION_VALID)
    slot_read, data_read = sent("send", Port.READ_REQUEST)
    return Latencies(
        open=int(sent("open", Port.TO_HOST)[0]) - register_read - FULL.pipes,
        frame_to_write=int(sent("frame", Port.TO_HOST)[0] - given("frame", Flag.RX_VALID)[-1]),
        head_to_notification=int(sent("head", Port.TO_HOST)[0] - given("head", Flag.MMIO_VALID)[0]),
        register_read=register_read,
        extension_read=read("extension_read"),
        tx_register_read=read("tx_register_read"),
        tail_to_slot_read=int(slot_read - given("send", Flag.MMIO_VALID)[0]),
        slot_to_data_read=int(data_read - slot),
        data_to_frame=int(sent("send", Port.ETHERNET_TX)[0] - data),
        data_to_completion=int(sent("send", Port.TO_HOST)[0] - data),
        flow_insert=configured("flow_insert"),
    )
