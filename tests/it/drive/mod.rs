//! Every command at its edges, by MMC topic.

mod disc_info;
mod inquiry;
mod mode;
mod read;
mod reserve;
mod supported;
mod toc;
