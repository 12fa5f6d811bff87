//! `spindle info`: what an image is and what is on it.

use std::io::{self, Write};
use std::path::Path;
use std::thread;

use sha2::Sha256;

use super::open::Image;
use super::output::{output, printable};
use super::progress::Progress;
use super::report::{Companion, Dpm, FileSystem, Report, Structure, Track};
use super::{CliError, Exit, hash};
use crate::image::Opened;

/// Show what a disc image holds
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    image: Image,
    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
    /// Add the SHA-256 of the file and of each track's user data
    #[arg(long)]
    hash: bool,
}

/// Opens the image and prints what it is.
///
/// # Errors
/// When it is no image. What is wrong inside the image is a warning.
pub fn run(args: &Args) -> Result<(), CliError> {
    let opened = args.image.open()?;
    let mut report = Report::new(&opened);
    if args.hash {
        add_hashes(&mut report, &opened, &args.image.path)?;
    }
    output(|out| match args.json {
        true => {
            serde_json::to_writer_pretty(&mut *out, &report)?;
            writeln!(out)
        }
        false => text(&report, out),
    })
}

/// The file in one thread, the tracks in this one.
fn add_hashes(report: &mut Report, opened: &Opened, path: &Path) -> Result<(), CliError> {
    let blocks: u64 = opened.disc.tracks().map(|track| u64::from(track.blocks())).sum();
    let progress = Progress::new("hash", opened.bytes.saturating_add(blocks * 2048));
    let file = thread::scope(|scope| {
        let file = scope.spawn(|| hash::file::<Sha256>(path, &progress));
        let shown = report.sessions.iter_mut().flat_map(|session| &mut session.tracks);
        for (track, shown) in opened.disc.tracks().zip(shown) {
            match hash::track(&opened.disc, track, &progress) {
                Ok(hash) => shown.sha256 = Some(hash),
                Err(error) => report.warnings.push(format!("track {}: {error}", track.number)),
            }
        }
        file.join()
    });
    progress.clear();
    let file = file.map_err(|_| CliError::new(Exit::Failure, "the hashing thread panicked"))?;
    report.sha256 = Some(file.map_err(|error| CliError::new(Exit::Failure, format!("{}: {error}", path.display())))?);
    Ok(())
}

fn text(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let safe = |text: &str| printable(text.as_bytes());
    writeln!(out, "format:   {} ({})", report.format, report.format_name)?;
    if !report.containers.is_empty() {
        writeln!(out, "inside:   {}", report.containers.join(", inside "))?;
    }
    for Companion { name, bytes } in &report.companions {
        writeln!(out, "with:     {} ({bytes} bytes)", safe(name))?;
    }
    for name in &report.missing {
        writeln!(out, "missing:  {}", safe(name))?;
    }
    writeln!(out, "size:     {} bytes, {} blocks", report.bytes, report.blocks)?;
    if let Some(hash) = &report.sha256 {
        writeln!(out, "sha256:   {hash}")?;
    }
    let layers = if report.layers > 1 { format!(", {} layers", report.layers) } else { String::new() };
    writeln!(out, "medium:   {}{layers}", report.medium)?;
    if let Some(label) = &report.label {
        writeln!(out, "label:    {}", safe(label))?;
    }
    if let Some(mcn) = &report.mcn {
        writeln!(out, "MCN:      {}", safe(mcn))?;
    }
    for Structure { layer, format, bytes } in &report.structures {
        writeln!(out, "structure: format {format:02x}h of layer {layer}, {bytes} bytes")?;
    }
    if let Some(Dpm { start, resolution, entries }) = &report.dpm {
        writeln!(out, "DPM:      {entries} angles, one every {resolution} blocks from {start}")?;
    }
    for session in &report.sessions {
        writeln!(out, "session {}: lead-out {}", session.number, session.lead_out)?;
        session.tracks.iter().try_for_each(|track| track_text(track, out))?;
        session.cd_text.iter().try_for_each(|texts| texts.print(out))?;
    }
    for fs in &report.file_systems {
        match fs {
            FileSystem::Iso9660(iso) => {
                write!(
                    out,
                    "file system: ISO 9660, label {:?}, {} blocks of {}",
                    safe(&iso.label),
                    iso.blocks,
                    iso.block_size
                )?;
                writeln!(out, "{}", if iso.enhanced { ", with an enhanced (1999) descriptor" } else { "" })?;
                let facts = [
                    ("system", Some(&iso.system)),
                    ("publisher", Some(&iso.publisher)),
                    ("preparer", Some(&iso.preparer)),
                    ("application", Some(&iso.application)),
                    ("created", iso.created.as_ref()),
                ];
                for (name, fact) in facts {
                    if let Some(fact) = fact.filter(|fact| !fact.is_empty()) {
                        writeln!(out, "  {name}: {}", safe(fact))?;
                    }
                }
            }
            FileSystem::Joliet { label, level } => {
                writeln!(out, "file system: Joliet level {level}, label {:?}", safe(label))?;
            }
            FileSystem::RockRidge => writeln!(out, "file system: Rock Ridge")?,
            FileSystem::Udf(udf) => {
                let partitions = udf.partitions.join(", ");
                writeln!(
                    out,
                    "file system: UDF {}, label {:?}, partitions: {partitions}",
                    udf.revision,
                    safe(&udf.label)
                )?;
            }
        }
    }
    if let Some(boot) = &report.boot {
        let checksum = if boot.checksum_ok { "valid" } else { "damaged" };
        writeln!(out, "El Torito: catalog in block {}, id {:?}, checksum {checksum}", boot.catalog, safe(&boot.id))?;
        for (number, entry) in (1..).zip(&boot.entries) {
            write!(out, "  entry {number}: {}", entry.platform_name)?;
            write!(out, ", {}", if entry.bootable { "bootable" } else { "not bootable" })?;
            write!(out, ", emulation {}", entry.emulation)?;
            write!(out, ", load segment {:#x} (address {:#x})", entry.load_segment, entry.load_address)?;
            write!(
                out,
                ", image in block {}, {} sectors of 512 ({} bytes)",
                entry.load_rba, entry.sectors, entry.bytes
            )?;
            match entry.section_id.is_empty() {
                true => writeln!(out)?,
                false => writeln!(out, ", section {:?}", safe(&entry.section_id))?,
            }
        }
    }
    for partition in &report.mbr {
        let active = if partition.active { ", active" } else { "" };
        let (number, kind) = (partition.number, partition.r#type);
        writeln!(
            out,
            "MBR {number}: type {kind:#04x}, start {}, {} sectors{active}",
            partition.start, partition.sectors
        )?;
    }
    if let Some(gpt) = &report.gpt {
        let say = |ok| if ok { "valid" } else { "wrong" };
        let (header, array) = (say(gpt.header_crc_ok), say(gpt.array_crc_ok));
        writeln!(out, "GPT {}: header CRC {header}, array CRC {array}", gpt.guid)?;
        for partition in &gpt.partitions {
            let (number, kind, name) = (partition.number, &partition.r#type, safe(&partition.name));
            writeln!(out, "  {number}: type {kind}, sectors {} to {}, name {name:?}", partition.start, partition.last)?;
        }
    }
    for warning in &report.warnings {
        writeln!(out, "warning: {}", safe(warning))?;
    }
    Ok(())
}

fn track_text(track: &Track, out: &mut dyn Write) -> io::Result<()> {
    let Track { number, mode, start, blocks, pregap, .. } = track;
    write!(out, "  track {number:2}: {mode}, start {start}, {blocks} blocks")?;
    if *pregap > 0 {
        write!(out, ", pre-gap {pregap}")?;
    }
    for (number, at) in (2..).zip(&track.indices) {
        write!(out, ", index {number} at {at}")?;
    }
    if let Some(isrc) = &track.isrc {
        write!(out, ", ISRC {}", printable(isrc.as_bytes()))?;
    }
    let facts = [
        (track.copy_permitted, "copying permitted"),
        (track.pre_emphasis, "pre-emphasis"),
        (track.four_channels, "four channels"),
        (track.subchannel, "subchannel stored"),
    ];
    for (_, fact) in facts.iter().filter(|(holds, _)| *holds) {
        write!(out, ", {fact}")?;
    }
    writeln!(out)?;
    match &track.sha256 {
        Some(hash) => writeln!(out, "            sha256 {hash}"),
        None => Ok(()),
    }
}
