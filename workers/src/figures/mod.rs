//! The jobs of the views.

mod refresh_view;
mod refresh_views;
