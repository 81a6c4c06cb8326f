"""docs/registers.md says what the code says."""

from cosim.cache import PROJECT
from enso_nic import registers
from enso_nic.configurator import ConfigId
from enso_nic.register_manual import CONFIG_REQUESTS, manual


def test_the_manual_is_that_of_this_code() -> None:
    made_by = "python -m enso_nic.register_manual docs/registers.md"
    assert (PROJECT / "docs" / "registers.md").read_text() == manual(), f"make it anew: {made_by}"


def test_it_names_every_register_word_feature_and_config_request() -> None:
    text = manual()
    for name in (*registers.PAGE_REGISTERS, *registers.EXTENSION_WORDS, *registers.Capability.__members__):
        assert f"`{name}`" in text
    assert set(CONFIG_REQUESTS) == set(ConfigId)
    assert "`0x0240_0000`" in text
