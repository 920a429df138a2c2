//! Figures: materialised views, how fresh they are and how they are refreshed. Reads them through functions that know the
//! tenant, and changes nothing that they count.

mod history;
pub mod jobs;
mod overview;
mod refresh;
mod request;
mod state;
mod view;

pub use history::{Axis, History, Series, SeriesName, Unit, Year, Years, history};
pub use overview::{Appointments, DayCounts, Month, OpenItems, Overview, Pipeline, Rates, Revenue, overview};
pub use refresh::{Refresh, Refreshed, Start, begin, failed};
pub use request::{request, request_all, request_missing};
pub use state::{ViewAge, ViewState, ages, view_state, view_states};
pub use view::View;
