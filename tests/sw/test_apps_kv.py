"""The key-value store: requests made by scapy, answers read by scapy, against memcached's text protocol."""

import random

import pytest
from scapy.layers.inet import IP, TCP, UDP, IPOption_NOP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw

from hermes.apps.application import Answering
from hermes.apps.kv import KeyValue
from hermes.enso.control import open_pipe
from hermes.enso.pipe import RxPipe
from hermes.enso.tx_pipe import TxPipe
from tests.tools.driver import DriverHost
from tests.tools.host import SMALL, Host

CLIENT, SERVER = "02:00:00:00:00:02", "02:00:00:00:00:01"
THERE = IP(src="10.0.0.2", dst="10.0.0.1", id=77, ttl=9)
HEADER = bytes([0x12, 0x34, 0, 0, 0, 1, 0, 0])
IN, OUT = 192, 4096


def frame_of(text: bytes, header: bytes = HEADER, ip: IP = THERE) -> bytes:
    return bytes(Ether(src=CLIENT, dst=SERVER) / ip / UDP(sport=4000, dport=1024) / Raw(header + text))


class Store:
    """A store, asked over frames in host memory."""

    def __init__(self, service_ps: int = 0) -> None:
        self.memory = Host().memory
        self.application: Answering = KeyValue(service_ps)

    def frame(self, request: bytes, room: int = 1514) -> bytes:
        """The frame that answers; nothing if there is none."""
        self.memory.bytes[IN : IN + len(request)] = request
        self.memory.bytes[OUT : OUT + 2048] = b"\xee" * 2048
        length, _ = self.application.answer(self.memory, IN, len(request), OUT, room)
        assert bytes(self.memory.bytes[IN : IN + len(request)]) == request, "the request stays as it is"
        assert bytes(self.memory.bytes[OUT + length : OUT + 2048]) == b"\xee" * (2048 - length)
        return bytes(self.memory.bytes[OUT : OUT + length])

    def ask(self, text: bytes) -> bytes:
        """The text that answers a text."""
        payload = bytes(Ether(self.frame(frame_of(text)))[Raw].load)
        assert payload[:8] == HEADER
        return payload[8:]


def test_what_is_set_is_what_a_get_finds() -> None:
    store = Store()
    assert store.ask(b"get a\r\n") == b"END\r\n"
    assert store.ask(b"set a 0 0 3\r\nxyz\r\n") == b"STORED\r\n"
    assert store.ask(b"set b 4294967295 0 0\r\n\r\n") == b"STORED\r\n"
    assert store.ask(b"get a\r\n") == b"VALUE a 0 3\r\nxyz\r\nEND\r\n"
    assert store.ask(b"get b\r\n") == b"VALUE b 4294967295 0\r\n\r\nEND\r\n"
    assert store.ask(b"set a 7 0 5\r\n\r\n\0\r\n\r\n") == b"STORED\r\n", "a value may be any bytes"
    assert store.ask(b"get a nothing b\r\n") == b"VALUE a 7 5\r\n\r\n\0\r\n\r\nVALUE b 4294967295 0\r\n\r\nEND\r\n"


def test_stores_are_apart() -> None:
    store, other = Store(), Store()
    store.ask(b"set a 0 0 1\r\nx\r\n")
    assert other.ask(b"get a\r\n") == b"END\r\n"


@pytest.mark.parametrize(
    ("request_text", "answer"),
    [
        (b"", b"ERROR\r\n"),
        (b"\r\n", b"ERROR\r\n"),
        (b"get a", b"ERROR\r\n"),  # its line does not end
        (b"get\r\n", b"ERROR\r\n"),
        (b"delete a\r\n", b"ERROR\r\n"),
        (b"GET a\r\n", b"ERROR\r\n"),
        (b"set a 0 0\r\n\r\n", b"ERROR\r\n"),
        (b"set a 0 0 1 noreply\r\nx\r\n", b"ERROR\r\n"),
        (b"set a x 0 1\r\nx\r\n", b"CLIENT_ERROR bad command line format\r\n"),
        (b"set a 4294967296 0 1\r\nx\r\n", b"CLIENT_ERROR bad command line format\r\n"),
        (b"set a 0 0 -1\r\nx\r\n", b"CLIENT_ERROR bad command line format\r\n"),
        (b"set " + b"k" * 251 + b" 0 0 1\r\nx\r\n", b"CLIENT_ERROR bad command line format\r\n"),
        (b"get " + b"k" * 251 + b"\r\n", b"CLIENT_ERROR bad command line format\r\n"),
        (b"set a 0 1 1\r\nx\r\n", b"SERVER_ERROR exptime other than 0 is not supported\r\n"),
        (b"set a 0 0 2\r\nx\r\n", b"CLIENT_ERROR bad data chunk\r\n"),
        (b"set a 0 0 1\r\nxy\r\n", b"CLIENT_ERROR bad data chunk\r\n"),
        (b"set a 0 0 1\r\nxyz", b"CLIENT_ERROR bad data chunk\r\n"),
        (b"set a 0 0 100000\r\nx\r\n", b"SERVER_ERROR object too large for cache\r\n"),
    ],
)
def test_what_it_does_not_understand_is_told_and_nothing_is_stored(request_text: bytes, answer: bytes) -> None:
    store = Store()
    assert store.ask(request_text) == answer
    assert store.ask(b"get a " + b"k" * 250 + b"\r\n") == b"END\r\n"


def test_the_largest_value_is_one_that_a_get_can_tell_in_a_datagram() -> None:
    store = Store()
    size = 1472 - 8 - len(b"VALUE a 0 1436\r\n\r\nEND\r\n")
    value = bytes(range(256)) * 6
    assert store.ask(b"set a 0 0 %d\r\n%b\r\n" % (size, value[:size])) == b"STORED\r\n"
    answer = store.frame(frame_of(b"get a\r\n"))
    assert len(answer) == 1514 == store.application.longest_answer
    assert store.ask(b"get a a\r\n") == b"SERVER_ERROR answer too large for a datagram\r\n"
    assert store.ask(b"set a 0 0 %d\r\n%b\r\n" % (size + 1, value[: size + 1])) == (
        b"SERVER_ERROR object too large for cache\r\n"
    )
    assert store.ask(b"get a\r\n") == b"END\r\n", "rather none than an old one"


@pytest.mark.parametrize("options", [[], [IPOption_NOP()] * 4])
def test_an_answer_goes_back_where_its_request_came_from(options: list[object]) -> None:
    ip = THERE.copy()
    ip.options, ip.tos = options, 8
    answer = Store().frame(frame_of(b"get a\r\n", ip=ip))
    expected = Ether(src=SERVER, dst=CLIENT) / IP(src="10.0.0.1", dst="10.0.0.2", id=77, ttl=9, tos=8)
    expected /= UDP(sport=1024, dport=4000, chksum=0) / Raw(HEADER + b"END\r\n")
    assert answer == bytes(expected).ljust(60, b"\0")


def test_headers_are_right_whatever_their_checksum() -> None:
    """Over all identifications it takes every value, 0 too."""
    store, checksums = Store(), set()
    request = bytearray(frame_of(b"get a\r\n"))
    for identification in range(1 << 16):
        request[18:20] = identification.to_bytes(2)
        store.memory.bytes[IN : IN + len(request)] = request
        store.application.answer(store.memory, IN, len(request), OUT, 1514)
        header = bytes(store.memory.bytes[OUT + 14 : OUT + 34])
        total = sum(int.from_bytes(header[at : at + 2]) for at in range(0, 20, 2))
        assert (total & 0xFFFF) + (total >> 16) in (0xFFFF, 0x1FFFE)
        checksums.add(header[10:12])
    assert b"\0\0" in checksums
    assert b"\xff\xff" not in checksums, "which stands for 0, but is not what the sum gives"


def test_several_datagrams_are_not_one_request() -> None:
    answer = Store().frame(frame_of(b"get a\r\n", header=bytes([1, 2, 0, 1, 0, 2, 0, 0])))
    payload = bytes(Ether(answer)[Raw].load)
    assert payload == bytes([1, 2, 0, 1, 0, 2, 0, 0]) + b"SERVER_ERROR multi-packet request not supported\r\n"


@pytest.mark.parametrize(
    "request_frame",
    [
        bytes(Ether(src=CLIENT, dst=SERVER) / ARP()).ljust(60, b"\0"),
        bytes(Ether(src=CLIENT, dst=SERVER) / THERE / TCP() / Raw(HEADER + b"get a\r\n")),
        bytes(Ether(src=CLIENT, dst=SERVER) / THERE / UDP() / Raw(HEADER[:7])),
        frame_of(b"get a\r\n", ip=IP(src="10.0.0.2", dst="10.0.0.1", flags="MF")),
        frame_of(b"get a\r\n", ip=IP(src="10.0.0.2", dst="10.0.0.1", frag=1)),
        bytes(Ether(src=CLIENT, dst=SERVER) / THERE / UDP(len=100) / Raw(HEADER + b"get a\r\n")),
        frame_of(b"get a\r\n", ip=IP(src="10.0.0.2", dst="10.0.0.1", len=2000)),
        # its length would be what lies where a header that short ends: the source port
        bytes(Ether(src=CLIENT, dst=SERVER) / IP(ihl=4) / UDP(sport=16) / Raw(HEADER + b"get a\r\n")),
    ],
    ids=["arp", "tcp", "short", "first_fragment", "later_fragment", "udp_too_long", "ip_too_long", "header_too_short"],
)
def test_what_is_no_request_at_all_gets_no_answer(request_frame: bytes) -> None:
    assert Store().frame(request_frame) == b""


def test_a_request_that_must_not_be_fragmented_is_answered() -> None:
    answer = Ether(Store().frame(frame_of(b"get a\r\n", ip=IP(src="10.0.0.2", dst="10.0.0.1", flags="DF"))))
    assert bytes(answer[Raw].load) == HEADER + b"END\r\n"


def test_the_text_ends_with_its_datagram() -> None:
    frame = bytes(
        Ether(src=CLIENT, dst=SERVER) / THERE / UDP(sport=4000, dport=1024, len=16 + 5) / Raw(HEADER + b"get a\r\n")
    )
    assert bytes(Ether(Store().frame(frame))[Raw].load)[8:] == b"ERROR\r\n"


def test_every_request_takes_its_compute_time() -> None:
    store = Store(service_ps=123)
    for request in (frame_of(b"get a\r\n"), frame_of(b"set a 0 0 1\r\nx\r\n"), frame_of(b"?"), bytes(60)):
        store.memory.bytes[IN : IN + len(request)] = request
        assert store.application.answer(store.memory, IN, len(request), OUT, 1514)[1] == 123


def test_an_answer_needs_its_room() -> None:
    with pytest.raises(ValueError, match="an answer of 60 bytes in room for 59; accepted are 1514 bytes"):
        Store().frame(frame_of(b"get a\r\n"), room=59)


@pytest.mark.parametrize("seed", range(3))
def test_over_a_nic_it_answers_as_a_dictionary(seed: int) -> None:
    print(f"seed {seed}")
    draw = random.Random(seed)
    host, store, plain = DriverHost(), KeyValue(), dict[bytes, bytes]()
    device, core = host.device, host.machine.cores[1]
    receiving, sending = RxPipe(host.memory, SMALL, 0), TxPipe(host.memory, SMALL, "a test")
    device.pipes[0] = receiving
    host.carry_out(open_pipe(receiving, 0))
    for _ in range(150):
        key, value = b"k%d" % draw.randrange(20), draw.randbytes(draw.randrange(1000))
        if draw.random() < 0.5:
            request, expected = b"set %b 0 0 %d\r\n%b\r\n" % (key, len(value), value), b"STORED\r\n"
            plain[key] = value
        else:
            found = plain.get(key)
            request = b"get %b\r\n" % key
            expected = b"" if found is None else b"VALUE %b 0 %d\r\n%b\r\n" % (key, len(found), found)
            expected += b"END\r\n"
        host.nic.sent.clear()
        host.take([frame_of(request)])
        flits = receiving.available()
        for position, length in receiving.take_packets(flits):
            out = sending.allocate(store.longest_answer)
            sending.extend(store.answer(host.memory, position, length, out, store.longest_answer)[0])
        device.free(receiving, flits)
        device.tell_pipe_heads(core)
        device.tell_rx_head(core)
        device.send(sending, sending.written())
        device.tell_tx_tail(core)
        (answer,) = host.sent()
        assert bytes(Ether(answer)[Raw].load) == HEADER + expected
        device.reap()
