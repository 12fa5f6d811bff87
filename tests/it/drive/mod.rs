//! Every command at its edges, by MMC topic.

mod basic;
mod disc_info;
mod inquiry;
mod mode;
mod read;
mod reserve;
mod supported;
mod table;
mod toc;
