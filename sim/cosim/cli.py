"""The ``hermes`` command."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from typer.exceptions import TyperException

from cosim.config import ConfigError, RunConfig
from cosim.experiments.points import FAST_NIC, NICS, Choice, require_extra
from cosim.measure.errors import MeasureError
from cosim.measure.table import summary
from cosim.measure.trace import MOST_REQUESTS
from cosim.nic.latencies import is_outdated, write_measured
from cosim.run import RunError, Tell, run
from cosim.traffic.pcap import CaptureError
from hermes.systems import SYSTEMS

INTERRUPTED = 130
"""Exit code after Ctrl-C, which typer gives."""

REPORT = Path("build/report")
"""Where experiments put tables, figures and the page."""

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


Text = str | None
"""Of a flag: the configuration says what it takes, and has the defaults."""


def option(metavar: str, text: str) -> Any:  # noqa: ANN401 (what typer.Option gives is whatever it stands for)
    """A flag that takes a value."""
    return typer.Option(metavar=metavar, help=text)


@app.callback()
def hermes() -> None:
    """A laboratory for streaming NICs, their software, and what lies between."""


@app.command(name="run")
def run_command(
    *,
    system: Annotated[Text, option("NAME", f"The evaluated system: {', '.join(SYSTEMS)} [indirect].")] = None,
    nic: Annotated[Text, option("NAME", "Which NIC: rtl, the Verilog itself, or model, which is fast [rtl].")] = None,
    workload: Annotated[Text, option("NAME", "What the application does: echo, spin, kv [echo].")] = None,
    service: Annotated[Text, option("KIND:TIME", "Computing time, such as exponential:10us [constant:0].")] = None,
    cores: Annotated[Text, option("N", "Application cores, the IOKernel's not counted [4].")] = None,
    uthreads: Annotated[Text, option("N", "User-level threads, each with a pipe [8].")] = None,
    flows: Annotated[Text, option("N", "Connections of generated load [one per uthread].")] = None,
    batch: Annotated[bool, typer.Option("--batch", help="Also a batch application, on cores that are left.")] = False,
    rate: Annotated[Text, option("R", "Frames per second: 2500, 100k, 1M, or line [1M].")] = None,
    requests: Annotated[Text, option("N", "Number of generated requests [20000; with the model 200000].")] = None,
    pcap: Annotated[Text, option("FILE", "Send the frames of this capture instead.")] = None,
    rtt: Annotated[Text, option("TIME", "PCIe propagation, both ways together [800ns].")] = None,
    seed: Annotated[Text, option("N", "Of everything that is drawn [1].")] = None,
    out: Annotated[Path, option("DIR", "Folder for the results.")] = Path("out"),
    waves: Annotated[bool, typer.Option("--waves", help="Also write waves.vcd, of the RTL.")] = False,
    trace: Annotated[bool, typer.Option("--trace", help="Also write trace.perfetto.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any other setting; a wrong KEY lists them."),
    ] = None,
) -> None:
    """Send requests through NIC and software, and tell what became of them."""
    flags = {
        "system": system,
        "nic": nic,
        "workload": workload,
        "service": service,
        "cores": cores,
        "uthreads": uthreads,
        "flows": flows,
        "batch": batch,
        "rate": rate,
        "requests": requests,
        "pcap": pcap,
        "rtt": rtt,
        "seed": seed,
        "waves": waves,
        "trace": trace,
    }
    config = RunConfig.from_flags(flags, assignments or ())
    if config.nic == "model" and is_outdated():
        sys.stderr.write("hermes: the fast NIC has latencies of another RTL than this; to measure: hermes calibrate\n")
    with _run_progress() as show:
        result = run(config, out, show)
    if as_json:
        sys.stdout.write(json.dumps(result, allow_nan=False) + "\n")
    else:
        console = Console(highlight=False, soft_wrap=True)
        console.print(f"{config.system}, {config.workload} of {_offered(config)}", style="bold")
        console.print(summary(result))
        console.print(f"Results are in {out}")


@app.command(name="experiments")
def experiments_command() -> None:
    """List the experiments: their questions, and how long they take about."""
    require_extra()
    from cosim.experiments.commands import list_experiments  # an extra, and heavy

    list_experiments(Console(highlight=False))


@app.command(name="experiment")
def experiment_command(
    names: Annotated[list[str], typer.Argument(metavar="ID...", help="Of the catalogue, TOML files, or all.")],
    *,
    quick: Annotated[bool, typer.Option("--quick", help="About a minute each; the default.")] = False,
    full: Annotated[bool, typer.Option("--full", help="At full scale; may take hours.")] = False,
    system: Annotated[list[str] | None, option("NAME", "Only this system; may be repeated.")] = None,
    nic: Annotated[Text, option("NAME", f"Which NIC: {', '.join(NICS)} [{FAST_NIC}].")] = None,
    seeds: Annotated[int | None, option("N", "So many seeds, from 1 on.")] = None,
    workers: Annotated[int, option("N", "Processes on this machine.")] = os.cpu_count() or 1,
    cluster: Annotated[Text, option("ADDRESS", "A Dask scheduler whose workers do it instead.")] = None,
    out: Annotated[Path, option("DIR", "Folder for tables, figures and the page.")] = REPORT,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting of hermes run, for all points.")
    ] = None,
) -> None:
    """Carry out experiments: measure what is not there yet; write tables, figures and the report."""
    if quick and full:
        raise ConfigError("scale is --quick and --full; accepted is one of them")
    _require_positive(seeds=seeds, workers=workers)
    require_extra()
    from cosim.experiments.commands import Where, conduct  # an extra, and heavy

    choice = Choice("full" if full else "quick", system, nic, seeds, assignments or ())
    conduct(names, choice, Where(out, workers, cluster), Console(stderr=True, highlight=False, soft_wrap=True))


@app.command(name="compare")
def compare_command(
    a: Annotated[str, typer.Argument(metavar="A", help="'KEY=VALUE KEY=VALUE', or the folder of a run.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Likewise.")],
    *,
    seeds: Annotated[int, option("N", "So many seeds, from 1 on.")] = 5,
    workers: Annotated[int, option("N", "Processes on this machine.")] = os.cpu_count() or 1,
    out: Annotated[Path, option("DIR", "Finished runs are kept there.")] = REPORT,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting of both.")
    ] = None,
) -> None:
    """Run two configurations on the same requests, and tell what differs, how surely, and in which stages."""
    require_extra()
    _require_positive(seeds=seeds, workers=workers)
    from cosim.report.compare import compare, tell  # an extra, and heavy

    tell(compare((a, b), assignments or (), seeds, workers, out), seeds, Console(highlight=False))


@app.command(name="explain")
def explain_command(
    result: Annotated[Path, typer.Argument(metavar="RESULT", help="The folder of a run.")],
    *,
    show: Annotated[bool, typer.Option("--show", help="Offer the trace to the viewer that the link opens.")] = False,
) -> None:
    """Tell where the slowest 0.1 % of a run's requests spent their time, and what the cores did meanwhile."""
    require_extra()
    from cosim.report.explain import core_slices, explain, link, serve, tell, with_files  # an extra, and heavy

    with _run_progress() as told:
        with_files(result, told)
    found = explain(result / "requests.parquet")
    trace, (_, begin, end) = result / "trace.perfetto", found.slowest
    slices = core_slices(trace, begin, end) if trace.exists() else []
    console = Console(highlight=False, soft_wrap=True)
    tell(found, slices, console)
    if not trace.exists():
        console.print(f"There is no trace: it is of generated requests, and of at most {MOST_REQUESTS:,}")
    elif show:
        serve(trace, lambda: console.print(f"Open {link(begin, end)} now; Ctrl-C ends this", markup=False))
    else:
        console.print(f"hermes explain {result} --show offers a link to this moment in the trace", markup=False)


def _require_positive(**values: int | None) -> None:
    for name, value in values.items():
        if value is not None and value < 1:
            raise ConfigError(f"{name} is {value}; accepted is 1 or more")


@contextmanager
def _run_progress() -> Iterator[Tell]:
    """A bar for one run, on a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    screen = Console(stderr=True)
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as progress:
        task = progress.add_task("starting", total=None)

        def show(step: str, done: int, total: int) -> None:
            progress.update(task, description=step, completed=done, total=total or None)

        yield show


@app.command(name="verilog")
def verilog_command(
    *,
    target: Annotated[str, option("NAME", "What is written: core, the NIC for another project.")] = "core",
    config: Annotated[str, option("NAME", "Its sizes: full or tiny.")] = "full",
    out: Annotated[Path, option("DIR", "Folder for the files.")] = Path("verilog"),
) -> None:
    """Write the NIC as Verilog, with an AXI-Stream wrapper, constraints and the documentation of its interface."""
    from enso_nic.package import CONFIGS, write_package  # only here: Amaranth takes time

    for name, value, accepted in (("target", target, ["core"]), ("config", config, list(CONFIGS))):
        if value not in accepted:
            raise ConfigError(f"--{name} is {value}; accepted is {' or '.join(accepted)}")
    for path in write_package(config, out):
        sys.stdout.write(f"{path}: {path.stat().st_size:,} bytes\n")


@app.command(name="calibrate")
def calibrate_command() -> None:
    """Measure the latencies of the RTL, from which the fast NIC (--nic model) takes its own, and keep them."""
    from cosim.nic.calibration import calibrate
    from cosim.nic.rtl import simulate  # only here: Amaranth and cocotb take time

    latencies = calibrate(simulate)
    write_measured(latencies)
    for name, cycles in asdict(latencies).items():
        sys.stdout.write(f"{name:22}{cycles:6} cycles\n")


@app.command(name="compare-nics")
def compare_nics_command(
    settings: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE...", help="Flags and settings of hermes run.")
    ] = None,
) -> None:
    """Tell how the fast NIC differs from the RTL: each event with the same stimulus, and whole runs."""
    from cosim.compare_nics import compare_nics, table  # only here: takes time

    config = RunConfig.from_settings(settings or ())
    with _run_progress() as show:
        comparison = compare_nics(config, show)
    console = Console(highlight=False, soft_wrap=True)
    console.print(table(comparison))
    if not comparison.is_fine():
        raise typer.Exit(1)


def _offered(config: RunConfig) -> str:
    """What comes, and how fast."""
    source = config.pcap or f"{config.requests:,} requests of {config.flows} flows"
    if config.clients is not None:
        return f"{source}, each of {config.clients:,} clients waiting for its answers"
    if config.arrivals is not None and config.rate is None:
        return f"{source}, arrivals {config.arrivals.kind}"
    return f"{source} at line rate" if config.rate == "line" else f"{source} at {config.rate:,} per second"


def main() -> None:
    """Run the command line; exit code 2 for what cannot be run, 1 for a run that failed, 130 after Ctrl-C."""
    try:
        code = int(app(standalone_mode=False) or 0)
    except (ConfigError, CaptureError, TyperException) as error:
        code = _complain(str(error), 2)
    except (RunError, MeasureError) as error:
        code = _complain(str(error), 1)
    if code == INTERRUPTED:
        _complain("interrupted", code)
    sys.exit(code)


def _complain(message: str, code: int) -> int:
    sys.stderr.write(f"hermes: {message}\n")
    return code
