//! What the platform's benchmarks stand on: the API and pools over a database of their own, practices with years behind them,
//! and how times are told.

pub(crate) mod figures;
pub(crate) mod platform;
pub(crate) mod practices;
