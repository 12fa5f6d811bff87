//! Every command at its edges, by MMC topic.

mod absent;
mod audio;
mod basic;
mod behaviour;
mod disc_info;
mod event;
mod fault;
mod feature;
mod inquiry;
mod key;
mod medium;
mod mode;
mod model;
mod read;
mod read_cd;
mod refused;
mod reserve;
mod speed;
mod status;
mod structure;
mod subchannel;
mod supported;
mod sweep;
mod table;
mod toc;
mod verify;
