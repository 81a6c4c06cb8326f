"""Service times: what each form means, drawn by request index, whole picoseconds."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter

from cosim.config import ConfigError, RunConfig
from cosim.traffic.service import Bimodal, Constant, Exponential, FromFile, Lognormal, Service

MEAN = 10_000_000


def parsed(text: str) -> Service:
    service: Service = TypeAdapter(Service).validate_python(text)
    return service


def refused(text: str) -> str:
    with pytest.raises(ConfigError) as error:
        RunConfig.from_flags({"workload": "spin", "service": text})
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "service"),
    [
        ("constant:0", Constant(time_ps=0)),
        ("constant:1.5us", Constant(time_ps=1_500_000)),
        ("exponential:10us", Exponential(mean_ps=MEAN)),
        ("bimodal:10us", Bimodal(mean_ps=MEAN, share=0.9, low=0.5, high=5.5)),
        ("bimodal:10us:0.999:0.5:500.5", Bimodal(mean_ps=MEAN, share=0.999, low=0.5, high=500.5)),
        ("lognormal:10us", Lognormal(mean_ps=MEAN, sigma=1)),
        ("lognormal:10us:0.3", Lognormal(mean_ps=MEAN, sigma=0.3)),
    ],
)
def test_forms(text: str, service: Service) -> None:
    assert parsed(text) == service


@pytest.mark.parametrize(
    "text",
    ["exponential", "exponential:10", "exponential:-1us", "exponential:1us:2", "bimodal:1us:0.9", "constant:1us:1us"],
)
def test_what_is_none_of_the_forms_is_refused(text: str) -> None:
    assert refused(text).startswith(f"service is {text!r}; accepted is constant:TIME, exponential:MEAN, bimodal:")


@pytest.mark.parametrize("text", ["bimodal:1us:1:0.5:5.5", "lognormal:0", "lognormal:1us:0", "lognormal:1us:4.5"])
def test_numbers_without_sense_are_refused(text: str) -> None:
    assert refused(text).startswith(f"service is {text!r}; accepted is ")


def test_the_mean_of_two_modes_is_the_mean() -> None:
    assert refused("bimodal:1us:0.5:1:2") == (
        "service bimodal has a mean of 1.5 times MEAN; accepted are SHARE, LOW and HIGH with "
        "SHARE * LOW + (1 - SHARE) * HIGH = 1"
    )


def test_constant_times_are_equal() -> None:
    assert Constant(time_ps=7).draw(3, seed=1).tolist() == [7, 7, 7]


def test_exponential_times_have_the_mean_and_the_spread() -> None:
    times = Exponential(mean_ps=MEAN).draw(100_000, seed=1)
    assert times.dtype == np.int64
    assert times.mean() == pytest.approx(MEAN, rel=0.02)
    assert times.std() == pytest.approx(MEAN, rel=0.02)


def test_bimodal_times_are_two_in_their_shares() -> None:
    times = Bimodal(mean_ps=MEAN).draw(100_000, seed=1)
    values, counts = np.unique(times, return_counts=True)
    assert values.tolist() == [5_000_000, 55_000_000]
    assert counts[0] / 100_000 == pytest.approx(0.9, abs=0.005)
    rare = Bimodal(mean_ps=MEAN, share=0.999, low=0.5, high=500.5).draw(100_000, seed=1)
    assert (rare == 5_005_000_000).mean() == pytest.approx(0.001, rel=0.3)


@pytest.mark.parametrize("sigma", [0.3, 1.0])
def test_lognormal_times_keep_the_mean_and_have_the_sigma_of_the_logarithm(sigma: float) -> None:
    times = Lognormal(mean_ps=MEAN, sigma=sigma).draw(200_000, seed=1)
    assert times.mean() == pytest.approx(MEAN, rel=0.02)
    assert np.log(times).std() == pytest.approx(sigma, rel=0.01)


def test_no_time_is_longer_than_a_setting_may_be() -> None:
    assert Lognormal(mean_ps=10**15, sigma=4).draw(1000, seed=1).max() == 10**15


@pytest.mark.parametrize("text", ["exponential:10us", "bimodal:10us", "lognormal:10us"])
def test_a_longer_run_begins_like_a_shorter_one_and_the_seed_decides(text: str) -> None:
    service = parsed(text)
    assert service.draw(50, seed=7).tolist() == service.draw(80, seed=7).tolist()[:50]
    assert service.draw(50, seed=7).tolist() != service.draw(50, seed=8).tolist()


def test_the_lines_of_a_file_are_taken_in_turn(tmp_path: Path) -> None:
    path = tmp_path / "times"
    path.write_text("1500\n2us\n0.5\n")
    service = parsed(f"file:{path}")
    assert service == FromFile(path=path, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    assert service.draw(5, seed=1).tolist() == [1_500_000, 2_000_000, 500, 1_500_000, 2_000_000]
    assert service.draw(2, seed=1).tolist() == [1_500_000, 2_000_000]


def test_what_a_file_says_is_part_of_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "times"

    def config(content: str) -> RunConfig:
        path.write_text(content)
        return RunConfig.from_flags({"workload": "spin", "service": f"file:{path}"})

    one, other = config("1us\n"), config("2us\n")
    assert one.what() != other.what()
    assert RunConfig.model_validate_json(other.model_dump_json()) == other
    with pytest.raises(ConfigError, match=r"service file .*times has SHA-256 .*; accepted is .*, as before"):
        one.service.draw(1, seed=1)


def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    assert refused("file:nothing") == (
        "service is 'file:nothing' (No such file or directory); accepted is a file with one time per line"
    )
    for content, message in (
        ("", "is empty; accepted is one time per line"),
        ("1us\nsoon\n", "line 2 is 'soon'; accepted is a time such as 1.5us, or a number of ns"),
        ("1us\n\n", "line 2 is ''; accepted is a time such as 1.5us"),
        ("-5\n", "line 1 is '-5'; accepted is a time"),
        ("1001s\n", "line 1 is '1001s'; accepted is a time such as 1.5us, or a number of ns, of at most 1000 s"),
    ):
        (tmp_path / "times").write_text(content)
        with pytest.raises(ConfigError) as error:
            parsed(f"file:{tmp_path / 'times'}").draw(1, seed=1)
        assert message in str(error.value)
