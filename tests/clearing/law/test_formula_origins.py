"""Where a formula comes from, held against the law's own calls: the label cannot lie."""

import pytest

from clearing.formulas import FORMULAS
from tests.support.call_graph import called_by, law_functions, run_by_the_law

OF_THE_LAW = {name: formula for name, formula in FORMULAS.items() if formula.origin == "law"}
OF_PEERS = {name: formula for name, formula in FORMULAS.items() if formula.origin == "peer"}


def test_the_graph_tells_what_the_law_runs_from_what_stands_beside_it():
    run = run_by_the_law()
    assert {"clearing.margin.measure", "clearing.actions.price.take_price"} <= run
    assert "clearing.waterfall.tranche_payment" in run
    beside = {"clearing.waterfall.euler_split", "clearing.funding_models.drift_rate"}
    assert beside <= law_functions() and not beside & run


def test_formulas_are_of_both_origins():
    assert len(OF_THE_LAW) > 70 and len(OF_PEERS) > 70


@pytest.mark.parametrize("name", OF_THE_LAW)
def test_a_formula_of_the_law_calls_what_it_names_and_the_law_runs_it(name):
    formula = OF_THE_LAW[name]
    named = {f"clearing.{function}" for function in formula.law}
    called = called_by(formula.run)
    assert named <= run_by_the_law()
    assert named <= called
    assert called <= run_by_the_law(), "it calls a function of a peer too"


@pytest.mark.parametrize("name", OF_PEERS)
def test_a_formula_of_a_peer_is_not_the_laws_or_says_how_it_differs(name):
    called = called_by(OF_PEERS[name].run)
    assert called - run_by_the_law() or "The law " in OF_PEERS[name].note
