//! The disc model, below any command: sectors and subchannel.

mod sector;
mod subchannel;
