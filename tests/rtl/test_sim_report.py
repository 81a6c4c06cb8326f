"""What the report says of numbers that are as wanted, and of others."""

import pytest

from tests.rtl import sim_report
from tests.rtl.contract import CLAUSES, Shown
from tests.rtl.line_rate import CASES, Case, Count, Latency
from tests.rtl.mutants import MUTANTS
from tests.rtl.mutation import Outcome, Row

RX = Case(60, 1, drains=False, rx=True, tx=False)
BOTH = Case(65, 2, drains=True, rx=True, tx=True)


def window(to_host: int, from_host: int = 0) -> Count:
    return Count(1000, to_host, from_host, to_wire=0, frames_sent=0, notifications=0, completions=0)


def test_the_numbers_of_a_case_are_those_of_its_worse_direction() -> None:
    section = sim_report.rates_section({BOTH: window(to_host=1000, from_host=995)})
    assert section.numbers["line_rate"] == {
        "65 bytes, two pipes in turn, software draining, both": {
            "beats_per_cycle": 0.995, "packets_per_cycle": 0, "limit": 1.0,
        }
    }  # fmt: skip
    assert not section.missed


def test_every_case_is_told() -> None:
    section = sim_report.rates_section({case: window(1000, 1000) for case in CASES})
    assert list(section.numbers["line_rate"]) == [case.name for case in CASES]
    assert not section.missed


def test_a_case_below_its_limit_is_missed() -> None:
    section = sim_report.rates_section({RX: window(1000), BOTH: window(to_host=989, from_host=1000)})
    assert section.missed == [f"{BOTH.name}: 0.9890 of the limit; wanted is 0.99"]


def test_one_flit_packets_to_one_pipe_are_wanted_in_each_cycle() -> None:
    counts = Count(1000, 1000, 0, 0, 0, notifications=20, completions=0)
    assert sim_report.rates_section({RX: counts}).missed == [f"{RX.name}: 0.9800 packets per cycle; wanted is 0.99"]


@pytest.mark.parametrize(
    ("found", "missed"),
    [
        (Latency(first_write=32, first_read=12), []),
        (
            Latency(first_write=33, first_read=12),
            ["last flit in to first host-write beat: 33 cycles; wanted are at most 32"],
        ),
        (
            Latency(first_write=32, first_read=13),
            ["tail write to first read request: 13 cycles; wanted are at most 12"],
        ),
    ],
)
def test_a_latency_beyond_its_limit_is_missed(found: Latency, missed: list[str]) -> None:
    section = sim_report.latencies_section(found)
    assert section.numbers == {"first_write_cycles": found.first_write, "first_read_cycles": found.first_read}
    assert section.missed == missed


def test_the_limits_beyond_the_nic_are_those_of_wire_and_link() -> None:
    text = sim_report.honest_limits()
    assert "65-75 bytes at 100 GbE: up to 281 M flits/s, which is more than 250 M" in text
    assert "179 M single 64-byte writes per second, 235 M combined" in text


def test_each_clause_that_nobody_has_shown_is_missed() -> None:
    shown = [Shown(clause, ("a bench",), 3) for clause in CLAUSES]
    assert sim_report.contract_section(shown).missed == []
    section = sim_report.contract_section([*shown[:-1], Shown(CLAUSES[-1], (), 0)])
    assert section.numbers == {"contract_cases": {"covered": len(CLAUSES) - 1, "total": len(CLAUSES)}}
    assert section.missed == [f"no bench has shown {CLAUSES[-1].id}"]


def test_each_seeded_bug_that_lives_is_missed() -> None:
    killed, survived = Row(MUTANTS[0], Outcome.KILLED, "", 1.0), Row(MUTANTS[1], Outcome.SURVIVED, "", 1.0)
    section = sim_report.seeded_bugs_section([killed, survived])
    assert section.numbers == {"mutations": {"killed": 1, "total": 2}}
    assert section.missed == [f"survived: {MUTANTS[1].name}"]
