"""Kinds of messages are distinct, have names, and a switch's last field holds what it is told."""

from hypothesis import given
from hypothesis import strategies as st

from hermes import messages
from hermes.enso import registers
from hermes.enso.registers import UPSTREAM

STATES = ("PARKED", "RUNNABLE", "FINISHED", "BLOCKED")


def test_each_kind_has_the_name_of_its_constant() -> None:
    kinds = {
        name: value for name, value in vars(messages).items() if name.isupper() and isinstance(value, int)
    }.items() - {(state, number) for number, state in enumerate(STATES)}
    assert {value: name.lower() for name, value in kinds if not name.startswith("_")} == messages.NAMES
    assert len(messages.NAMES) == 16


def test_register_writes_have_the_offset_of_their_register() -> None:
    assert (messages.RX_HEAD, messages.TX_TAIL) == (registers.RX_HEAD, registers.TX_TAIL)


index = st.integers(0, UPSTREAM.notification_slots - 1)


@given(st.integers(0, 3), index, index)
def test_a_switch_tells_state_and_heads(state: int, rx_head: int, tx_head: int) -> None:
    other = messages.switched(state, rx_head, tx_head)
    assert other == state | rx_head << 8 | tx_head << 24
    assert (other & 0xFF, other >> 8 & 0xFFFF, other >> 24) == (state, rx_head, tx_head)
