//! What `spindle info` says, as data. Its JSON is part of the interface: fields are added, never changed
//! (docs/reference/cli.md).

use serde::Serialize;

use super::texts::{self, Texts};
use crate::disc::Lba;
use crate::fs::{self, FsError, Namespace, eltorito, hybrid, iso9660, udf};
use crate::image::Opened;

/// Everything that is known about an image.
#[derive(Debug, Serialize)]
pub struct Report {
    pub format: &'static str,
    pub format_name: &'static str,
    pub containers: Vec<&'static str>,
    pub companions: Vec<Companion>,
    pub missing: Vec<String>,
    pub bytes: u64,
    pub medium: &'static str,
    pub layers: u8,
    pub blocks: u32,
    pub label: Option<String>,
    pub mcn: Option<String>,
    pub sha256: Option<String>,
    pub structures: Vec<Structure>,
    pub dpm: Option<Dpm>,
    pub sessions: Vec<Session>,
    pub file_systems: Vec<FileSystem>,
    pub boot: Option<Boot>,
    pub mbr: Vec<Mbr>,
    pub gpt: Option<Gpt>,
    pub warnings: Vec<String>,
}

/// Another file that belongs to the image.
#[derive(Debug, Serialize)]
pub struct Companion {
    pub name: String,
    pub bytes: u64,
}

/// A structure of the lead-in that the image stores.
#[derive(Debug, Serialize)]
pub struct Structure {
    pub layer: u8,
    pub format: u8,
    pub bytes: usize,
}

/// Data position measurement: how many angles, from where on, how far apart.
#[derive(Debug, Serialize)]
pub struct Dpm {
    pub start: i32,
    pub resolution: u32,
    pub entries: usize,
}

#[derive(Debug, Serialize)]
pub struct Session {
    pub number: u8,
    pub lead_out: i32,
    pub tracks: Vec<Track>,
    pub cd_text: Vec<Texts>,
}

#[derive(Debug, Serialize)]
pub struct Track {
    pub number: u8,
    pub mode: &'static str,
    pub start: i32,
    pub blocks: u32,
    pub pregap: u32,
    pub indices: Vec<i32>,
    pub isrc: Option<String>,
    pub copy_permitted: bool,
    pub pre_emphasis: bool,
    pub four_channels: bool,
    pub subchannel: bool,
    pub sha256: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum FileSystem {
    Iso9660(Box<Iso9660>),
    Joliet { label: String, level: u8 },
    RockRidge,
    Udf(Udf),
}

#[derive(Debug, Serialize)]
pub struct Iso9660 {
    pub label: String,
    pub blocks: u32,
    pub block_size: u16,
    pub enhanced: bool,
    pub system: String,
    pub volume_set: String,
    pub publisher: String,
    pub preparer: String,
    pub application: String,
    pub created: Option<String>,
    pub modified: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct Udf {
    pub label: String,
    pub revision: String,
    pub nsr: Option<u8>,
    pub volume: String,
    pub volume_set: String,
    pub application: String,
    pub recorded: Option<String>,
    pub partitions: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
pub struct Boot {
    pub catalog: u32,
    pub id: String,
    pub checksum_ok: bool,
    pub entries: Vec<BootEntry>,
}

#[derive(Debug, Serialize)]
pub struct BootEntry {
    pub initial: bool,
    pub platform: u8,
    pub platform_name: &'static str,
    pub bootable: bool,
    pub emulation: &'static str,
    pub load_segment: u16,
    pub load_address: u32,
    pub load_rba: u32,
    pub sectors: u16,
    pub bytes: u64,
    pub system_type: u8,
    pub section_id: String,
    pub criteria_type: u8,
}

#[derive(Debug, Serialize)]
pub struct Mbr {
    pub number: u8,
    pub r#type: u8,
    pub active: bool,
    pub start: u32,
    pub sectors: u32,
}

#[derive(Debug, Serialize)]
pub struct Gpt {
    pub guid: String,
    pub header_crc_ok: bool,
    pub array_crc_ok: bool,
    pub partitions: Vec<GptPartition>,
}

#[derive(Debug, Serialize)]
pub struct GptPartition {
    pub number: u32,
    pub r#type: String,
    pub start: u64,
    pub last: u64,
    pub name: String,
}

impl Report {
    /// Looks at everything; what cannot be read becomes a warning.
    #[must_use]
    pub fn new(opened: &Opened) -> Self {
        let disc = &opened.disc;
        let mut report = Self {
            format: opened.format.id,
            format_name: opened.format.name,
            containers: opened.containers.iter().map(|container| container.id).collect(),
            companions: opened.companions.iter().map(Companion::new).collect(),
            missing: opened.missing.clone(),
            bytes: opened.bytes,
            medium: disc.medium.name(),
            layers: disc.layers(),
            blocks: disc.blocks(),
            label: None,
            mcn: disc.catalogue_number().map(|mcn| String::from_utf8_lossy(&mcn).into_owned()),
            sha256: None,
            structures: disc.structures.iter().map(Structure::new).collect(),
            dpm: disc.dpm.as_ref().map(Dpm::new),
            sessions: disc.sessions.iter().map(Session::new).collect(),
            file_systems: Vec::new(),
            boot: None,
            mbr: Vec::new(),
            gpt: None,
            warnings: opened.warnings.clone(),
        };
        if let Some(start) = fs::session_starts(disc).next() {
            report.iso9660(opened, start);
            report.udf(opened, start);
            let boot = eltorito::read(disc, start);
            if let Some(catalog) = report.warn("El Torito", boot).flatten() {
                report.warnings.extend(catalog.warnings.iter().cloned());
                report.boot = Some(Boot::new(catalog));
            }
            let tables = hybrid::read(disc);
            if let Some(tables) = report.warn("partition tables", tables) {
                report.mbr = tables.mbr.iter().map(Mbr::new).collect();
                report.gpt = tables.gpt.map(Gpt::new);
            }
        }
        report
    }

    fn iso9660(&mut self, opened: &Opened, start: Lba) {
        let disc = &opened.disc;
        let found = iso9660::descriptors(disc, start);
        let Some(found) = self.warn("ISO 9660", found) else { return };
        if let Some(primary) = found.primary {
            if u64::from(primary.blocks) * u64::from(primary.block_size) > u64::from(disc.blocks()) * 2048 {
                self.warnings.push(format!(
                    "the ISO 9660 volume has {} blocks, the image only {}: it is cut off",
                    primary.blocks,
                    disc.blocks()
                ));
            }
            self.label = Some(primary.volume.clone()).filter(|label| !label.is_empty());
            self.file_systems.push(FileSystem::Iso9660(Box::new(Iso9660 {
                label: primary.volume,
                blocks: primary.blocks,
                block_size: primary.block_size,
                enhanced: found.enhanced,
                system: primary.system,
                volume_set: primary.volume_set,
                publisher: primary.publisher,
                preparer: primary.preparer,
                application: primary.application,
                created: primary.created.map(|time| time.to_string()),
                modified: primary.modified.map(|time| time.to_string()),
            })));
            match iso9660::Volume::open(disc, start, Namespace::RockRidge) {
                Err(FsError::Absent) => {}
                rock_ridge => {
                    if self.warn("Rock Ridge", rock_ridge).is_some() {
                        self.file_systems.push(FileSystem::RockRidge);
                    }
                }
            }
            if !found.terminated {
                self.warnings.push("the ISO 9660 volume descriptors have no terminator".to_owned());
            }
        }
        if let Some(joliet) = found.joliet {
            let level = joliet.joliet_level.unwrap_or(0);
            self.file_systems.push(FileSystem::Joliet { label: joliet.volume, level });
        }
    }

    fn udf(&mut self, opened: &Opened, start: Lba) {
        let volume = match udf::Volume::open(&opened.disc, start) {
            Err(FsError::Absent) => return,
            volume => volume,
        };
        let Some(info) = self.warn("UDF", volume).map(|volume| volume.info().clone()) else { return };
        if self.label.is_none() {
            self.label = Some(info.label.clone()).filter(|label| !label.is_empty());
        }
        self.file_systems.push(FileSystem::Udf(Udf {
            label: info.label,
            revision: format!("{:x}.{:02x}", info.revision >> 8, info.revision & 0xFF),
            nsr: info.nsr,
            volume: info.volume,
            volume_set: info.volume_set,
            application: info.application,
            recorded: info.recorded.map(|time| time.to_string()),
            partitions: info.partitions,
        }));
    }

    fn warn<T>(&mut self, what: &str, result: Result<T, FsError>) -> Option<T> {
        result.map_err(|error| self.warnings.push(format!("{what}: {error}"))).ok()
    }
}

impl Companion {
    fn new(companion: &crate::image::Companion) -> Self {
        Self { name: String::from_utf8_lossy(&companion.name).into_owned(), bytes: companion.bytes }
    }
}

impl Structure {
    fn new(stored: &crate::disc::StoredStructure) -> Self {
        Self { layer: stored.layer, format: stored.format, bytes: stored.data.len() }
    }
}

impl Dpm {
    fn new(dpm: &crate::disc::Dpm) -> Self {
        Self { start: dpm.start.0, resolution: dpm.resolution, entries: dpm.entries.len() }
    }
}

impl Session {
    fn new(session: &crate::disc::Session) -> Self {
        let tracks = session.tracks.iter().map(|track| Track {
            number: track.number,
            mode: track.mode.name(),
            start: track.start.0,
            blocks: track.blocks(),
            pregap: track.pregap,
            indices: track.indices.iter().map(|index| index.0).collect(),
            isrc: track.recording_code().map(|isrc| String::from_utf8_lossy(&isrc).into_owned()),
            copy_permitted: track.control.copy_permitted(),
            pre_emphasis: track.control.pre_emphasis(),
            four_channels: track.control.four_channels(),
            subchannel: track.extents.iter().any(|extent| extent.subchannel.is_some()),
            sha256: None,
        });
        Self {
            number: session.number,
            lead_out: session.lead_out.0,
            tracks: tracks.collect(),
            cd_text: texts::of_packs(&session.cd_text),
        }
    }
}

impl Boot {
    fn new(catalog: eltorito::Catalog) -> Self {
        let entries = catalog.entries.into_iter().map(|entry| BootEntry {
            initial: entry.initial,
            platform: entry.platform.0,
            platform_name: entry.platform.name(),
            bootable: entry.bootable,
            emulation: entry.emulation.id(),
            load_segment: entry.load_segment,
            load_address: u32::from(entry.load_segment) * 16,
            load_rba: entry.load_rba,
            sectors: entry.sectors,
            bytes: entry.bytes(),
            system_type: entry.system_type,
            section_id: entry.section_id,
            criteria_type: entry.criteria_type,
        });
        Self {
            catalog: catalog.block,
            id: catalog.id,
            checksum_ok: catalog.checksum_ok && catalog.key_ok,
            entries: entries.collect(),
        }
    }
}

impl Mbr {
    fn new(partition: &hybrid::MbrPartition) -> Self {
        Self {
            number: partition.number,
            r#type: partition.kind,
            active: partition.active,
            start: partition.start,
            sectors: partition.sectors,
        }
    }
}

impl Gpt {
    fn new(gpt: hybrid::Gpt) -> Self {
        let partitions = gpt.partitions.into_iter().map(|partition| GptPartition {
            number: partition.number,
            r#type: partition.kind.to_string(),
            start: partition.start,
            last: partition.last,
            name: partition.name,
        });
        Self {
            guid: gpt.guid.to_string(),
            header_crc_ok: gpt.header_ok,
            array_crc_ok: gpt.array_ok,
            partitions: partitions.collect(),
        }
    }
}
