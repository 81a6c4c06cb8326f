"""What test_driver.py lets run inside the simulator: the driver on the RTL, without a scheduler around it."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

from cosim.pcie.bridge import Bridge
from cosim.traffic.echo import expected_echo
from cosim.traffic.frames import Frames
from cosim.traffic.generate import DESTINATION
from enso_nic.registers import extension_register
from hermes.apps.application import Copied
from hermes.apps.echo import Echo
from hermes.enso.backends import Direct
from hermes.enso.control import FlowKey, delete_flow, has_flow, insert_flow
from hermes.enso.device import Device
from hermes.enso.notification_buffer import NotificationBuffer
from hermes.enso.owner import Owner
from hermes.enso.pipe import RxPipe, RxTxPipe
from hermes.enso.registers import RX_MEM_LOW, RingSizes, pipe_register
from hermes.enso.tx_pipe import TxPipe
from hermes.world import AwaitZero, Control, Core, ReadRegister, WriteRegister
from tests.tools.host import COSTS

RINGS = RingSizes(pipe_flits=64, notification_slots=16)
ANSWER = 1
STEP_PS = 1_000_000
ENOUGH_PS = 8_000_000
"""For all that the NIC and the link do with a burst of frames."""

Say = Callable[[str], None]
T = TypeVar("T")


class Rtl:
    """The NIC with small rings, and a device on it: pipe 0 is RX/TX, pipe 1 is RX and answered through a TX pipe."""

    index = 1  # of its core

    def __init__(self, top: Any) -> None:
        self.bridge = Bridge(top, memory_bytes=1 << 20)
        self.memory = self.bridge.memory
        self.now = 0
        self.core = cast(Core, self)
        own = NotificationBuffer(self.memory, RINGS, "the owner")
        self.owner, self.own = Owner(self.memory, own), own
        self.device = Device(Direct(COSTS), NotificationBuffer(self.memory, RINGS, "a test"))
        self.echoing, self.receiving = RxTxPipe(self.memory, RINGS, 0), RxPipe(self.memory, RINGS, 1)
        self.sending = TxPipe(self.memory, RINGS, "a test")
        self.taken = 0  # of the frames that were sent

    def mmio_write(self, address: int, value: int) -> None:
        """As the core does."""
        self.bridge.mmio_write(self.now, address, value, 4)

    async def open(self) -> None:
        await self.wait(60_000_000)  # the tables are clear
        for name, value in ("pipe_ring_flits", RINGS.pipe_flits), ("notification_ring_slots", RINGS.notification_slots):
            self.bridge.mmio_write(self.now, extension_register(name), value, 8)
        await self.carry_out(self.owner.open_notification_buffer(self.own))
        await self.carry_out(self.owner.open_notification_buffer(self.device.notifications))
        for pipe in (self.echoing, self.receiving):
            assert await self.carry_out(self.owner.allocate_pipe(fallback=True)) == pipe.number
            await self.carry_out(self.owner.open_pipe(pipe, self.device.notifications))
            self.device.pipes[pipe.number] = pipe

    async def wait(self, duration: int) -> list[int]:
        """Let time pass; answers to reads that came."""
        end, answers = self.now + duration, []
        while self.now < end:
            self.now = min(await self.bridge.run(end), end)
            answers += [value for _, source, value in self.bridge.take_effects() if source == ANSWER]
        self.bridge.advance(self.now)
        return answers

    async def carry_out(self, control: Control[T]) -> T:
        """A sequence of the control plane, and what it gives."""
        answer: int | None = None
        while True:
            try:
                request = next(control) if answer is None else control.send(answer)
            except StopIteration as finished:
                result: T = finished.value
                return result
            answer = 0
            if isinstance(request, WriteRegister):
                self.bridge.mmio_write(self.now, request.address, request.value, request.size)
            elif isinstance(request, ReadRegister):
                self.bridge.mmio_read(self.now, request.address, ANSWER)
                while not (answers := await self.wait(STEP_PS)):
                    pass
                (answer,) = answers
            elif isinstance(request, AwaitZero):
                while self.memory.words[(request.address - self.memory.base) // 8]:
                    await self.wait(STEP_PS)

    async def come(self, frames: Sequence[bytes]) -> None:
        """These reach the NIC, and the device takes what it told."""
        packed = Frames.pack(frames)
        times = self.now + STEP_PS + 200_000 * np.arange(len(frames), dtype=np.int64)
        self.bridge.load_frames(packed.blob, packed.offsets, packed.lengths, times)
        await self.wait(ENOUGH_PS)
        self.device.receive()

    async def left(self) -> list[bytes]:
        """Frames that left since the last look."""
        await self.wait(ENOUGH_PS)
        sent = self.bridge.sent_frames()
        frames = [sent.frame(index) for index in range(self.taken, len(sent))]
        self.taken = len(sent)
        return frames

    async def turn_around(self) -> None:
        """Echo all that lies in pipe 0 from where it lies, and all that lies in pipe 1 through the TX pipe."""
        device, copied = self.device, Copied(Echo(), 1514)
        while True:
            if flits := self.echoing.available():
                for position, length in self.echoing.packets(flits):
                    Echo().handle(self.memory, position, length)
                device.send(self.echoing, flits)
            if flits := self.receiving.available():
                for position, length in self.receiving.take_packets(flits):
                    out = self.sending.allocate(length)
                    self.sending.extend(copied.answer(self.memory, position, length, out, length)[0])
                device.free(self.receiving, flits)
                device.send(self.sending, self.sending.written())
            device.tell_tx_tail(self.core)
            device.tell_rx_head(self.core)
            await self.wait(ENOUGH_PS)
            device.reap()
            device.tell_pipe_heads(self.core)
            await self.wait(ENOUGH_PS)
            if not device.receive():
                assert not device.unsent
                return


def frame_to(port: int, options: int, payload: int, draw: random.Random) -> bytes:
    """A UDP packet with so many bytes of IP options and of payload."""
    header, total = 20 + options, 20 + options + 8 + payload
    ip = (
        bytes([0x40 | header // 4, 0])
        + total.to_bytes(2)
        + draw.randbytes(2)
        + bytes([0, 0, 64, 17, 0, 0, 10, 0, 0, 2])
    )
    udp = draw.randbytes(2) + port.to_bytes(2) + (8 + payload).to_bytes(2) + bytes(2)
    ethernet = draw.randbytes(12) + bytes([8, 0])
    return ethernet + ip + DESTINATION.to_bytes(4) + bytes([1] * options) + udp + draw.randbytes(payload)


async def echoes_over_the_rings_ends(top: Any, task: Path, say: Say) -> None:
    draw = random.Random(int(task.read_text()))
    rtl = Rtl(top)
    await rtl.open()
    for port in (0, 1):
        await rtl.carry_out(insert_flow(rtl.memory, rtl.own, FlowKey(port, 0, DESTINATION, 0), port))
    headers_over_the_end = 0
    for _ in range(60):
        frames = [frame_to(draw.randrange(2), 4 * draw.randrange(11), draw.randrange(150), draw) for _ in range(6)]
        tails = [rtl.echoing.rx_tail, rtl.receiving.rx_tail]
        for frame in frames:
            header = 4 * (frame[14] & 15)
            is_far = 14 + header + 4 > 64  # ports behind the first flit: the NIC steers as if the port were 0
            port = 0 if is_far else frame[14 + header + 3]
            headers_over_the_end += tails[port] == 63 and is_far
            tails[port] = (tails[port] + -(-len(frame) // 64)) % 64
        await rtl.come(frames)
        await rtl.turn_around()
        assert sorted(await rtl.left()) == sorted(expected_echo(frame) for frame in frames)
    assert [rtl.echoing.rx_tail, rtl.receiving.rx_tail] == tails
    assert rtl.sending.capacity() == 63
    say(f"{headers_over_the_end} headers over a ring's end")


async def steers_prefetches_and_closes(top: Any, task: Path, say: Say) -> None:
    draw = random.Random(int(task.read_text()))
    rtl = Rtl(top)
    await rtl.open()
    device, key = rtl.device, FlowKey(9, 0, DESTINATION, 0)
    frame = frame_to(9, 0, 10, draw)

    await rtl.carry_out(insert_flow(rtl.memory, rtl.own, key, 1))
    assert await rtl.carry_out(has_flow(rtl.memory, rtl.own, key)) is True
    await rtl.come([frame] * 3)
    assert (rtl.echoing.available(), rtl.receiving.available()) == (0, 1), "told once"
    device.prefetch(rtl.core, rtl.receiving)
    await rtl.wait(ENOUGH_PS)
    assert (device.receive(), rtl.receiving.available()) == (1, 3)
    await rtl.turn_around()

    await rtl.carry_out(delete_flow(rtl.memory, rtl.own, key))
    assert await rtl.carry_out(has_flow(rtl.memory, rtl.own, key)) is False
    assert rtl.own.errors == 0
    await rtl.carry_out(rtl.owner.set_fallback(2))
    await rtl.come([frame] * 4)
    await rtl.turn_around()
    by_hash = sorted(pipe.rx_tail for pipe in (rtl.echoing, rtl.receiving))
    assert by_hash in ([0, 7], [3, 4]), "all went to one pipe"
    await rtl.carry_out(rtl.owner.set_round_robin(on=True))
    await rtl.come([frame] * 4)
    await rtl.turn_around()
    in_turn = sorted(pipe.rx_tail for pipe in (rtl.echoing, rtl.receiving))
    assert in_turn == [tail + 2 for tail in by_hash]

    await rtl.carry_out(rtl.owner.close(device))
    for number in (0, 1):
        assert await rtl.carry_out(rtl.owner.read(pipe_register(number, RX_MEM_LOW))) == 0
    await rtl.left()
    await rtl.come([frame])
    assert await rtl.carry_out(rtl.owner.read(extension_register("pipe_disabled"))) == 1
    say("done")
