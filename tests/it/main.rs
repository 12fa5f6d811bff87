//! One integration binary: every layer from the outside.

#[path = "../support/mod.rs"]
mod support;

mod drive;
mod fuzz;
mod layers;
