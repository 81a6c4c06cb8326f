"""Owed notifications: a pipe that is owed stays in the list of its buffer until it is checked again."""

from dataclasses import replace

from amaranth.hdl import Signal

from enso_nic.config import TINY
from enso_nic.owed_notifications import OwedNotifications, Step
from tests.formal.specification import Specification
from tests.formal.stream_rules import obey, promise_rules


def owed_notifications() -> Specification:
    config = replace(TINY, pipes=2, notification_buffers=2)
    dut = OwedNotifications(config)
    spec = Specification("owed_notifications", dut, "2 pipes, 2 buffers")
    m = spec.m
    obey(spec)
    told = dut.owe.payload
    spec.assume(
        "pipes and buffers that are told of exist (pipe_manager, notifier)",
        ~dut.owe.valid | ((told.pipe < config.pipes) & (told.buffer < config.notification_buffers)),
    )
    spec.assume("nothing is owed before the tables are clear (notifier)", ~dut.owe.valid | dut.ready)
    spec.assume("nothing is owed while there is no room (notifier)", ~dut.owe.valid | dut.has_room)
    spec.lemmas_of_queues()
    promise_rules(spec)

    marked = spec.constant(1, "marked")
    owed, leaves = Signal(), dut.retry.valid & (dut.retry.payload == marked)
    member = spec.word("members", marked)
    step, queue = spec.inner("step"), spec.inner("queue")
    with m.If(dut.owe.valid & (told.pipe == marked)):
        m.d.sync += owed.eq(1)
    with m.Elif(leaves & dut.retry.ready):
        m.d.sync += owed.eq(0)
    rests = (step == Step.CHOOSE) & ~queue.r_rdy
    spec.promise("a pipe that is owed is in a list, until it leaves to be checked", when=rests & owed, then=member.any,
                 is_bounded=True)  # fmt: skip
    spec.promise(
        "a list that has a member is not taken for empty",
        when=rests & member.any,
        then=spec.word("lists", member.buffer).any,
        is_bounded=True,
    )
    spec.promise("a pipe leaves only if it is in a list", when=leaves, then=member.any, is_bounded=True)
    return spec
