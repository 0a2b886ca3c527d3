"""``novatio prove-table``: what catches whom, for everything that anyone can change."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from novatio.cli._app import App, Command, pass_app
from novatio.errors import VerificationFailed

if TYPE_CHECKING:
    from prover.provability import Result

KINDS = (
    "header",
    "opening",
    "data",
    "call",
    "action",
    "state",
    "evidence",
    "committee",
    "claim",
    "exit",
    "reward",
    "registry",
    "snapshot",
    "fraud",
)
COLUMNS = ("subject", "field", "mutation", "caught_by", "code", "twin", "holds")
NOTE_SECONDS = 2.0


@click.command("prove-table", cls=Command)
@click.option("--kind", type=click.Choice(KINDS), help="One part of the table; else all of it.")
@pass_app
def prove_table(app: App, kind: str | None) -> None:
    """Change each thing that can be changed, and print what catches it; needs no node.

    Fields of headers, data, steps, actions, leaves, evidence, claims, exits, commitments, snapshots
    and of the calls of operator and guardian, and kinds of fraud: each is tried in a small world of
    its own, and so is its twin, which goes the same way without the change and must not be caught.
    Exit code 6 if a row does not hold.
    """
    from prover.provability import House, Part, rows, run_rows

    chosen = rows(None if kind is None else Part(kind))
    app.note(f"building the world for {len(chosen)} rows ...")
    results, told = [], time.monotonic()
    for place, result in enumerate(run_rows(House(), chosen), 1):
        results.append(result)
        if time.monotonic() - told > NOTE_SECONDS or place == len(chosen):
            told = time.monotonic()
            app.note(f"[{place}/{len(chosen)}] {result.row.name}")
    app.show_rows("rows", [_record(result) for result in results], COLUMNS)
    failed = [result for result in results if not result.holds]
    if failed:
        raise VerificationFailed(
            f"expected {len(results)} rows to hold, was {len(results) - len(failed)}; the first "
            f"that does not: {failed[0].explain()}",
            next_step=f"novatio prove-table --kind {failed[0].row.part}",
        )
    app.note(f"all {len(results)} rows hold")


COMMANDS = [prove_table]


def _record(result: Result) -> dict[str, Any]:
    row = result.row
    return {
        "kind": str(row.part),
        "subject": row.subject,
        "field": row.field,
        "mutation": row.mutation,
        "caught_by": str(result.attack.caught),
        "code": result.attack.code,
        "twin": str(result.twin.caught),
        "holds": result.holds,
    }
