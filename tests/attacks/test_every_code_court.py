"""Every action and every rejection code is proven in court, the same way: BAD_STEP alone.

For each code of the law a step that came to it, for each kind one that applied it. An engine takes
the step, and the court is given header and encoded evidence: it acquits the root that the law comes
to, and convicts the root of another outcome. The steps are those that the tests of the law take:
`STORIES` names tests that between them come to every code and apply every kind.
"""

from pathlib import Path

import pytest

from clearing.codes import Code, Kind
from tests.support.recorder import Recorder, recording

LAW = Path(__file__).parents[1] / "clearing" / "law"
STORIES = {
    "test_auctions_of_accounts": ("test_a_bid_below_the_schedule_is_rejected_clr_auc_002",),
    "test_bands": ("test_prices_of_collateral_are_judged_as_all_prices_clr_act_008",),
    "test_call_rejections": ("test_an_order_is_given_once_and_one_at_a_time_clr_auc_003",),
    "test_calls": (
        "test_after_the_deadline_a_price_reopens_the_market_and_the_rest_lapses_clr_auc_001",
        "test_while_orders_wait_nobody_trades_is_liquidated_or_uncrosses_clr_swp_001",
    ),
    "test_cancel": ("test_a_lower_cancel_cannot_revive_an_order_clr_sig_002",),
    "test_convert": ("test_the_smallest_haircut_is_sold_first_clr_wtf_002",),
    "test_expiry": (
        "test_a_market_does_not_expire_before_its_time_clr_exp_001",
        "test_a_market_waits_for_the_window_to_be_complete_clr_exp_002",
        "test_settling_needs_an_account_a_market_and_a_position_clr_liq_001",
    ),
    "test_forced_close": ("test_an_offer_of_one_market_offers_nothing_of_another_clr_liq_002",),
    "test_funding": ("test_funding_before_the_interval_has_passed_is_rejected_clr_fnd_001",),
    "test_gates": ("test_what_leaves_uses_the_capacity_up_and_no_more_may_leave_clr_gat_002",),
    "test_grids": (
        "test_every_expiry_begins_with_the_grid_and_what_is_over_is_expired_first_clr_row_008",
    ),
    "test_inbox": ("test_a_message_out_of_order_is_rejected_clr_inb_001",),
    "test_keys": (
        "test_a_rotated_owner_signs_nothing_and_the_new_key_everything_clr_sig_001",
        "test_an_account_holds_four_keys_clr_key_003",
    ),
    "test_listing": (
        "test_a_place_is_free_again_when_no_market_waits_for_its_expiry_clr_act_011",
        "test_an_asset_changes_once_in_a_timelock_but_its_status_at_any_time_clr_gov_001",
    ),
    "test_mark_to_market": ("test_a_loser_covers_and_then_a_winner_is_paid",),
    "test_modes": (
        "test_a_mode_that_is_no_change_or_not_the_owners_to_choose_is_refused_clr_mrg_004",
        "test_who_asks_for_a_mode_is_checked_like_every_request_clr_act_006_clr_act_009",
    ),
    "test_owner_check": (
        "test_a_stranger_is_not_added_clr_grp_001",
        "test_an_owner_beyond_the_limit_may_only_reduce_in_the_market_clr_trd_016",
    ),
    "test_parameters": (
        "test_an_announcement_that_breaks_one_rule_is_rejected_by_it_clr_gov_002_clr_gov_003",
        "test_announced_parameters_wait_and_are_then_enacted_by_anybody_clr_gov_001",
        "test_the_guardian_cannot_use_up_the_sequences_of_governance_clr_sig_002",
    ),
    "test_pool_shares": (
        "test_all_shares_given_back_leave_an_empty_pool",
        "test_locked_shares_stay_clr_pol_001",
    ),
    "test_pool_takeover": (
        "test_nobody_comes_or_goes_at_an_old_price_of_what_the_sleeve_holds_clr_trd_005",
    ),
    "test_pool_trade": (
        "test_a_bankrupt_pool_opens_nothing_and_pays_nobody_clr_mrg_001",
        "test_a_key_trades_with_a_pool_within_its_scope_and_limit_clr_key_001_clr_key_002",
        "test_a_price_worse_than_signed_for_is_refused_clr_pol_004",
        "test_nobody_trades_with_an_unknown_pool_clr_act_012",
        "test_positions_and_open_interest_have_caps_with_a_pool_too_clr_trd_014_clr_trd_015",
    ),
    "test_price": ("test_fewer_observations_than_the_quorum_are_rejected_clr_prc_001",),
    "test_risk_rows": (
        "test_a_value_is_within_intrinsic_and_price_clr_row_003",
        "test_older_scenarios_do_not_replace_newer_ones_clr_row_001",
        "test_only_governance_sets_a_grid_and_each_act_once_clr_sig_001_clr_sig_002",
        "test_rows_are_held_to_those_that_came_in_an_earlier_part_clr_row_004",
        "test_the_reference_is_near_the_index_clr_row_007",
    ),
    "test_step": (
        "test_a_kind_that_this_law_does_not_run_is_rejected_clr_act_002",
        "test_after_a_halt_the_rest_of_the_step_goes_on_with_exits_alone_clr_act_004",
        "test_recoveries_are_budgeted_too_clr_act_003",
    ),
    "test_sweeps": (
        "test_a_sweep_is_applied_once_it_is_tallied_and_closed_once_applied_clr_swp_003",
        "test_holders_are_tallied_from_the_highest_id_down_once_each_clr_swp_004",
        "test_who_still_has_equity_is_not_swept_clr_wtf_001",
    ),
    "test_trade": (
        "test_a_fee_above_the_signed_maximum_is_rejected_clr_trd_011",
        "test_a_maker_only_order_that_takes_is_rejected_clr_trd_003",
        "test_a_takers_reduce_only_order_opens_nothing_either_clr_trd_013",
        "test_a_trade_above_the_buyers_limit_is_rejected_clr_trd_009",
        "test_a_trade_beyond_the_band_is_rejected_clr_trd_010",
        "test_a_trade_beyond_the_lots_of_an_order_is_rejected_clr_trd_007",
        "test_a_trade_of_an_account_with_itself_is_rejected_clr_trd_001",
        "test_a_trade_off_the_tick_is_rejected_clr_trd_008",
        "test_an_order_with_an_unknown_flag_is_rejected_clr_trd_002",
        "test_fees_that_sum_below_zero_are_rejected_clr_trd_012",
    ),
    "test_transfer": (
        "test_a_recipient_holds_no_more_of_an_asset_than_a_position_may_be_worth_clr_col_001",
        "test_a_transfer_beyond_the_recipients_bound_is_rejected_clr_mrg_003",
    ),
    "test_withdraw": ("test_a_withdrawal_of_more_than_there_is_is_rejected_clr_mrg_002",),
}


@pytest.fixture(scope="module")
def recorded() -> Recorder:
    """What the stories show, told in this process."""
    named = [f"{LAW / file}.py::{name}" for file, names in STORIES.items() for name in names]
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", f"--rootdir={LAW.parents[2]}"]
    with recording() as recorder:
        assert pytest.main([*options, *named]) == pytest.ExitCode.OK
    return recorder


@pytest.mark.parametrize("code", Code, ids=lambda code: code.name)
def test_a_step_that_comes_to_a_code_is_judged_by_its_evidence(
    recorded: Recorder, code: Code
) -> None:
    assert code in recorded.codes, f"no story comes to {code.name}: add a test of it to STORIES"
    example = recorded.codes[code]
    assert code in example.codes
    example.prove()


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.name)
def test_a_step_that_applies_a_kind_is_judged_by_its_evidence(
    recorded: Recorder, kind: Kind
) -> None:
    assert kind in recorded.kinds, f"no story applies {kind.name}: add a test of it to STORIES"
    example = recorded.kinds[kind]
    assert example.codes == [Code.APPLIED]
    example.prove()
