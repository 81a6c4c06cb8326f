"""TX requests: completions leave in the order of the slots of their buffer, each once."""

from dataclasses import replace

from amaranth.hdl import Cat, Signal
from amaranth.lib import data

from enso_nic.config import TINY
from enso_nic.layouts import ReadKind, TxCompletionCode, TxRequest, TxResult
from enso_nic.tx_requests import TxRequests
from tests.formal.specification import Specification
from tests.formal.stream_rules import obey, promise_rules

OUTSTANDING = 4
COUNT_BITS = 4


def tx_requests() -> Specification:
    dut = TxRequests(replace(TINY, data_tags=OUTSTANDING // 2, notification_buffers=2))
    spec = Specification("tx_requests", dut, "4 requests outstanding")
    m = spec.m
    obey(spec)
    spec.lemmas_of_queues()
    added, issued, finished, completed = (spec.inner(name) for name in ("added", "issued", "finished", "completed"))
    bits = len(added)
    results, done = spec.inner("results"), dut.done.payload
    spec.assume(
        "a result comes only of a job that was issued (packetiser)",
        ~dut.done.valid | (issued != finished) & (spec.inner("fragments_asked") == spec.inner("again").count),
    )
    spec.assume(
        "a rewind comes with no result, and while one is due (packetiser)",
        ~dut.rewind.valid | (~dut.done.valid & (issued != finished)),
    )
    spec.assume(
        "no frame is left unfinished: no completion is held back (else: the benches)",
        ~dut.done.valid | ((done.released == 0) & ~done.held),
    )
    spec.assume(
        "the judgement of a slot that waits stays (dma_guard)",
        ~spec.before(dut.slot.valid & ~dut.slot.ready) | (dut.forbidden == spec.before(dut.forbidden)),
    )
    spec.lemma(
        "requests are added, issued, finished and completed in this order",
        ((added - completed)[:bits] <= OUTSTANDING)
        & ((issued - completed)[:bits] <= (added - completed)[:bits])
        & ((finished - completed)[:bits] <= (issued - completed)[:bits]),
    )
    spec.lemma(
        "what finished and did not complete is in the queue of results", (finished - completed)[:bits] == results.level
    )
    spec.lemma(
        "fragments are asked for in front of a request",
        (spec.inner("fragments_asked") == spec.inner("again").count) | (added != issued),
    )
    promise_rules(spec, unless={"job": dut.rewind.valid})

    # slots of all buffers, numbered by their address
    came, left = Signal(COUNT_BITS), Signal(COUNT_BITS)
    spec.assume(
        "the address of each slot says its number", ~dut.slot.valid | (dut.slot.payload.address[:COUNT_BITS] == came)
    )
    takes = dut.slot.valid & dut.slot.ready
    m.d.sync += [came.eq(came + takes), left.eq(left + spec.inner("pop"))]
    place = spec.constant(range(OUTSTANDING), "place")
    ahead = Signal(range(OUTSTANDING))
    m.d.comb += ahead.eq(place - completed)
    stored = Signal(TxRequest)
    m.d.comb += stored.as_value().eq(spec.word("requests", place).as_value())
    spec.lemma(
        "what was taken and did not complete is stored", (came - left)[:COUNT_BITS] == (added - completed)[:bits]
    )
    queue = spec.queue("results")
    spec.lemma(
        "results lie where their requests do",
        (queue["produce"] == finished[:-1]) & (queue["consume"] == completed[:-1]),
    )
    holds_back = []
    for number in range(OUTSTANDING):
        result = data.View(TxResult, spec.word("results.storage", number))
        is_there = (number - completed)[: len(place)] < results.level
        holds_back.append(is_there & ((result.released != 0) | result.held))
    spec.lemma("no result holds completions back", (spec.inner("place") == 0) & ~Cat(holds_back).any())
    spec.lemma(
        "each place holds the request that belongs there",
        (ahead >= (added - completed)[:bits]) | (stored.slot[:COUNT_BITS] == (left + ahead)[:COUNT_BITS]),
    )
    is_marked = completed[: len(place)] == place
    completion = dut.completion
    spec.promise(
        "completions leave in the order of their slots, over their slots",
        when=completion.valid & is_marked,
        then=completion.payload.address[:COUNT_BITS] == left,
    )
    spec.promise("no completion without a slot", when=completion.valid | dut.lost, then=came != left)
    spec.promise(
        "each slot completes, is lost with its ring, or was a mark: once",
        when=spec.inner("pop") & is_marked,
        then=(completion.valid & completion.ready) | dut.lost | (spec.inner("oldest").kind == ReadKind.CLOSE),
    )
    request = spec.inner("request")
    spec.promise(
        "a forbidden slot asks for nothing, and completes with a code of its own",
        when=takes & dut.forbidden & ~dut.slot.payload.error & (dut.slot.payload.kind != ReadKind.CLOSE),
        then=~dut.config.valid & (request.kind == ReadKind.NOTHING) & (request.code == TxCompletionCode.FORBIDDEN),
    )
    spec.promise(
        "a completion is one line",
        when=completion.valid,
        then=completion.payload.first & completion.payload.last & (completion.payload.flits == 1),
    )
    spec.promise(
        "no completion is written of a ring that was closed before it was shown",
        when=completion.valid & ~spec.inner("was_shown"),
        then=spec.inner("due").generation == dut.generation,
    )
    return spec
