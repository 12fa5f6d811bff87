//! Spindle: a virtual optical drive for virtual machines.
//!
//! `spindled` is a vhost-user-scsi back-end; `spindle` is what a person types. Both are thin: everything is here.
//!
//! # Layers
//!
//! Each module may use only those below it (`tests/it/layers.rs` enforces this):
//!
//! ```text
//! cli                                       what a person types
//! vhost_user          control               the daemon's two sockets: QEMU's and a person's
//! virtio                                    virtio-scsi structures, descriptor chains <-> data buffers
//! drive                                     the MMC logical unit: tray, medium, lock, events, commands
//! scsi                    sound             tasks, sense data, LUN routing, task management; where what plays is heard
//! export                                    CHD, ...: Disc -> files
//! image                                     ISO, CUE, ...: bytes -> Disc
//! container                                 CSO, gzip, ...: bytes -> bytes
//! fs                                        ISO 9660, Joliet, Rock Ridge, UDF, El Torito: read only, bounded
//! disc                                      sessions, tracks, extents, sectors
//! source                                    positional bytes: file, memory, slice, decoded blocks
//! sandbox                                   what the daemon gives up: capabilities, files, system calls
//! sys                                       the only unsafe code; guest memory types
//! ```

pub mod cli;
pub mod container;
pub mod control;
pub mod disc;
pub mod drive;
pub mod export;
pub mod fs;
pub mod image;
pub mod sandbox;
pub mod scsi;
pub mod sound;
pub mod source;
pub mod sys;
pub mod vhost_user;
pub mod virtio;
