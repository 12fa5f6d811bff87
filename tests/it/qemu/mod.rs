//! Real guests: firmware, boot loaders, Linux and its clients on drives of the built `spindled`, in QEMU.
//!
//! `qemu-scripts/test` installs what these tests run. What is missing fails the test.

mod boot;
mod clients;
mod decoders;
mod dvd;
mod faults;
mod filesystems;
mod formats;
mod gives_up;
mod hangs;
mod hardware;
mod lives;
mod machines;
mod migration;
mod play;
mod qmp_client;
mod raw;
mod restarts;
mod rip;
mod said;
mod sessions;
mod swap;
mod systemd;
mod toc;
mod tray;
mod video_cd;
