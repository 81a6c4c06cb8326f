"""The DMA guard: what its tables do not allow does not pass, for any pipe and any notification buffer."""

from dataclasses import replace

from amaranth.hdl import Cat, Const, Mux, Signal, Value
from amaranth.lib import data

from enso_nic.bits import flits
from enso_nic.config import FLIT_SHIFT, TINY
from enso_nic.dma_guard import RING_STEPS, SLOT_STEPS, DmaGuard
from enso_nic.layouts import GuardWindow, ReadKind, TxRequestLine
from enso_nic.registers import FIRST_NOTIFICATION_BUFFER_PAGE, FIRST_PIPE_OWNER_PAGE, FIRST_WINDOW_PAGE
from enso_nic.tx_requests import CONFIG_SIGNAL
from tests.formal.specification import Specification
from tests.formal.stream_rules import obey, promise_rules

PIPES, BUFFERS = 4, 2
EVERY = 0xFF


def dma_guard() -> Specification:
    dut = DmaGuard(replace(TINY, pipes=PIPES, notification_buffers=BUFFERS))
    spec = Specification("dma_guard", dut, f"{PIPES} pipes, {BUFFERS} notification buffers")
    m, settings, given, passed = spec.m, dut.settings, dut.i.payload, dut.o.payload
    obey(spec)
    spec.assume("no access is taken before the tables are clear (mmio)", dut.ready | ~dut.o.ready)
    spec.assume(
        "a setting changes only behind the access that changes it (extension_page)",
        ~spec.before(dut.i.valid & ~dut.i.ready) | (settings.as_value() == spec.before(settings.as_value())),
    )
    spec.assume("it is switched on by an access (extension_page)", dut.ready | ~settings.guard)
    promise_rules(spec)
    taken = dut.i.valid & dut.i.ready

    # one pipe and one buffer, and what software has written of them
    pipe, buffer = spec.constant(range(PIPES), "pipe"), spec.constant(range(BUFFERS), "buffer")
    page, word = given.address[9:], given.address[:3]
    low, high = given.enables[:4].all(), given.enables[4:].all()
    owner, window, pipe_low, lows = Signal(10), Signal(GuardWindow), Signal(32), [Signal(32), Signal(32)]
    sets = taken & given.write & low
    value = Cat(given.data[:32], Mux(high, given.data[32:], 0))
    with m.If(sets & (given.address == (FIRST_PIPE_OWNER_PAGE << 9) + pipe)):
        m.d.sync += owner.eq(value)
    with m.If(sets & (given.address == (FIRST_WINDOW_PAGE << 9) + 2 * buffer)):
        m.d.sync += [window.first.eq(value[FLIT_SHIFT:]), window.may_configure.eq(value[0])]
    with m.If(sets & (given.address == (FIRST_WINDOW_PAGE << 9) + 2 * buffer + 1)):
        m.d.sync += window.end.eq(value[FLIT_SHIFT:])
    of_pipe = given.write & (page == pipe) & (word == 1)
    of_buffer = given.write & (page == FIRST_NOTIFICATION_BUFFER_PAGE + buffer)
    rings = [(of_pipe, pipe_low), *((of_buffer & (word == 1 + 2 * is_tx), lows[is_tx]) for is_tx in (0, 1))]
    stores = taken & passed.enables[:4].all()
    for is_named, stored in rings:
        with m.If(stores & is_named):
            m.d.sync += stored.eq(passed.data[:32])

    def holds(kept: Value, first: Value, lines: Value) -> Value:
        return (first >= kept.first) & (first + lines <= kept.end)

    def address(access: Value, stored: Value) -> Value:
        """What a ring's address register holds behind this write of its upper half."""
        return Cat(Mux(access.enables[:4].all(), access.data[:32], stored), access.data[32:])

    def allows(of: Value, *, is_pipe: bool) -> Value:
        if is_pipe:
            owned = (of[:10] == owner) & (owner < BUFFERS)
            return owned & holds(window, Cat(Const(0, 4), of[10:]), 1 << settings.pipe_ring)
        return holds(window, of[FLIT_SHIFT:], 1 << settings.notification_ring)

    # what the tables hold, and what was read of them
    sweep, looked = spec.inner("sweep"), spec.inner("looked")
    entries = max(PIPES, 2 * BUFFERS)
    spec.lemma("they are cleared once", sweep <= entries)
    written = Cat(owner, window, pipe_low, *lows)
    spec.lemma("nothing is written before", dut.ready | (written == 0))
    for name, place, stored in (
        ("owners", pipe, owner),
        ("pipe_lows", pipe, pipe_low),
        *(("buffer_lows", buffer + BUFFERS * is_tx, lows[is_tx]) for is_tx in (0, 1)),
        ("firsts", buffer, Cat(window.first, window.may_configure)),
        ("ends", buffer, window.end),
    ):
        spec.lemma(f"{name} hold what was written", (sweep <= place) | (spec.word(name, place) == stored))
    spec.lemma(
        "only an access that waits is looked up",
        (looked == 0) | (spec.before(dut.i.valid & ~dut.i.ready) & spec.inner("needs") & (looked <= RING_STEPS)),
    )
    read_owner, read_low, read_other = (spec.inner(name).data for name in ("owner", "pipe_low", "buffer_low"))
    begun = dut.ready & dut.i.valid & (looked != 0)
    spec.lemma("an owner was read", ~begun | ~of_pipe | ((read_owner == owner) & (read_low == pipe_low)))
    for is_named, stored in rings[1:]:
        spec.lemma("a lower half was read", ~begun | ~is_named | (read_other == stored))
    has_window = dut.ready & dut.i.valid & (looked >= RING_STEPS - 1)
    is_marked = [(of_pipe & (owner == buffer)), *(is_named for is_named, _ in rings[1:])]
    of_window = Cat(*is_marked).any()
    spec.lemma("a window was read", ~has_window | ~of_window | (spec.inner("window") == window))
    foreign = of_pipe & (owner >= BUFFERS)
    judged = dut.ready & dut.i.valid & (looked == RING_STEPS)
    for number, (marked, (_, stored)) in enumerate(zip(is_marked, rings, strict=True)):
        asked = address(given, stored)
        allowed = (asked == 0) | allows(asked, is_pipe=number == 0)
        spec.lemma("it was judged", ~judged | ~marked | (spec.inner("refuses") == ~allowed))
    spec.lemma(
        "it was judged that nobody owns it",
        ~judged | ~foreign | (spec.inner("refuses") == (address(given, pipe_low) != 0)),
    )

    spec.lemma(
        "no ring is refused to be disabled",
        (looked != RING_STEPS) | ~spec.inner("refuses") | (given.data != 0) | (given.enables != EVERY),
    )

    # rings
    enables = dut.o.valid & dut.ready & settings.guard & passed.enables[4:].all()
    for number, (name, marked) in enumerate(
        zip(("a pipe", "a notification buffer's RX", "a notification buffer's TX"), is_marked, strict=True)
    ):
        stored = rings[number][1]
        after = address(passed, stored)
        spec.promise(
            f"with the guard {name} is enabled inside of its buffer's window only"
            + (", with this buffer" if number == 0 else ""),
            when=enables & marked,
            then=(after == 0) | allows(after, is_pipe=number == 0),
        )
        spec.promise(
            f"{name} is not refused what is allowed",
            when=enables & marked & allows(address(given, stored), is_pipe=number == 0),
            then=passed == given,
        )
    spec.promise(
        "with the guard a pipe that no buffer owns is not enabled",
        when=enables & foreign,
        then=address(passed, pipe_low) == 0,
    )
    spec.promise(
        "an access passes as it is, or sets an address to 0",
        when=dut.o.valid,
        then=(passed == given)
        | (
            (passed.data == 0) & (passed.enables == EVERY) & passed.write & given.write
            & (passed.address == given.address) & (passed.tag == given.tag)
        ),
    )  # fmt: skip
    spec.promise(
        "what is refused is counted, and nothing else",
        when=taken,
        then=dut.refused_ring == (passed.as_value() != given.as_value()),
    )

    # slots
    slot, shown = dut.slot_i.payload, dut.slot_o.valid
    waited = spec.before(dut.slot_i.valid & ~dut.slot_i.ready)
    is_new = ~spec.before(shown & ~dut.slot_o.ready)
    seen, met = spec.inner("seen"), Signal(GuardWindow)
    with m.If(dut.slot_i.valid & ~waited):
        m.d.sync += met.eq(window)
    request = data.View(TxRequestLine, slot.data)
    is_config = request.signal == CONFIG_SIGNAL
    asks = (slot.kind == ReadKind.REQUEST) & ~slot.error
    may = ~asks | Mux(
        is_config, met.may_configure, holds(met, request.address[FLIT_SHIFT:], flits(request.length))
    )  # fmt: skip
    of_slot = dut.ready & dut.slot_i.valid & (slot.buffer == buffer)
    spec.assume(
        "slots come of buffers that exist, once the tables are clear (tx_request_fetch)",
        ~dut.slot_i.valid | (dut.ready & (slot.buffer < BUFFERS)),
    )
    spec.lemma("only a slot that waits is looked up", ((seen != 0) == waited) & (seen <= SLOT_STEPS))
    spec.lemma("a slot that was shown is known", (spec.inner("was_shown") == ~is_new))
    spec.lemma("the window of a slot was read", ~of_slot | (seen == 0) | (spec.inner("slot_window") == met))
    spec.lemma("a slot was judged", ~of_slot | (seen != SLOT_STEPS) | (spec.inner("slot_refuses") == ~may))
    spec.promise(
        "with the guard a slot passes by the window that its buffer had when it came",
        when=shown & is_new & settings.guard & (slot.buffer == buffer),
        then=dut.forbidden == ~may,
    )
    spec.promise(
        "the judgement of a slot that waits stays", when=~is_new, then=dut.forbidden == spec.before(dut.forbidden)
    )
    spec.promise(
        "a forbidden slot is counted when it leaves, and nothing else",
        when=shown & dut.slot_o.ready,
        then=dut.refused_request == dut.forbidden,
    )
    spec.promise("slots keep what they hold", when=shown, then=dut.slot_o.payload == slot)

    # switched off
    spec.promise(
        "without the guard all passes in the cycle in which it comes",
        when=~settings.guard,
        then=(dut.o.valid == dut.i.valid) & (~dut.o.valid | (passed == given))
        & (dut.slot_o.valid == dut.slot_i.valid) & (~is_new | ~dut.forbidden),
    )  # fmt: skip
    return spec
