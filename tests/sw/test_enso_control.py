"""Set-up and teardown sequences, carried out on a NIC."""

import pytest

from hermes.enso.control import (
    FlowKey,
    close_notification_buffer,
    close_pipe,
    delete_flow,
    has_flow,
    insert_flow,
    open_notification_buffer,
    open_pipe,
    set_fallback,
)
from hermes.enso.notification_buffer import NotificationBuffer
from hermes.enso.pipe import RxTxPipe
from hermes.enso.registers import (
    CONFIG_REQUEST,
    RX_HEAD,
    RX_MEM_HIGH,
    RX_MEM_LOW,
    RX_TAIL,
    TX_HEAD,
    TX_MEM_LOW,
    TX_TAIL,
    notification_buffer_register,
    pipe_mode_register,
    pipe_register,
)
from hermes.errors import ContractError
from hermes.world import AwaitZero, ReadRegister, WriteRegister
from tests.tools.host import SMALL, Host

KEY = FlowKey(80, 4000, 0x0A000001, 0x0A000002)


def test_a_notification_buffer_opens_and_goes_on_at_the_nics_tx_index() -> None:
    host = Host()
    buffer = NotificationBuffer(host.memory, SMALL, "a test")
    page = notification_buffer_register(5, 0)
    for register, value in ((RX_TAIL, 7), (RX_HEAD, 6), (TX_TAIL, 11), (TX_HEAD, 11)):
        host.nic.registers[page + register] = value
    host.carry_out(open_notification_buffer(5, buffer))
    assert buffer.number == 5
    assert (buffer.rx_head, buffer.tx_head, buffer.tx_tail) == (0, 11, 11)
    assert host.nic.word(page + RX_TAIL) == 0
    assert host.nic.word(page + TX_TAIL) == 11 | 11 << 32
    assert host.nic.word(page + RX_MEM_LOW) == buffer.address
    assert host.nic.word(page + TX_MEM_LOW) == buffer.tx_address
    host.carry_out(close_notification_buffer(buffer))
    assert host.nic.word(page + RX_MEM_LOW) == host.nic.word(page + TX_MEM_LOW) == 0
    assert host.nic.word(page + TX_TAIL) == 11 | 11 << 32, "TX indices survive"
    assert buffer.number == -1


def test_a_pipe_opens_with_its_notification_buffer_in_the_low_bits() -> None:
    host = Host()
    pipe = RxTxPipe(host.memory, SMALL, 9)
    pipe.rx_head = pipe.rx_tail = pipe.notified_tail = 3
    page = pipe_register(9, 0)
    host.nic.registers[page + RX_TAIL] = host.nic.registers[page + RX_HEAD] = 3
    host.carry_out(open_pipe(pipe, 513))
    assert host.nic.word(page + RX_MEM_LOW) == pipe.address + 513
    assert host.nic.word(page + RX_TAIL) == 0
    assert (pipe.rx_head, pipe.rx_tail, pipe.notified_tail) == (0, 0, 0)
    host.carry_out(close_pipe(pipe))
    assert host.nic.word(page + RX_MEM_LOW) == 0


def test_a_pipe_in_header_mode_is_so_before_it_is_enabled_and_no_more_once_it_is_closed() -> None:
    host = Host()
    pipe = RxTxPipe(host.memory, SMALL, 9, in_header_mode=True)
    writes: list[int] = []
    inner = host.nic.mmio_write

    def note(now: int, address: int, value: int, size: int) -> None:
        writes.append(address)
        inner(now, address, value, size)

    host.nic.mmio_write = note  # type: ignore[method-assign]
    host.carry_out(open_pipe(pipe, 0))
    assert host.nic.word(pipe_mode_register(9)) == 1
    assert writes.index(pipe_mode_register(9)) < len(writes) - 2
    assert writes[-2:] == [pipe_register(9, RX_MEM_LOW), pipe_register(9, RX_MEM_HIGH)]
    host.carry_out(close_pipe(pipe))
    assert host.nic.word(pipe_mode_register(9)) == 0


def test_a_nic_without_header_mode_is_told_apart() -> None:
    host = Host()
    pipe = RxTxPipe(host.memory, SMALL, 1, in_header_mode=True)
    inner = host.nic.mmio_write

    def without_extensions(now: int, address: int, value: int, size: int) -> None:
        if address < notification_buffer_register(1024, 0):
            inner(now, address, value, size)

    host.nic.mmio_write = without_extensions  # type: ignore[method-assign]
    with pytest.raises(ContractError, match="register 0x2410008 reads 0x0 after 1000 reads; 0x1 was written"):
        host.carry_out(open_pipe(pipe, 0))
    assert host.nic.word(pipe_register(1, RX_MEM_LOW)) == 0


def test_the_low_word_of_an_address_is_written_first() -> None:
    pipe = RxTxPipe(Host().memory, SMALL, 0)
    writes = []
    sequence = open_pipe(pipe, 0)
    request = next(sequence)
    value = 0
    while True:
        if isinstance(request, WriteRegister):
            writes.append(request)
            value = pipe.address if request.address == RX_MEM_HIGH and request.value else value
        try:
            request = sequence.send(value if isinstance(request, ReadRegister) else 0)
        except StopIteration:
            break
    addresses = [write.address for write in writes]
    assert addresses == [RX_MEM_LOW, RX_MEM_HIGH, RX_TAIL, RX_HEAD, RX_MEM_LOW, RX_MEM_HIGH]
    assert [write.value for write in writes[:4]] == [0, 0, 0, 0], "indices are cleared while it is disabled"


def test_a_register_that_never_takes_a_value_is_an_error_and_no_endless_loop() -> None:
    sequence = open_pipe(RxTxPipe(Host().memory, SMALL, 2), 0)

    def answer_always_5() -> None:
        next(sequence)
        while True:
            sequence.send(5)

    with pytest.raises(ContractError, match="register 0x2008 reads 0x5 after 1000 reads; 0x0 was written"):
        answer_always_5()


def test_flows_and_fallback_reach_the_nic_and_are_waited_for() -> None:
    host = Host()
    buffer = NotificationBuffer(host.memory, SMALL, "a test")
    host.carry_out(open_notification_buffer(0, buffer))
    for pipe in range(20):  # over the ring's end
        host.carry_out(insert_flow(host.memory, buffer, KEY._replace(destination_port=pipe), pipe))
    assert {tuple(key): pipe for key, pipe in host.nic.flows.items()} == {
        tuple(KEY._replace(destination_port=pipe)): pipe for pipe in range(20)
    }
    assert buffer.tx_head == buffer.tx_tail == 20 % 16
    for pipes, mask in [(0, None), (1, 0), (2, 1), (3, 1), (8, 7), (100, 63)]:
        host.carry_out(set_fallback(host.memory, buffer, pipes))
        assert host.nic.fallback == mask


def test_frames_of_unknown_keys_go_to_pipes_in_turn_or_by_hash() -> None:
    host = Host()
    buffer = NotificationBuffer(host.memory, SMALL, "a test")
    host.carry_out(open_notification_buffer(0, buffer))
    for round_robin in (True, False):
        host.carry_out(set_fallback(host.memory, buffer, 4, round_robin=round_robin))
        assert (host.nic.fallback, host.nic.round_robin) == (3, round_robin)


def test_flows_can_be_asked_for_and_deleted() -> None:
    host = Host()
    buffer = NotificationBuffer(host.memory, SMALL, "a test")
    host.carry_out(open_notification_buffer(0, buffer))
    other = KEY._replace(source_address=1)
    host.carry_out(insert_flow(host.memory, buffer, KEY, 3))
    assert host.carry_out(has_flow(host.memory, buffer, KEY)) is True
    assert host.carry_out(has_flow(host.memory, buffer, other)) is False
    assert buffer.errors == 0, "no is an answer"
    host.carry_out(delete_flow(host.memory, buffer, KEY))
    assert host.carry_out(has_flow(host.memory, buffer, KEY)) is False
    with pytest.raises(ContractError, match=r"the NIC refused config request 256 with .*: code 5"):
        host.carry_out(delete_flow(host.memory, buffer, KEY))
    assert buffer.errors == 1


def test_a_config_request_stands_in_its_slot_as_the_nic_reads_it() -> None:
    host = Host()
    buffer = NotificationBuffer(host.memory, SMALL, "a test")
    buffer.number = 0
    sequence = insert_flow(host.memory, buffer, KEY, 33)
    next(sequence)
    at = buffer.tx_address - host.memory.base
    line = bytes(host.memory.bytes[at : at + 64])
    fields = {"signal": (0, 8), "id": (8, 16), "dport": (16, 18), "sport": (18, 20), "dst": (20, 24), "src": (24, 28)}
    fields |= {"protocol": (28, 32), "pipe": (32, 36), "pad": (36, 64)}
    values = {name: int.from_bytes(line[start:end], "little") for name, (start, end) in fields.items()}
    assert values == {
        "signal": CONFIG_REQUEST,
        "id": 1,
        "dport": 80,
        "sport": 4000,
        "dst": 0x0A000001,
        "src": 0x0A000002,
        "protocol": 0,
        "pipe": 33,
        "pad": 0,
    }


def test_a_refused_config_request_is_an_error() -> None:
    host = Host()
    buffer = NotificationBuffer(host.memory, SMALL, "a test")
    buffer.number = 0
    sequence = set_fallback(host.memory, buffer, 4)
    request = next(sequence)
    while not isinstance(request, AwaitZero):
        request = sequence.send(0)
    host.memory.words[(request.address - host.memory.base) // 8 + 3] = 3
    buffer.complete(0)
    with pytest.raises(ContractError, match=r"the NIC refused config request 4 with .*: code 3"):
        sequence.send(0)
