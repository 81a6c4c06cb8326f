"""Opening and closing what the NIC holds: sequences of register accesses, each read back before the next step.

All are generators in the sense of ``hermes.world.Control``: set-up is not on the data path.
"""

from typing import NamedTuple

from hermes.enso.notification_buffer import NotificationBuffer
from hermes.enso.pipe import RxPipe
from hermes.enso.registers import (
    CONFIG_FALLBACK,
    CONFIG_FLOW,
    CONFIG_FLOW_DELETE,
    CONFIG_FLOW_STATUS,
    CONFIG_REQUEST,
    ERROR,
    HEADER_MODE,
    NO_SUCH_FLOW,
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
from hermes.errors import ContractError
from hermes.world import AwaitZero, Control, Memory, ReadRegister, WriteRegister

_READ_BACKS = 1000
"""Times that a register is read until it holds what was written; a NIC that only clears its tables answers late."""

_LOW_WORD = 0xFFFFFFFF
_ALL_ONES = (1 << 64) - 1
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
    pipe.restart()
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
    yield from _request_config(memory, buffer, CONFIG_FLOW, _flow(key, pipe))


def delete_flow(memory: Memory, buffer: NotificationBuffer, key: FlowKey) -> Control[None]:
    """Frames with this key, for which there is a pipe, go where nobody's key goes. Beyond upstream."""
    yield from _request_config(memory, buffer, CONFIG_FLOW_DELETE, _flow(key))


def has_flow(memory: Memory, buffer: NotificationBuffer, key: FlowKey) -> Control[bool]:
    """Whether there is a pipe for frames with this key. Beyond upstream."""
    code = yield from _request_config(memory, buffer, CONFIG_FLOW_STATUS, _flow(key), answer=NO_SUCH_FLOW)
    return code == 0


def set_fallback(memory: Memory, buffer: NotificationBuffer, pipes: int, *, round_robin: bool = False) -> Control[None]:
    """Frames of which nobody knows the key go to the first pipes: the largest power of two up to ``pipes``.

    By hash of the key, or in turn. 0 pipes: they are dropped.
    """
    mask = (1 << pipes.bit_length() - 1) - 1 if pipes else 0
    flag = _ALL_ONES if round_robin else 0
    yield from _request_config(memory, buffer, CONFIG_FALLBACK, (pipes | mask << 32, flag))


def _flow(key: FlowKey, pipe: int = 0) -> tuple[int, ...]:
    """Body of the config requests for flows."""
    addresses = key.destination_port | key.source_port << 16 | key.destination_address << 32, key.source_address
    return *addresses, pipe


def _request_config(
    memory: Memory, buffer: NotificationBuffer, config: int, body: tuple[int, ...], *, answer: int = 0
) -> Control[int]:
    """Send a config request, of which ``body`` is bytes 16 on, and wait until it took effect.

    Its completion's code, which is 0 or ``answer``; any other is an error.
    """
    slot = buffer.post(config, 0, CONFIG_REQUEST)  # of its words those of the body may have 64 bits
    address = buffer.tx_address + SLOT_BYTES * slot
    at = (address - memory.base) >> 3
    for index in range(SLOT_WORDS - 2):
        memory.words[at + 2 + index] = body[index] if index < len(body) else 0
    yield WriteRegister(notification_buffer_register(buffer.number, TX_TAIL), buffer.tx_tail)
    yield AwaitZero(address, f"completion of config request {config}")
    code: int = memory.words[at + ERROR]
    if code == answer:
        memory.words[at + ERROR] = 0  # so that it is not counted as one
    buffer.take_completion()
    if code not in (0, answer):
        raise ContractError(f"the NIC refused config request {config} with {[hex(word) for word in body]}: code {code}")
    return code
