"""Opening and closing what the NIC holds: sequences of register accesses, each read back before the next step.

All are generators in the sense of ``hermes.world.Control``: set-up is not on the data path.
"""

from typing import NamedTuple

from hermes.enso.notification_buffer import NotificationBuffer
from hermes.enso.pipe import RxPipe
from hermes.enso.registers import (
    CONFIG_FALLBACK,
    CONFIG_FLOW,
    CONFIG_REQUEST,
    HEADER_MODE,
    RX_HEAD,
    RX_MEM_HIGH,
    RX_MEM_LOW,
    RX_TAIL,
    SLOT_BYTES,
    SLOT_WORDS,
    TX_HEAD,
    TX_MEM_HIGH,
    TX_MEM_LOW,
    TX_TAIL,
    notification_buffer_register,
    pipe_mode_register,
    pipe_register,
)
from hermes.world import AwaitZero, ContractError, Control, Memory, ReadRegister, WriteRegister

_READ_BACKS = 1000
"""Times that a register is read until it holds what was written; a NIC that only clears its tables answers late."""

_LOW_WORD = 0xFFFFFFFF
_HALVES = (0, 4)
"""Offsets of the halves of an 8-byte word."""


class FlowKey(NamedTuple):
    """What frames are steered by, in host order; fields that their kind does not use are 0.

    UDP and TCP SYN: destination address and port. Other TCP: all. Other IPv4: destination address. Anything else, which
    only pipes in header mode take: all 0.
    """

    destination_port: int
    source_port: int
    destination_address: int
    source_address: int


def _write_until_read(address: int, registers: tuple[int, int], value: int) -> Control[None]:
    """Write two registers that share an 8-byte word, and read it back until it holds ``value``."""
    low, high = registers
    yield WriteRegister(address + low, value & _LOW_WORD)
    yield WriteRegister(address + high, value >> 32)
    for _ in range(_READ_BACKS):
        word = yield ReadRegister(address + low)
        if word == value:
            return
    raise ContractError(
        f"register {address + low:#x} reads {word:#x} after {_READ_BACKS} reads; {value:#x} was written"
    )


def open_notification_buffer(number: int, buffer: NotificationBuffer) -> Control[None]:
    """Give both rings of a notification buffer to the NIC. TX goes on at the index that the NIC holds."""
    page = notification_buffer_register(number, 0)
    yield from _write_until_read(page, (RX_MEM_LOW, RX_MEM_HIGH), 0)
    yield from _write_until_read(page, (RX_TAIL, RX_HEAD), 0)
    indices = yield ReadRegister(page + TX_TAIL)
    tx_tail = indices & _LOW_WORD
    buffer.number = number
    buffer.rx_head = buffer.rx_tail = 0
    buffer.tx_head = buffer.tx_tail = tx_tail % buffer.slots
    yield WriteRegister(page + TX_HEAD, tx_tail)
    yield from _write_until_read(page, (RX_MEM_LOW, RX_MEM_HIGH), buffer.address)
    yield from _write_until_read(page, (TX_MEM_LOW, TX_MEM_HIGH), buffer.tx_address)


def close_notification_buffer(buffer: NotificationBuffer) -> Control[None]:
    """Take the rings back; the NIC writes to them no more once this is through."""
    page = notification_buffer_register(buffer.number, 0)
    yield from _write_until_read(page, (RX_MEM_LOW, RX_MEM_HIGH), 0)
    yield from _write_until_read(page, (TX_MEM_LOW, TX_MEM_HIGH), 0)
    buffer.number = -1


def open_pipe(pipe: RxPipe, notification_buffer: int) -> Control[None]:
    """Give a pipe's ring to the NIC, which notifies in the notification buffer with this id."""
    page = pipe_register(pipe.number, 0)
    yield from _write_until_read(page, (RX_MEM_LOW, RX_MEM_HIGH), 0)
    yield from _write_until_read(page, (RX_TAIL, RX_HEAD), 0)
    pipe.rx_head = pipe.rx_tail = pipe.notified_tail = 0
    if pipe.in_header_mode:
        yield from _write_until_read(pipe_mode_register(pipe.number), _HALVES, HEADER_MODE)
    yield from _write_until_read(page, (RX_MEM_LOW, RX_MEM_HIGH), pipe.address + notification_buffer)


def close_pipe(pipe: RxPipe) -> Control[None]:
    """Take a pipe's ring back; the NIC writes to it no more once this is through. Its mode is as after reset."""
    yield from _write_until_read(pipe_register(pipe.number, 0), (RX_MEM_LOW, RX_MEM_HIGH), 0)
    if pipe.in_header_mode:
        yield from _write_until_read(pipe_mode_register(pipe.number), _HALVES, 0)


def insert_flow(memory: Memory, buffer: NotificationBuffer, key: FlowKey, pipe: int) -> Control[None]:
    """Frames with this key go to a pipe; ``buffer`` is one that the NIC serves."""
    yield from _request_config(
        memory,
        buffer,
        CONFIG_FLOW,
        (
            key.destination_port | key.source_port << 16 | key.destination_address << 32,
            key.source_address,
            pipe,
        ),
    )


def set_fallback(memory: Memory, buffer: NotificationBuffer, pipes: int) -> Control[None]:
    """Frames of which nobody knows the key go, by hash, to the first pipes: the largest power of two up to ``pipes``.

    0 pipes: they are dropped.
    """
    mask = (1 << pipes.bit_length() - 1) - 1 if pipes else 0
    yield from _request_config(memory, buffer, CONFIG_FALLBACK, (pipes | mask << 32, 0))


def _request_config(memory: Memory, buffer: NotificationBuffer, config: int, body: tuple[int, ...]) -> Control[None]:
    """Send a config request, of which ``body`` is bytes 16 on, and wait until it took effect."""
    slot = buffer.post(config, body[0], CONFIG_REQUEST)
    address = buffer.tx_address + SLOT_BYTES * slot
    at = (address - memory.base) >> 3
    for index in range(SLOT_WORDS - 2):
        memory.words[at + 2 + index] = body[index] if index < len(body) else 0
    yield WriteRegister(notification_buffer_register(buffer.number, TX_TAIL), buffer.tx_tail)
    yield AwaitZero(address, f"completion of config request {config}")
    errors = buffer.errors
    buffer.take_completion()
    if buffer.errors != errors:
        raise ContractError(f"the NIC refused config request {config} with {[hex(word) for word in body]}")
