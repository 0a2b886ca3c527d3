"""``novatio sim``: whole worlds in one thread, each on a seed, in which things go wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from novatio.cli._app import POSITIVE, App, Noun, pass_app
from novatio.errors import BadRequest

if TYPE_CHECKING:
    from simulator.mutant_record import Fate
    from simulator.mutants import Mutant
    from simulator.world import Options

F = TypeVar("F", bound=Callable[..., Any])

SEED_MAX = 2**63 - 1

sim = Noun("sim", help="The simulator: seeds of a whole world with faults; needs no node.")
COMMANDS = [sim]


def world_options(command: F) -> F:
    """Add what a world may be told beside its seed."""
    for option in (
        click.option(
            "--without", multiple=True, metavar="KIND", help="A fault or fraud that never happens."
        ),
        click.option("--seconds", type=click.IntRange(1, 3_600), help="How long faults happen."),
        click.option("--frauds", type=click.IntRange(0, 100), help="Forged batches to post."),
        click.option("--no-challenger", is_flag=True, help="Nobody watches."),
        click.option("--no-faults", is_flag=True, help="Nothing goes wrong."),
    ):
        command = option(command)
    return command


@sim.command("run")
@click.option("--seed", type=click.IntRange(0, SEED_MAX), default=1, help="The first seed.")
@click.option("--seeds", type=POSITIVE, default=1, help="How many, from that one on.")
@click.option("--mutants", is_flag=True, help="Break checks too; needs the repository's tests.")
@world_options
@pass_app
def run_sim(app: App, /, seed: int, seeds: int, mutants: bool, **chosen: Any) -> int:
    """Run seeds and count what they met; exit code 1 if one broke a promise or a mutant lived.

    A seed that breaks is run again and again with fewer kinds of faults until no kind can be left
    out; the command that shows it goes to standard error. Mutants are counted as they were last
    recorded, at the commits that the report names, unless --mutants runs them now.
    """
    from simulator.campaign import run_seeds, summary
    from simulator.mutant_record import figures_of, load_record
    from simulator.mutants import load_mutants

    attempts = run_seeds(range(seed, seed + seeds), _options(**chosen), app.note)
    declared = load_mutants()
    fates = _run_mutants(app, declared) if mutants else load_record()
    figures = figures_of(declared, fates)
    lived = figures.total - figures.killed if mutants else 0
    report = summary(attempts, figures)
    failed = report["failures"] > 0 or lived > 0
    if app.form == "json":
        click.echo(json.dumps(report, indent=2))
    else:
        notes = report.pop("notes")
        shown = {name: _flat(value) for name, value in report.items()}
        listed = {name: ", ".join(notes[name]) for name in ("uncovered", "mutants_commits")}
        app.show(shown | listed)
    return 1 if failed else 0


@sim.command("repro")
@click.argument("seed", type=click.IntRange(0, SEED_MAX))
@world_options
@pass_app
def repro_sim(app: App, /, seed: int, **chosen: Any) -> int:
    """Run SEED once more and tell all of it; exit code 1 if it breaks a promise."""
    from simulator.campaign import attempt

    made = attempt(seed, _options(**chosen))
    record = made.record()
    if app.form == "json":
        click.echo(json.dumps(record, indent=2))
    else:
        app.show({name: _flat(value) for name, value in record.items()})
    return 1 if made.broken else 0


@sim.command("mutants")
@click.argument("names", nargs=-1)
@click.option("--left", is_flag=True, help="Those alone that the record does not know to be dead.")
@click.option("--record", is_flag=True, help="Keep what became of each, with the commit.")
@pass_app
def mutants_sim(app: App, names: tuple[str, ...], left: bool, record: bool) -> int:
    """Delete one declared check at a time, all or those NAMED, and see whether a test notices.

    Works in a copy of the repository; exit code 1 if one lives.
    """
    from simulator.mutant_record import figures_of, load_record, standing
    from simulator.mutants import load_mutants

    chosen = [one for one in load_mutants() if not names or one.name in names]
    if len(chosen) < len(names):
        raise click.UsageError(f"expected names of mutants, was {' '.join(names)}")
    known = standing(chosen, load_record()) if left else {}
    dead = {name: fate for name, fate in known.items() if fate.killed_by}
    living = [one for one in chosen if one.name not in dead]
    figures = figures_of(chosen, dead | _run_mutants(app, living, record))
    app.show({"mutants_total": figures.total, "mutants_killed": figures.killed})
    return 1 if figures.killed < figures.total else 0


def _run_mutants(app: App, chosen: list[Mutant], record: bool = False) -> dict[str, Fate]:
    """Run mutants, those that died before by their killers first; return what became of them."""
    from simulator.mutant_record import Fate, commit_of, digest_of, load_record, save_record
    from simulator.mutants import ROOT, load_mutants, run_mutants

    declared = {one.name for one in load_mutants()}
    recorded = {name: fate for name, fate in load_record().items() if name in declared}
    now: dict[str, Fate] = {}
    commit = commit_of(ROOT)
    if record and not commit:
        raise BadRequest("expected a git repository, by whose commit a record is dated, was none")

    def keep(mutant: Mutant, killed_by: str) -> None:
        now[mutant.name] = Fate(killed_by, commit, digest_of(mutant))
        if record:
            save_record(recorded | now)

    if chosen:
        killers = {name: fate.killed_by for name, fate in recorded.items()}
        run_mutants(chosen, app.note, ROOT, killers, keep)
    return now


def _options(
    without: tuple[str, ...],
    seconds: int | None,
    frauds: int | None,
    no_challenger: bool,
    no_faults: bool,
) -> Options:
    from simulator.faults import CHANCES
    from simulator.frauds import FRAUDS
    from simulator.world import Options

    unknown = sorted(set(without) - set(CHANCES) - set(FRAUDS))
    if unknown:
        raise click.UsageError(
            f"--without: expected kinds out of {', '.join((*CHANCES, *FRAUDS))}, "
            f"was {', '.join(unknown)}"
        )
    return Options(not no_challenger, frauds, not no_faults, seconds, frozenset(without))


def _flat(value: Any) -> Any:
    """Return counts and lists as text; a zero is not worth a word on a screen."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {count}" for name, count in value.items() if count)
    return "\n".join(value) if isinstance(value, list) else value
