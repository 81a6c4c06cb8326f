"""What is read from Verilator's coverage file."""

import pytest

from tests.rtl.nic_coverage import Point, read, summary, uncovered

SOURCE = [
    "module a;",
    "  reg [3:0] \\flag ;",
    "  if (\\go ) begin",
    "  if (\\$auto$x:1:dump_module$1 ) begin end",
    "end",
]


def line(kind: str, number: int, what: str, count: int, instance: str = "nic.a") -> str:
    fields = {"f": "a.v", "l": str(number), "n": "1", "t": kind, "page": f"v_{kind}/a", "o": what, "h": instance}
    return "C '" + "".join(f"\1{name}\2{value}" for name, value in fields.items()) + f"' {count}\n"


LINES = [
    "# SystemC::Coverage-3\n",
    line("line", 5, "block", 7),
    line("branch", 3, "if", 0),
    line("branch", 3, "else", 2),
    line("toggle", 2, "flag[0]:0->1", 1),
    line("toggle", 2, "flag[0]:1->0", 0),
    *(line("toggle", 2, f"flag[{bit}]:0->1", 0) for bit in (3, 1, 2)),
]


def test_points_are_counted_by_kind() -> None:
    assert summary(read(LINES, SOURCE)) == {
        "line": {"covered": 1, "total": 1},
        "branch": {"covered": 1, "total": 2},
        "toggle": {"covered": 1, "total": 5},
    }


def test_a_point_that_happened_in_one_of_two_runs_is_covered() -> None:
    total = read(LINES, SOURCE)
    total.update(read([line("branch", 3, "if", 4)], SOURCE))
    assert total[Point("branch", "nic.a", 3, "if")] == 4
    assert summary(total)["branch"] == {"covered": 2, "total": 2}


def test_a_point_that_never_happened_in_two_runs_stays_a_point() -> None:
    total = read(LINES, SOURCE)
    total.update(read(LINES, SOURCE))
    assert summary(total) == summary(read(LINES, SOURCE))


def test_equal_places_of_two_instances_are_two_points() -> None:
    twice = [line("line", 5, "block", count, instance) for count, instance in ((1, "nic.a"), (0, "nic.b"))]
    assert summary(read(twice, SOURCE))["line"] == {"covered": 1, "total": 2}


def test_what_yosys_made_up_is_left_out() -> None:
    made_up = [line("toggle", 2, "__024auto__0247[1]:0->1", 0), line("branch", 4, "if", 0)]
    assert not read(made_up, SOURCE)


def test_escaped_characters_of_names_are_told_as_themselves() -> None:
    points = read([line("toggle", 2, "commit___05Ftap__02434__02ecause[1]:0->1", 0)], SOURCE)
    assert [point.what for point in points] == ["commit__tap$34.cause[1]:0->1"]


def test_the_list_gives_places_with_their_source_and_bits_by_signal() -> None:
    assert uncovered(read(LINES, SOURCE), SOURCE).splitlines() == [
        "branch nic.a 3 if: if (\\go ) begin",
        "toggle nic.a flag: 0->1 of bits 1-3; 1->0 of bits 0",
    ]


@pytest.mark.parametrize(
    "spoiled", ["nonsense\n", "C '\1l\0021' 5\n", line("line", 1, "block", 1).replace(" 1\n", " x\n")]
)
def test_a_line_that_is_no_point_is_an_error(spoiled: str) -> None:
    with pytest.raises(ValueError, match=r"line 2 of the coverage is .* accepted are Verilator's points"):
        read(["# SystemC::Coverage-3\n", spoiled], SOURCE)
