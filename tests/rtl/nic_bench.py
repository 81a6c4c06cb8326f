"""Runs the whole NIC cycle by cycle under cocotb, and has the golden model judge all that it does."""

import hashlib
import random
from collections import deque
from dataclasses import dataclass, replace
from typing import Any

from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

from enso_nic import registers
from enso_nic.config import FLIT_BYTES, NicConfig
from enso_nic.layouts import (
    AdmissionTap,
    CommitTap,
    DropCause,
    EthernetRx,
    EthernetTx,
    HostWrite,
    HostWriteKind,
    MmioRequest,
    NotificationOutcome,
    NotificationTap,
    PipeOperationKind,
    ReadCompletion,
    ReadRequest,
    RetryTap,
    TimestampSetting,
)
from tests.rtl.golden import GoldenNic
from tests.rtl.golden.receive import Admission, Commit
from tests.rtl.golden.steering import Timestamp
from tests.rtl.host_model import Answer, HostModel
from tests.rtl.nic_pins import Codec, NicInput, NicOutput

PERIOD_NS = 4
HOST_BYTES = 1 << 20
FOREVER = 1 << 62
NEVER = (1 << 64) - 1
"""``wake_at`` of a NIC that waits for no time."""
ALL_KEPT = (1 << FLIT_BYTES) - 1
LOW, HIGH, BOTH = 0x0F, 0xF0, 0xFF
"""Byte enables of an MMIO write."""


@dataclass(frozen=True)
class Conditions:
    """How willing the NIC's surroundings are: percent of cycles, and what a host negotiates."""

    to_host: int = 100
    read_request: int = 100
    read_completion: int = 100
    wire_out: int = 100
    wire_in: int = 100
    mmio: int = 100
    read_delay: int = 0
    shuffled: bool = False
    max_payload: int = 8
    max_read: int = 8
    seed: int = 0


IDEAL = Conditions()


def start_clock(dut: Any) -> None:
    Clock(dut.clk, PERIOD_NS, unit="ns").start()


class NicBench:
    """The NIC's surroundings. `receive`, `write` and `read` queue what is to enter; `cycle` lets it happen.

    Attributes
    ----------
    golden
        None if the NIC has no taps: then only the rules of streams are checked.
    sent
        Frames that left for the wire.
    reads, writes, begun_writes
        Host reads, lines of host writes, and host writes, that the NIC began.
    queued_frames
        To come from the wire, with whether they are bad.
    digest
        Of the NIC's outputs in each cycle, taps aside.
    """

    def __init__(
        self, dut: Any, config: NicConfig, conditions: Conditions = IDEAL, host_bytes: int = HOST_BYTES
    ) -> None:
        self._dut, self._config, self._conditions = dut, config, conditions
        self._edge = RisingEdge(dut.clk)
        self._draw = random.Random(conditions.seed)
        self.host = HostModel(host_bytes, self._draw, longest_delay=conditions.read_delay, shuffled=conditions.shuffled)
        self.golden = GoldenNic(config) if config.commit_taps else None
        self.now = 0
        self._held: dict[str, int] = {}  # until which cycle
        self.sent: list[bytes] = []
        self.reads = self.writes = self.begun_writes = 0
        self.digest = hashlib.sha256()
        self.is_quiescent = self.is_ready = False
        self.wake_at = NEVER

        self._wire_in = NicInput(dut, "ethernet_rx", EthernetRx, always_ready=True)
        self._mmio = NicInput(dut, "host__mmio_request", MmioRequest)
        self._completion = NicInput(dut, "host__read_completion", ReadCompletion)
        self._inputs = [self._wire_in, self._mmio, self._completion]
        self._to_host = NicOutput(dut, "host__to_host", HostWrite)
        self._read_request = NicOutput(dut, "host__read_request", ReadRequest)
        self._wire_out = NicOutput(dut, "ethernet_tx", EthernetTx)
        self._outputs = [self._to_host, self._read_request, self._wire_out]
        self._taps: list[NicOutput] = []
        if config.commit_taps:
            self._taps = [
                NicOutput(dut, "admission_tap", AdmissionTap, always_ready=True),
                NicOutput(dut, "commit_tap", CommitTap, always_ready=True),
                NicOutput(dut, "retry_tap", RetryTap, always_ready=True),
                NicOutput(dut, "notification_tap", NotificationTap, always_ready=True),
            ]

        self.queued_frames: deque[tuple[bytes, bool]] = deque()
        self._entering: tuple[bytes, bool] = (b"", False)
        self._entered = 0  # bytes of it that were offered
        self._accesses: deque[dict[str, int]] = deque()  # MMIO to come
        self._access: dict[str, int] = {}  # offered
        self._answer_offered: Answer | None = None
        self._next_tag = 0
        self._answers: dict[int, int] = {}
        self._write: dict[str, int] = {}  # first beat of the write under way
        self._write_beats = 0
        self._leaving = b""
        self._is_shown, self._shown_at = False, 0  # the frame that leaves; the cycle before
        self._must_restart, self._restarts = False, 0  # software asked for a reset; how many there were
        self._was_silent = False
        self.set_host(bus_master=True)
        dut.rst.value = 0
        dut.host__reset.value = 0

    # --- what enters --------------------------------------------------------------------------------------------------

    def receive(self, frame: bytes, *, bad: bool = False) -> None:
        """A frame will come from the wire; ``bad``: its last beat says so."""
        self.queued_frames.append((frame, bad))

    def write(self, address: int, value: int, enables: int | None = None) -> None:
        """An MMIO write of a 32-bit register, or with ``enables`` of bytes of an 8-byte word, is posted."""
        if enables is None:
            shift = 32 * (address % 8 // 4)
            value, enables = value << shift, LOW << shift // 8
        access = {"address": address // 8, "write": 1, "data": value, "enables": enables, "tag": self._tag()}
        self._accesses.append(access)

    def post_read(self, address: int) -> int:
        """An MMIO read of the 8-byte word at ``address`` is posted; its tag."""
        tag = self._tag()
        self._answers.pop(tag, None)  # of a read long ago that nobody waited for
        self._accesses.append({"address": address // 8, "tag": tag})
        return tag

    def _tag(self) -> int:
        self._next_tag = (self._next_tag + 1) % 256
        return self._next_tag

    async def read(self, address: int, limit: int = 20_000) -> int:
        """The 8-byte word at ``address``."""
        tag = self.post_read(address)
        for _ in range(limit):
            if tag in self._answers:
                return self._answers.pop(tag)
            await self.cycle()
        raise TimeoutError(f"no answer to a read of {address:#x} in {limit} cycles; {self._state()}")

    def take_answer(self, tag: int) -> int:
        """What a read that has been answered gave."""
        return self._answers.pop(tag)

    def hold(self, *what: str, cycles: int = FOREVER) -> None:
        """Do not take "to_host", "read_request" or "ethernet_tx", or give no "read_completion", for so many cycles."""
        self._held.update(dict.fromkeys(what, self.now + cycles))

    def lose_answers(self) -> None:
        """The host will answer none of the reads that it has taken, and the NIC must give them up by now."""
        for tag in self.host.lose():
            if self.golden is not None:
                self.golden.host_read_given_up(tag)

    def release(self) -> None:
        """Hold nothing any more."""
        self._held.clear()

    def offers(self) -> list[str]:
        """Outputs that were valid in the last cycle."""
        return [output.name for output in self._outputs if output.payload is not None]

    def set_host(self, *, bus_master: bool) -> None:
        self._dut.host__bus_master.value = bus_master
        self._dut.host__max_payload.value = self._conditions.max_payload
        self._dut.host__max_read.value = self._conditions.max_read
        self._was_silent = False

    async def reset(self, pin: str = "rst", cycles: int = 2, *, answers: bool = True) -> None:
        """Hold ``rst`` or ``host__reset``: all that was under way is forgotten, and what comes then is judged anew.

        With ``answers`` the host still answers the reads that it has taken, when the NIC is out of reset again.
        The wire goes on. Frames that end while the reset holds are not counted; one that it cuts is dropped.
        """
        getattr(self._dut, pin).value = 1
        self._mmio.withdraw()
        self._accesses.clear()
        self._answers.clear()
        self.golden = None
        if not self.now:
            # a bench that failed before may have left a frame unfinished
            self._wire_in.offer(keep=1, last=1)
        for number in range(cycles):
            self._tell_time()
            await self._edge
            self.now += 1
            request = self._read_request.sample() if self.now > 1 and not number else None
            if request is not None:
                self.host.read(self.now, request["address"] * FLIT_BYTES, request["flits"], request["tag"])
            for each in (self._wire_in, self._completion):
                each.sample()
            self._drive_wire()
            for each in (self._wire_in, self._completion):
                each.rest()
        getattr(self._dut, pin).value = 0
        self._begin_anew(answers=answers)

    async def restart(self, *behind: tuple[int, int], limit: int = 20_000) -> None:
        """Software asks for a reset; it is over when no output is in the middle of an item any more.

        Writes of (address, value) come right ``behind``, and are of the time after it.
        """
        self.write(registers.extension_register("reset"), registers.RESET_KEY)
        for address, value in behind:
            self.write(address, value)
        before = self._restarts
        for _ in range(limit):
            if self._restarts != before:
                return
            await self.cycle()
        raise TimeoutError(f"no reset within {limit} cycles; {self._state()}")

    def _begin_anew(self, *, answers: bool) -> None:
        """The NIC was reset. Frames that ended meanwhile are not counted; one that was cut is dropped."""
        self.host.forget(answers=answers)
        if self._answer_offered is not None:
            self._answer_offered = replace(self._answer_offered, is_stray=True)
        self.is_ready = False
        if self._config.commit_taps:
            self.golden = GoldenNic(self._config)
            if self._entered or self._wire_in.is_offered:
                self.golden.frame_begins(self._entering[0], bad=self._entering[1], is_open=False)
        for output in (*self._outputs, *self._taps):
            output.forget()
        self._write, self._write_beats, self._leaving, self._was_silent = {}, 0, b"", False
        self._is_shown = False

    # --- a cycle ------------------------------------------------------------------------------------------------------

    async def cycles(self, count: int) -> None:
        for _ in range(count):
            await self.cycle()

    async def cycle(self) -> None:
        """One clock edge: look at what is transferred, then offer what comes next."""
        await self._edge
        self.now += 1
        if self.golden is not None:
            self.golden.cycle(self.now)
        was_ready = self.is_ready
        self._check_silence()
        if self._must_restart and was_ready and not self.is_ready:
            assert not self._write, "a reset that software asked for cut a write"
            assert not self._leaving, "a reset that software asked for cut a frame"
            self._begin_anew(answers=True)
            self._must_restart = False
            self._restarts += 1
        self._take_inputs()
        self._take_outputs()
        self._offer()

    async def settle(self, limit: int = 20_000) -> None:
        """Let all that was queued happen, until the NIC rests; then nothing may be left to do.

        The wire may be slow: the limit is of cycles in which no frame and no access is taken.
        """
        resting, waited, queued = 0, 0, (0, 0)
        while waited < limit:
            last, queued = queued, (len(self.queued_frames), len(self._accesses))
            waited = waited + 1 if queued == last else 0
            has_input = self.queued_frames or self._entered or self._accesses
            has_input = has_input or any(each.is_offered for each in self._inputs)
            waits = self.host.unanswered or self.wake_at != NEVER
            resting = 0 if has_input or waits or not self.is_quiescent else resting + 1
            if resting > 3:
                if self.golden is not None:
                    self.golden.finish()
                return
            await self.cycle()
        raise TimeoutError(f"not at rest {limit} cycles after the last input; {self._state()}")

    def _state(self) -> str:
        waiting = self.golden.waiting() if self.golden is not None else "unknown"
        queued = f"{len(self.queued_frames)} frames, {len(self._accesses)} accesses, {self.host.unanswered} host reads"
        return f"quiescent {self.is_quiescent}; queued {queued}; the NIC still owes: {waiting}"

    def _check_silence(self) -> None:
        """Quiescent means that nothing comes out, and, unless something comes in, that it stays so."""
        self.is_quiescent = bool(self._dut.quiescent.value)
        self.is_ready = bool(self._dut.ready.value)
        has_input = any(each.is_offered for each in self._inputs)
        if self._was_silent and not has_input:
            assert self.is_quiescent or int(self._dut.cycle.value) >= self.wake_at, "the NIC woke by itself"
        self.wake_at = int(self._dut.wake_at.value)
        self._was_silent = self.is_quiescent and not has_input

    def _take_inputs(self) -> None:
        golden = self.golden
        self._wire_in.sample()
        if self._mmio.sample() and golden is not None:
            access = self._access
            if access.get("write"):
                asks = (registers.extension_register("reset"), registers.RESET_KEY)
                self._must_restart |= (access["address"] * 8, access["data"]) == asks
                golden.mmio_write(access["address"] * 8, access["data"], access["enables"], access["tag"])
            else:
                golden.mmio_read(access["address"] * 8, access["tag"])
        if self._completion.sample() and golden is not None:
            answer = self._answer_offered
            assert answer is not None
            if not answer.is_stray:
                golden.host_read_answer(answer.tag, answer.line, last=answer.last)

    def _take_outputs(self) -> None:
        transfers = [output.sample() for output in (*self._outputs, *self._taps)]
        shown = [output.payload for output in self._outputs]
        if self.is_quiescent:
            assert all(payload is None for payload in shown), "a quiescent NIC offers something"
        offered = [each.is_offered for each in self._inputs]
        self.digest.update(repr((shown, offered, self.is_quiescent, self.is_ready)).encode())
        if self._wire_out.payload is not None and not self._is_shown and not self._leaving:
            self._is_shown, self._shown_at = True, self.now - 2
        to_host, request, beat, *taps = transfers
        golden = self.golden
        if golden is not None:
            admission, commit, retry, notification = taps
            if admission is not None:
                golden.admission(_admission(admission))
            if retry is not None:
                golden.retry(retry["pipe"], retry["tag"] if retry["is_check"] else None, is_new=bool(retry["is_new"]))
            if commit is not None:
                golden.commit(_commit(commit))
            if notification is not None:
                golden.notification(NotificationOutcome(notification["outcome"]).name.lower())
        if request is not None:
            self._take_request(request)
        if to_host is not None:
            self._take_to_host(to_host)
        if beat is not None:
            self._take_beat(beat)
        elif self._leaving:
            assert self._wire_out.payload is not None, "TX pauses inside a frame"

    def _take_request(self, request: dict[str, int]) -> None:
        address, flits, tag = request["address"], request["flits"], request["tag"]
        most = self._conditions.max_read
        assert 1 <= flits <= most, f"a read of {flits} lines; accepted are 1 to {most}"
        assert address // most == (address + flits - 1) // most, f"{flits} lines from line {address:#x} cross {most}"
        self.reads += 1
        self.host.read(self.now, address * FLIT_BYTES, flits, tag)
        if self.golden is not None:
            self.golden.host_read(address * FLIT_BYTES, flits, tag)

    def _take_to_host(self, beat: dict[str, int]) -> None:
        if HostWriteKind(beat["kind"]) is HostWriteKind.MMIO_RESPONSE:
            assert beat["first"], "an MMIO answer is no beat of its own"
            assert beat["last"], "an MMIO answer is no beat of its own"
            assert not self._write, "an MMIO answer inside a write"
            self._answers[beat["tag"]] = beat["data"] & (1 << 64) - 1
            if self.golden is not None:
                self.golden.mmio_answer(beat["tag"], beat["data"])
            return
        assert beat["first"] == (not self._write), "first where a write goes on, or none where one begins"
        if beat["first"]:
            most, address, flits = self._conditions.max_payload, beat["address"], beat["flits"]
            assert 1 <= flits <= most, f"a write of {flits} lines; accepted are 1 to {most}"
            assert address // most == (address + flits - 1) // most, f"{flits} lines to line {address:#x} cross {most}"
            self._write, self._write_beats = beat, 0
            self.begun_writes += 1
        address = (self._write["address"] + self._write_beats) * FLIT_BYTES
        line = beat["data"].to_bytes(FLIT_BYTES, "little")
        self._write_beats += 1
        self.writes += 1
        assert beat["last"] == (self._write_beats == self._write["flits"]), "last does not agree with flits"
        if beat["last"]:
            self._write = {}
        if self.golden is not None:
            self.golden.host_write(address, line)
        if self.host.contains(address):
            self.host.store(address, line)

    def _take_beat(self, beat: dict[str, int]) -> None:
        size = beat["keep"].bit_length()
        self._is_shown = False
        assert beat["keep"] == (1 << size) - 1, f"keep has gaps: {beat['keep']:#x}"
        assert size, "a beat without bytes"
        assert beat["last"] or size == FLIT_BYTES, "a short beat that is not the last"
        self._leaving += beat["data"].to_bytes(FLIT_BYTES, "little")[:size]
        if beat["last"]:
            self.sent.append(self._leaving)
            if self.golden is not None:
                self.golden.frame_out(self._leaving, self._shown_at * 4 // 5)
            self._leaving = b""

    # --- what is offered next -----------------------------------------------------------------------------------------

    def _is_free(self, name: str) -> bool:
        return self._held.get(name, 0) <= self.now

    def _chance(self, percent: int) -> bool:
        return percent == 100 or self._draw.random() * 100 < percent

    def _offer(self) -> None:
        conditions = self._conditions
        self._tell_time()
        for output, name, percent in (
            (self._to_host, "to_host", conditions.to_host),
            (self._read_request, "read_request", conditions.read_request),
            (self._wire_out, "ethernet_tx", conditions.wire_out),
        ):
            output.set_ready(self._is_free(name) and self._chance(percent))
        self._drive_wire()
        if not self._mmio.is_offered and self._accesses and self._chance(conditions.mmio):
            self._access = self._accesses.popleft()
            self._mmio.offer(**self._access)
        can_answer = not self._completion.is_offered and self._is_free("read_completion")
        if can_answer and self.host.unanswered and self._chance(conditions.read_completion):
            answer = self.host.answer(self.now)
            if answer is not None:
                data = int.from_bytes(answer.line or b"", "little")
                failed = answer.line is None
                self._completion.offer(data=data, tag=answer.tag, index=answer.index, last=answer.last, error=failed)
                self._answer_offered = answer
        for each in self._inputs:
            each.rest()

    def _tell_time(self) -> None:
        self._dut.cycle.value = self.now
        self._dut.tick.value = self.now * 4 // 5

    def _drive_wire(self) -> None:
        if not self._entered and not self.queued_frames:
            return
        if not self._chance(self._conditions.wire_in):
            return
        if not self._entered:
            self._entering = self.queued_frames.popleft()
            if self.golden is not None:
                frame, bad = self._entering
                self.golden.frame_begins(frame, bad=bad, is_open=self.is_ready, tick=self.now * 4 // 5)
        frame, bad = self._entering
        beat = frame[self._entered : self._entered + FLIT_BYTES]
        self._entered += len(beat)
        last = self._entered == len(frame)
        self._wire_in.offer(
            data=int.from_bytes(beat, "little"), keep=(1 << len(beat)) - 1, last=last, error=last and bad
        )
        if last:
            self._entered = 0


def _admission(tap: dict[str, int]) -> Admission:
    setting = Codec(TimestampSetting).unpack(tap["timestamp"])
    return Admission(
        cause=DropCause(tap["cause"]).name.lower(),
        refusal=DropCause(tap["refusal"]).name.lower(),
        timestamp=Timestamp(bool(setting["enable"]), setting["offset"]),
        full_tuple=bool(tap["full_tuple"]),
    )


def _commit(tap: dict[str, int]) -> Commit:
    return Commit(
        packet=bool(tap["packet"]),
        kind="" if tap["packet"] else PipeOperationKind(tap["kind"]).name.lower(),
        page=tap["index"],
        flits=tap["flits"],
        head=tap["head"],
        tail=tap["tail"],
        enabled=bool(tap["enabled"]),
        cause=DropCause(tap["cause"]).name.lower(),
        notify=bool(tap["notify"]),
        tag=tap["tag"],
        miss=bool(tap["miss"]),
        header=bool(tap["header"]),
        per_packet=bool(tap["per_packet"]),
    )
