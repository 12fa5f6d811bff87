//! Every command at its edges, by MMC topic.

mod inquiry;
mod mode;
mod read;
