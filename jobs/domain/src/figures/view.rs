//! The closed list of the materialised views. Adding one is a line here and a migration.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! views {
    ($($(#[$doc:meta])* $view:ident = $name:literal),* $(,)?) => {
        /// A materialised view.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        pub enum View { $($(#[$doc])* #[serde(rename = $name)] $view),* }

        impl View {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$view),*];

            /// Its name: in the database, in the API, in metrics.
            pub fn name(self) -> &'static str {
                match self { $(Self::$view => $name),* }
            }

            /// The statement that refreshes it beside its readers.
            pub(super) fn refreshing(self) -> &'static str {
                match self { $(Self::$view => concat!("REFRESH MATERIALIZED VIEW CONCURRENTLY ", $name)),* }
            }

            /// The statement that counts its rows.
            pub(super) fn counting(self) -> &'static str {
                match self { $(Self::$view => concat!("SELECT count(*) FROM ", $name)),* }
            }
        }
    };
}

views! {
    /// What happened in each practice, day by day.
    PracticeDays = "practice_days",
    /// What is open in each practice, by the day that it hangs on.
    PracticeOpen = "practice_open",
}
