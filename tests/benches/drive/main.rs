//! A load for any vhost-user-scsi back-end, as a guest makes it, and the floor that no back-end gets below.
//!
//! `cargo bench --bench drive -- --help` tells the options. Guest memory is a memfd, rings are split rings, requests are made
//! once and sent again and again, and the used rings are polled: what is measured is the back-end. `--floor FILE` does the same
//! work without one: a thread copies the same ranges from a cached file into the same memory, by itself or for requests in a ring.

mod device;
mod floor;
mod histogram;
mod load;
mod memory;
mod options;
mod plan;
mod process;
mod report;
mod ring;
mod session;

use clap::Parser;

use self::options::{Access, Options};

fn main() {
    let options = Options::parse();
    if let Err(error) = run(&options) {
        eprintln!("drive: {error}");
        std::process::exit(1);
    }
}

/// Anything that ends the run.
type Failure = Box<dyn std::error::Error>;

fn run(options: &Options) -> Result<(), Failure> {
    let report = match (&options.floor, &options.socket) {
        (Some(file), _) if options.access == Access::Ring => device::run(options, file)?,
        (Some(file), _) if options.access == Access::Named => device::run_cold(options, file)?,
        (Some(file), _) => floor::run(options, file)?,
        (None, Some(socket)) => load::run(options, socket)?,
        (None, None) => return Err("give --socket PATH or --floor FILE".into()),
    };
    report.print(options.json)?;
    if report.wrong() { Err("requests failed, or gave other bytes than the file has".into()) } else { Ok(()) }
}
