"""One page about all experiments of which there are tables: build/report/index.html, which needs nothing but itself."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cosim.experiments.definition import Experiment, Figure
from cosim.experiments.table import read
from cosim.report.drawing import Row, drawing, selected, values_of
from cosim.report.interactive import divs, library
from cosim.report.printed import COLUMNS, save
from cosim.report.sentences import sentences
from cosim.report.tables import table, text

PAGE = "index.html"
FIGURES, TRACES = "figures", "traces"

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 1180px; padding: 0 16px 64px; color: #1d1d1f; }
h1 { font-size: 1.7rem; margin-bottom: 0; } h2 { margin-top: 3rem; border-top: 1px solid #ddd; padding-top: 1.2rem; }
nav ul { columns: 22rem; padding-left: 1.2rem; } nav li { break-inside: avoid; } .question { font-size: 1.1rem; }
.note, .origin { color: #666; font-size: .85rem; overflow-wrap: anywhere; } .failed { color: #a12; }
.panels { display: grid; gap: 8px; grid-template-columns: repeat(var(--columns), 1fr); }
@media (max-width: 800px) { .panels { grid-template-columns: 100%; } }
.panels > div { min-width: 0; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .85rem; }
td, th { padding: 2px 8px; text-align: right; border-bottom: 1px solid #eee; white-space: nowrap; }
th { text-align: right; vertical-align: bottom; white-space: normal; max-width: 7rem; }
td:first-child, th:first-child, td.name { text-align: left; }
td.same { text-align: left; color: #666; white-space: normal; } td[rowspan] { vertical-align: top; }
th.group { text-align: center; border-left: 1px solid #ddd; max-width: none; }
pre { background: #f5f5f7; padding: 8px 12px; overflow-x: auto; font-size: .85rem; }
"""


def tables(folder: Path) -> dict[str, tuple[list[dict[str, Any]], dict[str, str]]]:
    """The tables of a report, by experiment, in the order of the catalogue's names."""
    files = sorted(folder.glob("*.parquet"), key=lambda file: (len(file.stem), file.stem))
    return {file.stem: read(file) for file in files}


def write_report(folder: Path) -> Path:
    """Draw all figures and write the page, from the tables in ``folder``; gives the page."""
    found = tables(folder)
    parts = [_section(folder, rows, about) for rows, about in found.values()]
    titles = {name: json.loads(about["definition"])["title"] for name, (_, about) in found.items()}
    links = "".join(f'<li><a href="#{name}">{text(name)}</a> {text(title)}</li>' for name, title in titles.items())
    content = (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width, initial-scale=1"><title>Hermes: experiments</title>'
        f'<link rel=icon href="data:,"><style>{_STYLE}</style><script>{library()}</script></head><body>'
        "<h1>Hermes: experiments</h1>"
        "<p>Results are predictions of a model. Packet sizes, the PCIe round trip, and the numbers of cores, "
        "guaranteed cores and connections are parameters; each row of a table has its whole configuration.</p>"
        f"<nav><ul>{links}</ul></nav>{''.join(parts)}</body></html>\n"
    )
    page = folder / PAGE
    page.write_text(content, encoding="utf-8")
    return page


def _section(folder: Path, rows: Sequence[Row], about: Mapping[str, str]) -> str:
    experiment = Experiment.model_validate(json.loads(about["definition"]))
    scale = getattr(experiment, about["scale"])
    note = "; ".join(filter(None, (scale.note, about["settings"] and f"changed by hand: {about['settings']}")))
    parts = [
        f'<section id="{experiment.id}"><h2>{text(f"{experiment.id}: {experiment.title}")}</h2>',
        f"<p class=question>{text(experiment.question)}</p>",
        f"<p>{text(experiment.setting)} {text(note and f'Here: {note}.')}</p>",
    ]
    if about["failed"]:
        parts.append(f"<p class=failed>Missing, because they failed: {text(about['failed'])}</p>")
    caveat = _caveat(rows)
    if caveat:
        parts.append(f"<p class=note>{text(caveat)}</p>")
    parts += [_figure(folder, experiment, figure, rows, note) for figure in experiment.figure]
    parts.append(_again(folder, experiment, rows, about))
    return "".join(parts) + "</section>"


def _figure(folder: Path, experiment: Experiment, figure: Figure, rows: Sequence[Row], note: str) -> str:
    drawn = drawing(figure, rows, note)
    if drawn is None:
        return ""
    name = f"{experiment.id}-{figure.id}"
    save(drawn, folder / FIGURES, name)
    panels = "".join(f"<div>{panel}</div>" for panel in divs(drawn, name))
    said = " ".join(sentences(figure, rows))
    files = " ".join(f'<a href="{FIGURES}/{name}.{kind}">{kind.upper()}</a>' for kind in ("pdf", "png"))
    return (
        f'<figure style="margin:1.5rem 0"><h3>{text(figure.title)}</h3><p class=says>{text(said)}</p>'
        f'<div class=panels style="--columns:{min(COLUMNS, len(drawn.panels))}">{panels}</div>'
        f"<figcaption class=note>{files}. {text(_seeds(selected(rows, figure)))}"
        f"</figcaption></figure>{table(experiment, figure, rows)}"
    )


def _seeds(rows: Sequence[Row]) -> str:
    seeds = len(values_of(rows, "seed"))
    band = "bands are 95 % confidence intervals over seeds" if seeds >= 3 else "too few for confidence intervals"
    nics = ", ".join(sorted({row["nic"] for row in rows}))
    return f"Seeds: {seeds}; {band}. NIC: {nics}."


def _caveat(rows: Sequence[Row]) -> str:
    """What was lost or could not be offered, in how many rows."""
    parts = []
    for name, told in (
        ("dropped", "dropped requests"),
        ("unfinished", "did not finish all"),
        ("not_sent", "could not offer all"),
    ):
        count = sum(bool(row.get(name)) for row in rows)
        if count:
            parts.append(f"{count} {told}")
    missing = sum(row.get("latency_p99.9_ns") is None for row in rows)
    if missing:
        parts.append(f"{missing} have too few samples for p99.9")
    return f"Of {len(rows)} points, {', '.join(parts)}." if parts else ""


def _again(folder: Path, experiment: Experiment, rows: Sequence[Row], about: Mapping[str, str]) -> str:
    """How to get the same again, and where it comes from."""
    command = f"hermes experiment {experiment.id} --{about['scale']}"
    command += "".join(f" --set {setting}" for setting in about["settings"].split())
    profiles = ", ".join(sorted({row["costs_sha256"][:12] for row in rows})[:4])
    origin = (
        f"Table: {experiment.id}.parquet, {len(rows)} rows. Cost profile {profiles}; "
        f"code {rows[0]['code_sha256'][:12]}; NIC {rows[0]['rtl_sha256'][:12]}; version {rows[0]['version']}."
    )
    trace = ""
    if (folder / TRACES / f"{experiment.id}.perfetto").exists():
        trace = (
            f' <a href="{TRACES}/{experiment.id}.perfetto">Trace of a short run</a>, for https://ui.perfetto.dev: '
            "open it there as a file."
        )
    return f"<p>Again:</p><pre>{text(command)}</pre><p class=origin>{text(origin)}{trace}</p>"
