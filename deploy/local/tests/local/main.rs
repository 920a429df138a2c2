//! The platform whole: the main journey by a simulated clock, and the program as a person starts it.

mod journey;
mod program;
