"""The packetised interface: what crosses the link for each packet, by the rules of the link."""

import pytest

from cosim.nic.packetised import BURST, Bytes, PacketisedNic, echoed
from cosim.pcie.link import LinkParameters

LINK = LinkParameters()
OVERHEAD = LINK.overhead_bytes


def crossed(nic: PacketisedNic) -> tuple[Bytes, Bytes]:
    return Bytes(nic.up.packets, nic.up.metadata), Bytes(nic.down.packets, nic.down.metadata)


def test_a_packet_comes_with_its_completion_and_a_read_of_descriptors_when_none_is_left() -> None:
    nic = PacketisedNic(LINK)
    assert crossed(nic) == (Bytes(), Bytes(0, 4 + OVERHEAD))  # the ring is posted with one doorbell
    nic.receive(60)
    assert nic.up == Bytes(60, OVERHEAD + OVERHEAD + (16 + OVERHEAD))  # data, the read, the completion
    assert nic.down == Bytes(0, 4 + OVERHEAD + 32 * 16 + OVERHEAD)  # a read of 512 bytes is 32 descriptors
    nic.receive(60)
    assert nic.up.metadata == OVERHEAD + 2 * (OVERHEAD + 16 + OVERHEAD)


def test_large_packets_are_cut_at_the_payload_s_size() -> None:
    nic = PacketisedNic(LINK)
    before = nic.up.metadata
    nic.receive(1514)
    assert nic.up == Bytes(1514, before + 3 * OVERHEAD + OVERHEAD + 16 + OVERHEAD)


def test_a_burst_is_sent_with_one_doorbell_and_each_frame_is_read_and_completed() -> None:
    nic = PacketisedNic(LINK)
    up, down = crossed(nic)
    nic.send([60, 1514])
    assert nic.down.packets == 60 + 1514
    assert nic.down.metadata - down.metadata == (4 + OVERHEAD) + (2 * 16 + OVERHEAD) + OVERHEAD + 3 * OVERHEAD
    assert nic.up.metadata - up.metadata == OVERHEAD + OVERHEAD + 3 * OVERHEAD + 2 * (16 + OVERHEAD)


def test_buffers_are_given_back_a_burst_at_a_time() -> None:
    nic = PacketisedNic(LINK)
    nic.receive(60)
    after_one = nic.down.metadata
    for _ in range(BURST - 1):
        nic.receive(60)
    assert nic.down.metadata - after_one == 4 + OVERHEAD


def test_what_fits_no_buffer_is_refused() -> None:
    with pytest.raises(ValueError, match="frame of 2049 bytes; accepted are 1 to 2048"):
        PacketisedNic(LINK).receive(2049)


def test_smaller_packets_have_more_metadata() -> None:
    shares = [nic.up.metadata / nic.up.total for nic in (echoed(LINK, length, 3200) for length in (60, 512, 1514))]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 2 * shares[2]
