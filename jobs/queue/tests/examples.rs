//! Runs every example, so that none of them lies.
#![expect(clippy::duplicate_mod, reason = "each example has what they share as a module of its own")]

type Result = std::result::Result<(), Box<dyn std::error::Error>>;

#[path = "../examples/cron.rs"]
mod cron;
#[path = "../examples/exactly_once.rs"]
mod exactly_once;
#[path = "../examples/lanes.rs"]
mod lanes;
#[path = "../examples/operate.rs"]
mod operate;
#[path = "../examples/outcomes.rs"]
mod outcomes;
#[path = "../examples/together.rs"]
mod together;
#[path = "../examples/unique.rs"]
mod unique;

#[test]
fn cron_example() -> Result {
    cron::main()
}

#[test]
fn exactly_once_example() -> Result {
    exactly_once::main()
}

#[test]
fn lanes_example() -> Result {
    lanes::main()
}

#[test]
fn operate_example() -> Result {
    operate::main()
}

#[test]
fn outcomes_example() -> Result {
    outcomes::main()
}

#[test]
fn together_example() -> Result {
    together::main()
}

#[test]
fn unique_example() -> Result {
    unique::main()
}
