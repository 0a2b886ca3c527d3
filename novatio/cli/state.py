"""``novatio state``: the whole state, rebuilt from the base layer, and snapshots of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from novatio.cli._app import NATURAL, App, Noun, pass_app
from novatio.cli.root import canonical
from novatio.errors import BadRequest

state = Noun("state", help="The whole state: rebuilt from the base layer, and snapshots of it.")
snapshot = Noun("snapshot", help="The state in one file, checked against a final root.")
state.add_command(snapshot)
COMMANDS = [state]

FROM_SNAPSHOT = click.Option(
    ["--snapshot"],
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Begin at this snapshot instead of genesis.",
)
BATCH = click.Option(["--batch"], type=NATURAL, help="After this batch; else the last final one.")


def rebuilt(app: App, number: int | None, snapshot: Path | None) -> Any:
    """Return a replica that was rebuilt from the base layer. Says how far it is."""
    from prover.rebuild import rebuild

    def progress(done: int, total: int) -> None:
        if total >= 50 and done % 50 == 0:
            app.note(f"replayed {done} of {total} batches")

    data = None if snapshot is None else snapshot.read_bytes()
    return rebuild(app.base(), app.genesis(), number, snapshot=data, progress=progress)


def record_of(replica: Any) -> dict[str, Any]:
    """Return the record of the state that a replica stands in."""
    totals = replica.engine.totals
    return {
        "number": replica.number,
        "batch_id": replica.batch_id,
        "state_root": replica.engine.root(),
        "law_version": int(totals.law_version),
        "clock_time_ms": int(totals.clock),
        "account_count": int(totals.account_count),
        "instrument_count": int(totals.instrument_count),
        "inbox_count": int(totals.inbox_count),
        "withdrawal_count": int(totals.withdrawal_count),
        "custody_micro": int(totals.custody),
    }


@state.command("rebuild", params=[BATCH, FROM_SNAPSHOT])
@click.option("--from-base", is_flag=True, help="From the base layer's bytes alone; always so.")
@click.option(
    "--into",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the state to this file, as a snapshot.",
)
@pass_app
def rebuild_state(
    app: App, batch: int | None, snapshot: Path | None, from_base: bool, into: Path | None
) -> None:
    """Replay every batch by the law, from the base layer's bytes alone, and show the state."""
    if not from_base:
        raise BadRequest(
            "state rebuild: expected --from-base, the only source that needs nobody's word",
            reason="NO_SOURCE",
            next_step="novatio state rebuild --from-base",
        )
    replica = rebuilt(app, batch, snapshot)
    if into is not None:
        _write(replica, into)
    app.show(record_of(replica))


@snapshot.command("write", params=[BATCH, FROM_SNAPSHOT])
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@pass_app
def write_snapshot(app: App, file: Path, batch: int | None, snapshot: Path | None) -> None:
    """Rebuild the state and write it to FILE, for others to begin with."""
    replica = rebuilt(app, batch, snapshot)
    size = _write(replica, file)
    app.show({**record_of(replica), "bytes": size, "file": str(file)})


@snapshot.command("verify")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@pass_app
def verify_snapshot(app: App, file: Path) -> None:
    """Compute FILE's root from its leaves, and compare it with the base layer's final batch."""
    from prover.rebuild import check_snapshot

    base = app.base()
    replica = check_snapshot(base, app.genesis(), file.read_bytes())
    view = canonical(base, replica.number)
    app.show({**record_of(replica), "verified": True, "batch_status": view.status.name.lower()})


def _write(replica: Any, file: Path) -> int:
    from prover.snapshot import take_snapshot

    data = take_snapshot(replica.engine, replica.number, replica.batch_id)
    return file.write_bytes(data)
