"""The attacks that others fell to or guarded against, by their usual names, and what shows each.

Tests are named by their file under tests/ and by their name in it.
"""

KNOWN: dict[str, dict[str, tuple[str, ...]]] = {
    # The proof itself
    "a leaf proven at an index beyond the tree (Merkle index aliasing)": {
        "verifier/test_multiproof.py": (
            "test_targets_that_are_not_sorted_distinct_and_inside_are_refused",
            "test_a_missing_and_a_surplus_sibling_are_refused",
        ),
        "attacks/test_signatures.py": (
            "test_the_index_of_a_leaf_beyond_its_depth_cannot_be_written_down",
        ),
        "attacks/test_known_attacks.py": (
            "test_a_withdrawal_is_paid_at_no_index_that_wraps_around",
        ),
    },
    "an inner node shown as a leaf (second preimage)": {
        "attacks/test_known_attacks.py": (
            "test_no_inner_node_is_a_leaf_of_any_tree",
            "test_a_proof_that_ends_a_level_early_proves_nothing",
        ),
    },
    "an empty leaf taken for an absent one": {
        "verifier/test_multiproof.py": (
            "test_an_empty_tree_has_root_zero",
            "test_an_absent_leaf_below_the_count_is_refused",
            "test_absent_children_are_not_siblings",
        ),
    },
    "two implementations that differ": {
        "clearing/law/test_compiled_against_interpreted.py": (
            "test_the_compiled_and_the_interpreted_law_agree_on_every_byte",
        ),
        "clearing/test_decode.py": ("test_both_decoders_agree_on_any_actions",),
        "verifier/test_evidence.py": ("test_the_court_agrees_with_the_engine_on_random_steps",),
        "verifier/test_bls.py": ("test_both_take_the_same_quorum_and_refuse_the_same_shorter_one",),
    },
    "a limit that is one off": {
        "verifier/test_batch.py": (
            "test_a_step_holds_eight_actions_and_not_nine",
            "test_an_action_holds_2048_bytes_and_not_one_more",
        ),
        "verifier/test_posting.py": ("test_the_clock_may_lead_by_the_drift_and_no_more",),
        "verifier/test_court.py": ("test_a_batch_is_final_after_its_window_and_not_at_its_end",),
    },
    "fraud found in what the challenger wrote": {
        "verifier/test_evidence.py": ("test_no_flipped_byte_of_honest_evidence_is_ever_a_verdict",),
        "attacks/test_liars_states.py": (
            "test_no_flipped_byte_of_any_honest_steps_evidence_is_a_verdict",
        ),
    },
    "an invalid state that cannot be proven": {
        "prover/test_provability.py": ("test_every_row_is_caught_as_it_says_and_its_twin_is_not",),
        "verifier/test_evidence.py": ("test_an_empty_step_is_judged_too",),
        "attacks/test_worst_step.py": (
            "test_the_longest_evidence_that_can_be_needed_fits_the_courts_limit",
        ),
        "attacks/test_full_trees.py": (
            "test_the_last_withdrawal_leaf_is_used_and_the_next_withdrawal_is_rejected",
        ),
    },
    "guilt by running out of gas": {
        "verifier/test_court.py": ("test_running_out_of_gas_is_nobodys_guilt",),
    },
    "a call with little gas that spoils what is kept": {
        "attacks/test_known_attacks.py": (
            "test_a_proof_without_enough_gas_leaves_nothing_behind_at_any_limit",
        ),
    },
    "a poisoned state before the step": {
        "attacks/test_liars_states.py": ("test_no_state_that_a_liar_commits_to_breaks_the_court",),
        "verifier/test_evidence.py": ("test_an_honest_step_is_not_judged_on_top_of_another_state",),
    },
    "a header that says what its root does not": {
        "verifier/test_posting.py": ("test_a_header_is_refused_that_names",),
        "prover/test_provability.py": ("test_the_rows_of_header_and_data_are_their_fields",),
    },
    "a number cut to size": {
        "verifier/test_header.py": ("test_a_field_that_does_not_fit_is_not_cut_to_size",),
        "verifier/test_transactions.py": ("test_a_body_that_does_not_fit_is_not_cut_to_size",),
    },
    "a configuration in which nothing can be proven": {
        "verifier/test_court.py": ("test_a_contradiction_is_not_a_configuration",),
        "attacks/test_worst_step.py": (
            "test_a_court_that_would_not_take_the_longest_evidence_cannot_be_configured",
        ),
    },
    "a step that should fail and silently succeeds": {
        "verifier/test_evidence.py": (
            "test_undecodable_and_unknown_actions_are_judged_too",
            "test_a_claimed_overflow_is_judged_as_the_engine_judged_it",
        ),
        "clearing/test_compiler.py": ("test_int64_overflow_raises_and_everything_else_is_exact",),
    },
    "bytes that no parser gets to the end of": {
        "clearing/test_decode.py": ("test_no_bytes_make_the_decoder_raise",),
        "attacks/test_blocks.py": ("test_no_mangled_transaction_breaks_a_block",),
    },
    # Encoding, identity, replay
    "two encodings of one thing": {
        "verifier/test_header.py": ("test_any_other_byte_is_another_header_or_none",),
        "verifier/test_batch.py": ("test_a_byte_too_many_is_refused",),
        "clearing/test_messages.py": ("test_bytes_that_decode_are_the_only_encoding",),
        "verifier/test_evidence.py": ("test_evidence_is_encoded_in_one_way",),
    },
    "a malleable signature": {
        "clearing/test_recovery.py": ("test_the_other_signature_of_the_same_digest_signs_nothing",),
        "attacks/test_theft.py": ("test_a_signature_with_the_other_s_or_another_v_moves_nothing",),
    },
    "replay on another chain, in another court, or after a rollback": {
        "attacks/test_theft.py": (
            "test_a_request_signed_for_another_chain_or_settlement_moves_nothing",
        ),
        "attacks/test_games.py": (
            "test_evidence_of_one_generation_convicts_nobody_in_the_next",
            "test_a_forged_withdrawal_falls_before_it_can_be_claimed_and_its_index_is_used_again",
        ),
        "verifier/test_court.py": ("test_a_claim_against_another_final_batch_pays_no_second_time",),
    },
    "a bond credited to the wrong caller": {
        "verifier/test_freeze.py": (
            "test_whoever_posts_in_open_posting_bonds_and_owns_his_batch",
            "test_the_bond_of_a_batch_stays_its_proposers_after_a_handover",
        ),
    },
    "data that only a transaction of an outside account shows": {
        "verifier/test_chain.py": (
            "test_a_finalised_block_lets_go_of_its_bytes_and_keeps_its_receipts",
        ),
    },
    # Economics, delay, griefing
    "a prover's reward stolen in the mempool": {
        "verifier/test_rewards.py": (
            "test_a_copied_proof_reverts_at_once_and_pays_whoever_committed",
            "test_whoever_commits_once_he_has_read_the_proof_takes_no_reward",
        ),
        "prover/test_challenger.py": ("test_a_copied_proof_pays_its_author_if_he_committed",),
    },
    "a proposer who proves himself wrong": {
        "verifier/test_court.py": ("test_proving_ones_own_batch_wrong_always_loses",),
        "verifier/test_withheld.py": ("test_a_self_made_ask_loses_half_a_bond",),
    },
    "an attacker who outspends the honest": {
        "attacks/test_known_attacks.py": (
            "test_each_of_many_lies_costs_one_proof_and_pays_for_it",
        ),
        "verifier/test_court.py": ("test_a_proof_takes_back_the_batch_and_everything_on_it",),
    },
    "a challenge that moves a deadline": {
        "verifier/test_rewards.py": (
            "test_a_commitment_moves_no_deadline",
            "test_the_guardian_prolongs_the_windows_of_open_batches_once",
        ),
    },
    "bonds used again": {
        "verifier/test_court.py": ("TestBondsAreConserved",),
        "attacks/test_reorgs.py": ("test_transactions_that_come_again_all_at_once_do_no_harm",),
    },
    "a payee that refuses the money": {
        "verifier/test_receivers.py": (
            "test_in_an_exit_everybody_else_is_paid_and_who_refuses_may_change_his_mind",
            "test_a_prover_that_refuses_its_reward_takes_the_batch_back_all_the_same",
        ),
    },
    "a state that no call leads out of": {
        "attacks/test_known_attacks.py": ("test_from_wherever_play_leads_anyone_can_end_it",),
    },
    "a rollback that is too long for a block": {
        "verifier/test_court.py": ("test_a_rollback_writes_as_little_for_many_batches_as_for_one",),
    },
    "descendants of a wrong batch": {
        "attacks/test_games.py": (
            "test_the_child_of_a_lie_is_proven_on_its_own_only_where_it_lies_itself",
        ),
        "verifier/test_court.py": ("test_a_reverted_batch_is_never_finalised",),
    },
    "a challenger stalled by whoever was first": {
        "prover/test_challenger.py": (
            "test_a_proof_that_another_made_first_is_success",
            "test_two_challengers_in_one_block_are_no_error",
        ),
    },
    "dear checks before cheap ones": {
        "attacks/test_known_attacks.py": (
            "test_what_is_refused_at_a_glance_costs_no_walk_over_the_data",
        ),
    },
    "a data challenge that earns money": {
        "verifier/test_withheld.py": (
            "test_an_asked_step_is_answered_at_cost_and_the_asker_gets_the_rest",
            "test_an_answer_is_never_paid_more_than_was_prepaid",
        ),
    },
    # Time, reorganisations, censorship, data
    "a reorganisation that swaps what is disputed": {
        "attacks/test_reorgs.py": (
            "test_blocks_that_are_dropped_and_come_again_leave_the_same_state",
            "test_a_transaction_that_a_reorganisation_loses_is_made_good",
        ),
        "verifier/test_chain.py": (
            "test_a_batch_on_a_dropped_base_block_is_refused_on_the_new_branch",
        ),
    },
    "posting on blocks that are not final": {
        "node/test_poster.py": (
            "test_what_was_posted_is_the_batch_and_refers_to_a_final_block",
            "test_only_deposits_of_final_blocks_are_consumed",
        ),
        "verifier/test_posting.py": ("test_a_base_block_may_be_as_old_as_configured_and_no_older",),
    },
    "a manipulated clock": {
        "verifier/test_posting.py": ("test_the_clock_may_lead_by_the_drift_and_no_more",),
        "attacks/test_hostile_blocks.py": (
            "test_whatever_the_pace_of_blocks_a_life_reaches_its_end",
            "test_a_proposer_whose_clock_is_off_by_what_is_allowed_is_not_held_up",
        ),
    },
    "an outage whose backlog is refused": {
        "verifier/test_freeze.py": ("test_a_lagging_clock_never_rejects_a_batch",),
        "node/test_poster.py": ("test_a_node_that_comes_back_catches_up_and_closes_open_posting",),
    },
    "a forced message that cannot be executed": {
        "attacks/test_forced_messages.py": (
            "test_a_message_of_no_known_kind_changes_nothing_but_the_queue",
            "test_a_forced_price_that_the_law_rejects_is_consumed",
        ),
        "attacks/test_full_trees.py": (
            "test_a_deposit_without_a_leaf_for_its_refund_cannot_block_the_inbox",
        ),
    },
    "a flood of forced messages": {
        "attacks/test_known_attacks.py": (
            "test_a_flood_of_forced_messages_fits_into_what_may_be_posted",
        ),
    },
    "a censor who repeats himself": {
        "verifier/test_freeze.py": (
            "test_an_overdue_message_holds_the_clock_back_so_the_lag_tells_of_it",
        ),
        "attacks/test_hostile_blocks.py": ("test_a_censor_who_delays_one_party_ends_nothing",),
    },
    "a poisonous batch that stops whoever validates": {
        "prover/test_replica.py": (
            "test_after_a_forged_batch_the_honest_one_in_its_place_is_followed",
        ),
        "attacks/test_full_trees.py": (
            "test_inbox_actions_out_of_order_near_the_last_account_do_not_stop_the_replica",
        ),
    },
    "a way out that needs the operator's data": {
        "attacks/test_exit_drill.py": (
            "test_drill_everybody_leaves_in_full_from_base_layer_bytes_alone",
            "test_drill_across_an_upgrade_of_the_law",
        ),
    },
    "a way out that is not solvent": {
        "attacks/test_exit_drill.py": (
            "test_drill_in_a_crash_with_bankrupt_accounts_seniors_leave_before_juniors",
        ),
        "verifier/test_exit_phases.py": (
            "test_claims_in_any_order_are_paid_alike_and_nothing_is_made_or_lost",
        ),
    },
    "a verdict that depends on when it is asked for": {
        "attacks/test_known_attacks.py": ("test_a_verdict_is_the_same_whenever_it_is_asked_for",),
        "verifier/test_court.py": (
            "test_a_wrong_batch_falls_after_its_window_if_nobody_finalised_it",
        ),
    },
    "an honest party misled by its source": {
        "attacks/test_lying_reads.py": (
            "test_no_lie_makes_a_challenger_accuse_an_honest_batch_and_the_next_forgery_falls",
            "test_a_challenger_behind_an_old_view_accuses_nobody_and_still_catches_up",
            "test_no_lie_costs_a_poster_its_bond_and_afterwards_all_is_posted_and_final",
        ),
    },
    "a missing part of a witness read as absent": {
        "verifier/test_evidence.py": ("test_a_missing_part_is_the_challengers_error",),
    },
    "an upgrade while disputes are open": {
        "verifier/test_freeze.py": ("test_each_batch_is_judged_by_the_law_that_it_names",),
        "attacks/test_exit_drill.py": (
            "test_a_batch_before_and_one_after_the_upgrade_fall_each_by_its_own_law",
        ),
    },
    "a corner that nobody looked into": {
        "prover/test_provability.py": (
            "test_the_rows_of_the_state_are_its_fields",
            "test_what_can_be_refused_beside_posting_is_in_the_table",
        ),
        "attacks/test_reorgs.py": ("test_no_table_of_the_court_can_forget_to_be_taken_back",),
    },
}
