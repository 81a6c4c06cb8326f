"""Software's copy of the register map and of the formats, against the NIC's."""

from enso_nic import registers as nic
from enso_nic.configurator import ConfigId
from enso_nic.layouts import ConfigCode, FrameHeader, TxCompletionLine, TxRequestLine
from hermes.enso import registers as own


def test_both_have_the_same_registers() -> None:
    names = "PAGE_BYTES PIPES NOTIFICATION_BUFFERS RX_TAIL RX_HEAD RX_MEM_LOW RX_MEM_HIGH TX_TAIL TX_HEAD TX_MEM_LOW"
    for name in (*names.split(), "TX_MEM_HIGH", "HEADER_MODE"):
        assert getattr(own, name) == getattr(nic, name), name
    for number in (0, 1, 513, 8191):
        assert own.pipe_register(number, 12) == nic.pipe_register(number, 12)
        assert own.pipe_mode_register(number) == nic.pipe_mode_register(number)
    for number in (0, 1, 1023):
        assert own.notification_buffer_register(number, 28) == nic.notification_buffer_register(number, 28)


def test_both_have_the_same_header_line() -> None:
    line = FrameHeader.const({"length": 1514, "hash": 0xFEDCBA98, "arrival": 1 << 63, "drops": 77}).as_value().value
    words = [line >> 64 * index & (1 << 64) - 1 for index in range(own.SLOT_WORDS)]
    assert words[own.LENGTH_AND_HASH] == 1514 | 0xFEDCBA98 << 32
    assert words[own.ARRIVAL] == 1 << 63
    assert words[own.DROPS] == 77


def test_both_have_the_same_framed_request() -> None:
    line = TxRequestLine.const({"signal": own.TX_REQUEST, "address": 1 << 40, "length": 192, "framed": 1})
    words = [line.as_value().value >> 64 * index & (1 << 64) - 1 for index in range(own.SLOT_WORDS)]
    assert words[own.SIGNAL] == own.TX_REQUEST
    assert words[own.ADDRESS] == 1 << 40
    assert words[own.LENGTH] == 192 | own.FRAMED


def test_both_have_the_same_config_requests() -> None:
    ids = own.CONFIG_FLOW, own.CONFIG_FALLBACK, own.CONFIG_FLOW_DELETE, own.CONFIG_FLOW_STATUS
    names = ConfigId.FLOW_INSERT, ConfigId.FALLBACK, ConfigId.FLOW_DELETE, ConfigId.FLOW_STATUS
    assert tuple(map(ConfigId, ids)) == names
    line = TxCompletionLine.const({"code": own.NO_SUCH_FLOW}).as_value().value
    assert line >> 64 * own.ERROR == own.NO_SUCH_FLOW
    assert ConfigCode(own.NO_SUCH_FLOW) is ConfigCode.NOT_FOUND
