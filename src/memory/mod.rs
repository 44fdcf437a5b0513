//! Where bytes go: the `ledger` (who holds what) and the `probe` (what the system says).

pub mod ledger;
pub mod probe;
