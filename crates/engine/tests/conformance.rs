//! One suite, two engines: what every engine must do (`cases`), what only the embedded one has (`embedded`), what it keeps when it
//! is killed (`crash`), and whether both give the same answers to the same random story (`agreement`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "these are tests"
)]

#[path = "conformance/agreement.rs"]
mod agreement;
#[path = "conformance/cases.rs"]
mod cases;
#[path = "conformance/crash.rs"]
mod crash;
#[path = "conformance/embedded.rs"]
mod embedded;
#[path = "conformance/world.rs"]
mod world;

/// Runs each case against each engine.
macro_rules! conformance {
    ($($case:ident)*) => {
        mod on_memory { $( #[test] fn $case() { crate::cases::$case(crate::world::World::memory()); } )* }
        mod on_embedded { $( #[test] fn $case() { crate::cases::$case(crate::world::World::embedded()); } )* }
    };
}

conformance! {
    a_committed_batch_is_visible_and_an_older_view_does_not_see_it
    a_batch_takes_effect_wholly_or_not_at_all
    expectations_hold_or_name_the_one_that_does_not
    operations_apply_in_their_order
    ranges_are_removed_without_their_end
    counters_add_and_stop_at_their_ends
    scans_are_ordered_limited_and_reversible
    several_keys_are_read_in_their_order
    a_repeated_batch_changes_nothing_and_answers_the_same
    batches_of_one_group_succeed_or_fail_for_themselves
    versions_grow
    limits_are_enforced
    the_largest_batch_is_taken
    blobs_of_every_size_are_read_back
    ranges_of_blobs_are_clipped
    references_survive_their_encoding
    references_of_rubbish_are_refused_without_harm
    what_was_committed_survives_reopening
    lazy_batches_are_ordered_with_the_others
    concurrent_writers_count_correctly
    the_engines_own_keys_are_hidden
}
