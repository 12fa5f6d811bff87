//! One integration binary: every layer from the outside.

#[path = "../support/mod.rs"]
mod support;

mod conformance;
mod drive;
mod fuzz;
mod layers;
