//! `spindle verify`: whether an image is whole.

mod isomd5;
mod sectors;
mod sums;

use std::io::Write;
use std::path::PathBuf;
use std::thread;

use serde::Serialize;

use self::isomd5::Implanted;
use self::sectors::BadSectors;
use self::sums::Expected;
use super::open::Image;
use super::output::{output, printable};
use super::progress::Progress;
use super::{CliError, Exit};
use crate::image::Opened;

/// Check an image: its own checksums, its sectors, and checksums that came with it
///
/// Checked are the sums that containers carry, EDC and ECC of every whole data sector, the CRC of every stored Q channel,
/// the checksum that an ISO may have inside (isomd5sum), and what is given here. Exit code 6 when something is wrong.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    image: Image,
    /// The SHA-256 that the file must have
    #[arg(long, value_name = "HEX", value_parser = sums::sha256)]
    sha256: Option<Expected>,
    /// A file of checksums in which the image is listed: SHA256SUMS, SHA512SUMS, MD5SUMS, .sha1, or BSD style
    #[arg(long, value_name = "FILE")]
    sums: Option<PathBuf>,
    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
}

/// One thing that was checked.
#[derive(Debug, Serialize)]
struct Checked {
    name: String,
    ok: bool,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

#[derive(Debug, Serialize)]
struct Report {
    ok: bool,
    checks: Vec<Checked>,
    bad_sectors: Vec<BadSectors>,
    warnings: Vec<String>,
}

/// Checks everything, the independent parts side by side.
///
/// # Errors
/// [`Exit::VerificationFailed`] when something is wrong; what, is printed.
pub fn run(args: &Args) -> Result<(), CliError> {
    let mut expected: Vec<Expected> = args.sha256.iter().cloned().collect();
    if let Some(path) = &args.sums {
        expected.extend(sums::listed(path, &args.image.path)?);
    }
    let opened = args.image.open()?;
    let report = check(args, &opened, &expected);
    output(|out| {
        if args.json {
            serde_json::to_writer_pretty(&mut *out, &report)?;
            return writeln!(out);
        }
        text(&report, out)
    })?;
    match report.ok {
        true => Ok(()),
        false => {
            let message = format!("{}: verification failed", args.image.path.display());
            Err(CliError::new(Exit::VerificationFailed, message))
        }
    }
}

fn check(args: &Args, opened: &Opened, expected: &[Expected]) -> Report {
    let implanted = isomd5::find(&opened.disc);
    let sectors = sectors::count(&opened.disc);
    let sums = opened.bytes.saturating_mul(expected.len() as u64);
    // An image may claim more than can be counted: the bar is then wrong, and what is missing fails to be read.
    let own = opened.checks.iter().map(|check| check.bytes()).fold(0, u64::saturating_add);
    let md5 = implanted.as_ref().map_or(0, Implanted::bytes);
    let progress =
        Progress::new("verify", [sums, own, md5].into_iter().fold(sectors.saturating_mul(2048), u64::saturating_add));

    let (checks, bad_sectors) = thread::scope(|scope| {
        let progress = &progress;
        let mut running = Vec::new();
        for check in &opened.checks {
            running.push(scope.spawn(move || {
                let result = check.run(&|bytes| progress.add(bytes));
                Checked::new(check.name(), result.map_err(|error| error.to_string()))
            }));
        }
        for sum in expected {
            running.push(scope.spawn(move || {
                let result = sum.is_of(&args.image.path, progress);
                Checked::new(sum.name(), result.map_err(|error| error.to_string()))
            }));
        }
        if let Some(implanted) = &implanted {
            running.push(scope.spawn(move || {
                let result = implanted.is_right(&opened.disc, progress);
                Checked::new("MD5 inside the ISO (isomd5sum)".to_owned(), result.map_err(|error| error.to_string()))
            }));
        }
        let (sectors, bad) = sectors::check(&opened.disc, progress);
        let ended = running.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Checked::panicked()));
        let mut checks: Vec<_> = ended.collect();
        checks.extend(sectors);
        (checks, bad)
    });
    progress.clear();
    let ok = checks.iter().all(|check| check.ok) && bad_sectors.is_empty();
    let missing = opened.missing.iter().map(|name| format!("the image names {name}, which is missing"));
    let warnings = opened.warnings.iter().cloned().chain(missing).collect();
    Report { ok, checks, bad_sectors, warnings }
}

impl Checked {
    fn new(name: String, result: Result<bool, String>) -> Self {
        match result {
            Ok(true) => Self { name, ok: true, detail: None },
            Ok(false) => Self { name, ok: false, detail: Some("differs".to_owned()) },
            Err(error) => Self { name, ok: false, detail: Some(error) },
        }
    }

    fn panicked() -> Self {
        Self { name: "a check".to_owned(), ok: false, detail: Some("ended by a fault of Spindle's own".to_owned()) }
    }
}

fn text(report: &Report, out: &mut dyn Write) -> std::io::Result<()> {
    for Checked { name, ok, detail } in &report.checks {
        let said = if *ok { "ok" } else { "FAILED" };
        let detail = detail.as_ref().map_or_else(String::new, |detail| format!(": {}", printable(detail.as_bytes())));
        writeln!(out, "{said:6} {}{detail}", printable(name.as_bytes()))?;
    }
    for BadSectors { first, last, problem } in &report.bad_sectors {
        match first == last {
            true => writeln!(out, "FAILED sector {first}: {problem}")?,
            false => writeln!(out, "FAILED sectors {first} to {last}: {problem}")?,
        }
    }
    for warning in &report.warnings {
        writeln!(out, "warning: {}", printable(warning.as_bytes()))?;
    }
    Ok(())
}
