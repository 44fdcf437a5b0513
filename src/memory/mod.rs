//! Where bytes go: the `ledger` (who holds what), the `probe` (what the system says), the `plan` (what a run will need), `triage` (what
//! went wrong) with its `lever`s (what makes it fit).

pub mod ledger;
pub mod lever;
pub mod plan;
pub mod probe;
pub mod triage;
