"""``novatio stress``: incidents and plausible disasters, run through the law without a node."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from novatio.cli._app import App, Noun, pass_app
from novatio.errors import BadRequest, NotFound

if TYPE_CHECKING:
    from novatio.stress import Report, Scenario, Tick

stress = Noun("stress", help="Stress tests of the law; needs no node.")
COMMANDS = [stress]

COLUMNS = (
    "name",
    "passed",
    "deficit_found_micro",
    "unpaid_micro",
    "adl_overshoot_lots",
    "conservation_residual_micro",
    "flat_accounts_touched",
    "attacker_profit_micro",
)


@stress.command("list")
@pass_app
def list_stress(app: App) -> None:
    """List the scenarios, and what each expects of the law."""
    from novatio.stress import SCENARIOS

    rows = [
        {"name": one.name, "summary": one.summary, "expectation": one.expectation}
        for one in SCENARIOS.values()
    ]
    app.show_rows("scenarios", rows)


@stress.command("run")
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help="Run every scenario.")
@click.option("--seed", type=click.IntRange(0, 2**31), default=1, help="Who takes part, how deep.")
@click.option(
    "--bars", type=click.Path(path_type=Path), help="Prices: CSV of bars, of minutes or days."
)
@click.option("--prices", type=click.Path(path_type=Path), help="Prices: a line each minute.")
@pass_app
def run_stress(
    app: App,
    name: str | None,
    everything: bool,
    seed: int,
    bars: Path | None,
    prices: Path | None,
) -> int:
    """Run scenario NAME, or all of them; exit code 1 if one does not pass.

    A file of bars (time_utc or date,open,high,low,close,volume) or prices takes the place of the
    scenario's own course: its moves count from its first price, to a thousand times that at most.
    With -o json the reports are numbers in the units of their keys; --all prints a list of them.
    """
    from novatio.stress import SCENARIOS, run

    if everything == (name is not None) or (bars is not None and prices is not None):
        raise click.UsageError("expected NAME or --all, and --bars or --prices at most")
    if everything and (bars is not None or prices is not None):
        raise click.UsageError("--bars and --prices go with one scenario: NAME")
    chosen = list(SCENARIOS.values()) if name is None else [_scenario(name)]
    course = _course(bars, prices)
    reports = []
    for place, scenario in enumerate(chosen, 1):
        began = time.monotonic()
        reports.append(run(scenario, seed, course))
        app.note(
            f"[{place}/{len(chosen)}] {scenario.name}: "
            f"{'passed' if reports[-1].passed else 'FAILED'} in {time.monotonic() - began:.1f} s"
        )
    _show(app, reports, everything)
    return 0 if all(report.passed for report in reports) else 1


def _show(app: App, reports: Sequence[Report], everything: bool) -> None:
    records = [report.record() for report in reports]
    if app.form == "json":
        click.echo(json.dumps(records if everything else records[0], indent=2))
    elif app.form == "csv" or everything:
        rows = [
            record
            | {
                "deficit_found_micro": record["operands"]["deficit_found_micro"],
                "unpaid_micro": record["deficit_micro_by_step"]["halt"],
            }
            for record in records
        ]
        app.show_rows("reports", rows, COLUMNS)
    else:
        app.show(records[0])


def _scenario(name: str) -> Scenario:
    from novatio.stress import SCENARIOS

    if name not in SCENARIOS:
        raise NotFound(
            f"scenario: expected one of {', '.join(SCENARIOS)}, was {name}",
            metadata={"name": name},
            next_step="novatio stress list",
        )
    return SCENARIOS[name]


def _course(bars: Path | None, prices: Path | None) -> Sequence[Tick]:
    from novatio.market import MarketDataError, load_bars_csv
    from novatio.stress import read_prices, ticks_of_bars, ticks_of_prices

    try:
        if bars is not None:
            return ticks_of_bars(load_bars_csv(bars))
        if prices is not None:
            return ticks_of_prices(read_prices(prices))
    except MarketDataError as error:
        found: dict[str, Any] = {"file": error.source, "line": error.line, "column": error.column}
        raise BadRequest(
            str(error),
            reason="MARKET_DATA",
            metadata={key: str(value) for key, value in found.items()},
            next_step="novatio stress run --help",
        ) from error
    return ()
