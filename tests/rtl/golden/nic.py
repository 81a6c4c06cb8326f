"""The whole model: the register map, and who is told what."""

from collections import Counter, defaultdict, deque
from collections.abc import Callable

from enso_nic.config import NicConfig
from enso_nic.registers import (
    COUNTERS,
    EXTENSION_MAGIC,
    EXTENSION_VERSION,
    EXTENSION_WORDS,
    FIRST_EXTENSION_PAGE,
    FIRST_NOTIFICATION_BUFFER_PAGE,
    FIRST_PIPE_DROPS_PAGE,
    FIRST_PIPE_MODE_PAGE,
    PAGE_BYTES,
    Capability,
)
from tests.rtl.golden.guard import Guard
from tests.rtl.golden.receive import Admission, Commit, Pipe, Receive
from tests.rtl.golden.registers import Operation, Settings, merged
from tests.rtl.golden.to_host import Answer, NotificationRing, Retried, RingRead, RingTailWrite, Settled, ToHost
from tests.rtl.golden.transmit import Transmit, TransmitRing

INDEX_WORD, MEMORY_WORD, TX_INDEX_WORD, TX_MEMORY_WORD = range(4)
WORDS_PER_PAGE = PAGE_BYTES // 8
TABLE_PAGES = 16
REFUSED = ("refused_page", "refused_address")
EXTENSION_NAMES = {word.number: name for name, word in EXTENSION_WORDS.items()}
LOW, HIGH = 0x0F, 0xF0
"""Byte enables of the two registers of a word."""


class GoldenNic:
    """What the NIC must do with what it is given, and with the order that its taps tell.

    Attributes
    ----------
    counters
        By the names of enso_nic.registers.EXTENSION_WORDS.
    """

    def __init__(self, config: NicConfig) -> None:
        self._config = config
        self.counters: Counter[str] = Counter()
        self.to_host = ToHost(config, self.counters)
        self.receive = Receive(config, self.to_host, self.counters)
        self.guard = Guard(config, self.counters)
        self.transmit = Transmit(config, self.receive, self.guard, self.counters)
        self._operations: deque[Operation] = deque()
        # pipe -> checks out of turn that must come, each with the last MMIO access that asked for it, or 0
        self._retries: defaultdict[int, deque[int]] = defaultdict(deque)
        self._accesses = 0
        self._events = 0  # whatever may move a counter
        self._last_read: Counter[str] = Counter()

    def waiting(self) -> str:
        """What must still happen; empty if nothing must."""
        undone = [*self._operations, *(pipe for pipe, checks in self._retries.items() if checks)]
        operations = f"register accesses and checks of pipes {undone}" if undone else ""
        parts = (self.receive.waiting(), operations, self.to_host.waiting(), self.transmit.waiting())
        return "; ".join(part for part in parts if part)

    def finish(self) -> None:
        """The NIC is quiescent, and nothing is on its way to it."""
        assert not self.waiting(), f"the NIC rests, but there remain {self.waiting()}"
        self.to_host.decide(Settled(self._accesses))
        self.to_host.finish()
        self.receive.settle(self._accesses)
        self.transmit.rest(self._accesses)

    # --- registers ----------------------------------------------------------------------------------------------------

    def mmio_write(self, address: int, data: int, enables: int, tag: int = 0) -> None:
        """An MMIO write was taken: ``data`` of the 8-byte word at ``address``, a bit in ``enables`` per byte.

        By ``tag`` the commit tap tells which access an operation comes from.

        A register is written only if all four of its bytes are enabled. Within a page only bits 5 to 3 of the address
        count.
        """
        self._accesses += 1
        self._events += 1
        low, high = enables & LOW == LOW, enables & HIGH == HIGH
        page, word = address // PAGE_BYTES, address % 64 // 8
        pipe, ring, tx = self._owners(page)
        owner = pipe or ring
        if word == INDEX_WORD and page < FIRST_EXTENSION_PAGE:
            if high and owner is not None:
                owner.head.write(self._accesses, data >> 32)
            # pipes and buffers that this NIC does not have are told apart later
            if low:
                value = data & 0xFFFFFFFF
                self._operations.append(Operation(self._accesses, "tail_write", page, tag=tag, value=value))
            if high and page < FIRST_NOTIFICATION_BUFFER_PAGE:
                self._operations.append(Operation(self._accesses, "head_check", page, tag=tag))
        elif owner is not None and word == MEMORY_WORD:
            size = self._settings.pipe_ring if pipe is not None else self._settings.notification_ring
            value = merged(owner.memory.latest.value, data, low=low, high=high)
            if high and not self.guard.allows_ring(page, value, size):
                data, low = 0, True
            owner.memory.write(self._accesses, owner.memory.latest.written(data, low=low, high=high, size=size))
        elif tx is not None and word == TX_INDEX_WORD:
            tx.write_indices(data, low=low, high=high)
        elif tx is not None and word == TX_MEMORY_WORD:
            value = merged(tx.memory.latest.value, data, low=low, high=high)
            if high and not self.guard.allows_ring(page, value, self._settings.notification_ring):
                data, low = 0, True
            tx.write_memory(self._accesses, data, low=low, high=high, size=self._settings.notification_ring)
        elif page >= FIRST_EXTENSION_PAGE and low:
            self._write_extension(address, data if high else data & 0xFFFFFFFF)

    @property
    def _settings(self) -> Settings:
        return self.receive.settings.latest

    def _write_extension(self, address: int, value: int) -> None:
        self.guard.write(address, value)
        page, word = address // PAGE_BYTES, address % PAGE_BYTES // 8
        if page == FIRST_EXTENSION_PAGE and word in EXTENSION_NAMES:
            self.receive.settings.write(self._accesses, self._settings.with_word(EXTENSION_NAMES[word], value))
            self.guard.is_on = self._settings.guard
        pipe = self._table_entry(address, FIRST_PIPE_MODE_PAGE)
        if pipe is not None:
            pipe.header_mode.write(self._accesses, bool(value & 1))

    def _table_entry(self, address: int, first_page: int) -> Pipe | None:
        """The pipe of the word at ``address``, if that is one of the table that begins with ``first_page``."""
        number = (address - first_page * PAGE_BYTES) // 8
        is_in_table = 0 <= number < TABLE_PAGES * WORDS_PER_PAGE
        return self.receive.pipes[number] if is_in_table and number < len(self.receive.pipes) else None

    def mmio_read(self, address: int, tag: int) -> None:
        """An MMIO read of the word at ``address`` was taken."""
        self._accesses += 1
        page, word = address // PAGE_BYTES, address % PAGE_BYTES // 8
        at_rest = not self.waiting()
        *_, tx = self._owners(page)
        tx_words = []
        if tx is not None and word % 8 == TX_INDEX_WORD:
            tx_words = tx.possible_indices(at_rest=at_rest)
        elif tx is not None and word % 8 == TX_MEMORY_WORD:
            tx_words = [tx.memory.latest.value]
        quiet = self._events if at_rest and not self.transmit.may_lose() else None
        setting = None
        if page == FIRST_EXTENSION_PAGE and EXTENSION_NAMES.get(word, COUNTERS[0]) not in (*COUNTERS, *REFUSED):
            setting = self._setting(EXTENSION_NAMES[word])
        operation = Operation(
            self._accesses, "register_read", page, word, tag, quiet=quiet, tx_words=tuple(tx_words), setting=setting
        )
        self._operations.append(operation)

    def _owners(self, page: int) -> tuple[Pipe | None, NotificationRing | None, TransmitRing | None]:
        buffer = page - FIRST_NOTIFICATION_BUFFER_PAGE
        if page < len(self.receive.pipes):
            return self.receive.pipes[page], None, None
        if 0 <= buffer < len(self.to_host.rings):
            return None, self.to_host.rings[buffer], self.transmit.rings[buffer]
        return None, None, None

    def _explanation(self, operation: Operation) -> Callable[[int], bool]:
        """Whether a register read can have given a value. Pages that nobody owns read 0."""
        pipe, ring, tx = self._owners(operation.page)
        word = operation.word % 8
        address = operation.page * PAGE_BYTES + 8 * operation.word
        moded, dropping = (self._table_entry(address, first) for first in (FIRST_PIPE_MODE_PAGE, FIRST_PIPE_DROPS_PAGE))
        if moded is not None:
            modes = [int(mode) for mode in moded.header_mode.possible()]
            return lambda value: value in modes
        if dropping is not None:
            drops = dropping.drops
            return lambda value: value == drops
        if pipe is not None and word == INDEX_WORD:
            indices = [head << 32 | pipe.tail for head in pipe.head.possible()]
            return lambda value: value in indices
        if pipe is not None and word == MEMORY_WORD:
            addresses = [memory.value for memory in pipe.memory.possible()]
            return lambda value: value in addresses
        if ring is not None and word in (INDEX_WORD, MEMORY_WORD):
            read = RingRead(ring, word == INDEX_WORD)
            self.to_host.decide(read)
            return read.explains
        if tx is not None and word in (TX_INDEX_WORD, TX_MEMORY_WORD):
            return lambda value: value in operation.tx_words
        if operation.page == FIRST_EXTENSION_PAGE and operation.word in EXTENSION_NAMES:
            name = EXTENSION_NAMES[operation.word]
            if name in REFUSED:
                return lambda value: value in {told[REFUSED.index(name)] for told in self.guard.told}
            if name in COUNTERS:
                return lambda value: self._explains_counter(name, operation.quiet, value)
            return lambda value: value == operation.setting
        return lambda value: value == 0

    def _setting(self, name: str) -> int:
        """What a word of the extension page reads that counts nothing."""
        config, settings = self._config, self._settings
        return {
            "magic": EXTENSION_MAGIC,
            "version": EXTENSION_VERSION,
            "capabilities": sum(Capability),
            "pipes": config.pipes,
            "notification_buffers": config.notification_buffers,
            "maximum_frame": config.maximum_frame,
            "packet_buffer_flits": config.packet_buffer_flits,
            "pipe_ring_flits": settings.pipe_ring,
            "notification_ring_slots": settings.notification_ring,
            "modes": settings.notify_per_packet | settings.accept_ipv6 << 1 | settings.full_tuple << 2,
            "reset": 0,
            "guard": int(settings.guard),
        }[name]

    def _explains_counter(self, name: str, quiet: int | None, value: int) -> bool:
        """Exact if nothing happened from request to answer; else it has not gone back."""
        last, self._last_read[name] = self._last_read[name], value
        if quiet != self._events:
            return value >= last
        return value == self.counters[name]

    # --- what enters and leaves, and the taps -------------------------------------------------------------------------

    def cycle(self, now: int) -> None:
        """Time goes by."""
        self.to_host.now = now

    def frame_begins(self, frame: bytes, *, bad: bool, is_open: bool, tick: int = 0) -> None:
        """The first beat of a frame from the wire; ``is_open``, ``tick``: the output and the input of that cycle."""
        self._events += 1
        self.receive.frame_begins(frame, bad=bad, is_open=is_open, tick=tick)

    def admission(self, tap: Admission) -> None:
        """The admission tap."""
        self._events += 1
        self.receive.admission(tap)

    def commit(self, tap: Commit) -> None:
        """The commit tap: packets in the order of their admission, operations in that of their MMIO accesses."""
        if tap.packet:
            self._events += 1
            self.receive.packet(tap)
            return
        kind, page = tap.kind, tap.page
        if kind == "retry":
            assert self._retries[page], f"pipe {page} was checked out of turn without a reason"
            self.receive.settle(self._retries[page].popleft())
            self.to_host.decide(Retried(page))
            self.receive.check_head(self.receive.pipes[page], tap)
            return
        assert self._operations, f"a {kind} of page {page} that nobody asked for"
        operation = self._operations.popleft()
        address = operation.page * PAGE_BYTES + 8 * operation.word
        in_tables = [(address - first * PAGE_BYTES) // 8 for first in (FIRST_PIPE_MODE_PAGE, FIRST_PIPE_DROPS_PAGE)]
        # words of the tables belong to their pipes; other pages from the extension page on are told apart before
        entries = [number for number in in_tables if 0 <= number < TABLE_PAGES * WORDS_PER_PAGE]
        due = entries[0] if entries else min(operation.page, FIRST_EXTENSION_PAGE)
        assert (kind, page, tap.tag) == (operation.kind, due, operation.tag), f"{tap}; due is {operation}"
        self.receive.settle(operation.access)
        self.to_host.decide(Settled(operation.access))
        pipe, ring, _ = self._owners(operation.page)
        if kind == "register_read":
            what = f"word {operation.word} of page {operation.page}"
            self.to_host.leave(Answer(operation.tag, what, self._explanation(operation)))
        elif kind == "tail_write" and pipe is not None:
            pipe.tail = operation.value
        elif kind == "tail_write" and ring is not None:
            self.to_host.decide(RingTailWrite(ring, operation.value))
        elif kind == "head_check" and pipe is not None:
            self.receive.check_head(pipe, tap)

    def retry(self, pipe: int, tag: int | None, *, is_new: bool) -> None:
        """The retry tap: a pipe is to be checked out of turn, for the head write ``tag`` that found the queue full.

        None: because it is owed a notification. It is checked once, unless the check has begun (``is_new``).
        """
        access = 0
        if tag is None:
            self.to_host.retry(pipe)
        else:
            wanted = ("head_check", pipe, tag)
            check = next((each for each in self._operations if (each.kind, each.page, each.tag) == wanted), None)
            assert check is not None, f"a check of pipe {pipe} was put off that nobody asked for"
            waiting = len(self._operations)
            assert waiting > self._config.pipe_operations, f"{check} was put off, though only {waiting} wait"
            self._operations.remove(check)
            self.counters["merged_head_checks"] += 1
            access = check.access
        if is_new:
            self._retries[pipe].append(access)
        else:
            assert self._retries[pipe], f"pipe {pipe} is said to wait for a check, and does not"
            self._retries[pipe][-1] = max(access, self._retries[pipe][-1])

    def notification(self, outcome: str) -> None:
        """The notification tap."""
        self._events += 1
        self.to_host.notification(outcome)

    def host_read(self, address: int, flits: int, tag: int) -> None:
        """A read of host memory was taken."""
        self._events += 1
        self.transmit.read(address, flits, tag)

    def host_read_answer(self, tag: int, line: bytes | None, *, last: bool) -> None:
        """The next line of a read's answer; None: the host could not read it, nor the rest if this is the last."""
        self._events += 1
        self.transmit.answer(tag, line, last=last)

    def host_read_given_up(self, tag: int) -> None:
        """A read was not answered in time: what was missing counts as errors."""
        self._events += 1
        self.counters["read_timeouts"] += 1
        self.transmit.answer(tag, None, last=True)

    def host_write(self, address: int, line: bytes) -> None:
        """A line of a write to host memory was taken."""
        self._events += 1
        if self.transmit.is_completion(address):
            self.transmit.completion(address, line)
        else:
            self.to_host.line(address, line)

    def mmio_answer(self, tag: int, value: int) -> None:
        """The answer of an MMIO read was taken."""
        self.to_host.answer(tag, value)

    def frame_out(self, frame: bytes, tick: int = 0) -> None:
        """A frame left for the wire; ``tick`` is that of the cycle before its first beat was shown."""
        self._events += 1
        self.transmit.frame(frame, tick)
