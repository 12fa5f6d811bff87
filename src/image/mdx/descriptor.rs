//! What the descriptor says when it is unpacked: sessions, tracks, and where their sectors are (formats.md, 8.5 and 8.6).

use std::sync::Arc;

use super::super::layout::{DiscPlan, Piece, SessionPlan, Stored, TrackPlan};
use super::super::mds::parts::{Files, dpm, optional, structures};
use super::super::mds::session::{self, TRACK};
use super::super::mds::{control, mixed_mode};
use super::super::record::{Record, bytes_at};
use super::super::{ImageError, ImageErrorKind, OpenContext};
use super::crypt::{KEY_HEADER, KeyHeader, Lrw, Mode, password_in};
use super::encrypted::Encrypted;
use super::groups::Groups;
use super::sectors::{Kind, Sectors};
use crate::disc::cdtext::PACK;
use crate::disc::subchannel::StoredSubchannel;
use crate::disc::{Disc, Lba, MediumType, TrackMode};
use crate::source::{BlockSource, SharedSource};

const HEADER: usize = 96;
const SESSION: u64 = 32;
const FOOTER: u64 = 32;
/// Sectors of all data files together, at most: no CD or DVD has so many.
const MOST_SECTORS: u32 = 4_500_000;
/// The bit of a footer that says that its data are packed.
const PACKED: u8 = 1;

/// The disc that `descriptor` describes, as it is when it is decrypted and unpacked. Its data are in `data`, or in the files
/// that it names.
///
/// # Errors
/// When it describes no disc, or one whose password or data files are not there.
pub fn disc(descriptor: SharedSource, data: Option<SharedSource>, cx: &OpenContext<'_>) -> Result<Disc, ImageError> {
    let header = Record::<HEADER>::read(&descriptor, 0)?;
    let medium = match header.u16(18) {
        0 => MediumType::CdRom,
        3 => MediumType::DvdRom,
        other => {
            let message = format!("the descriptor tells of a medium of type {other:#x}");
            return Err(ImageError::invalid(message).at(18));
        }
    };
    let mut plan = DiscPlan { medium: Some(medium), ..DiscPlan::default() };
    let at = u64::from(header.u32(64));
    if medium == MediumType::DvdRom && at != 0 {
        plan.structures = optional(cx, "the structures of the DVD", structures(&descriptor, at));
    }
    let at = u64::from(header.u32(84));
    if at != 0 {
        plan.dpm = optional(cx, "the data position measurement", dpm(&descriptor, at));
    }
    let key = match u64::from(header.u32(88)) {
        0 => None,
        at => Some(data_key(&descriptor, at, cx)?),
    };
    let cd_text = cd_text(&descriptor, &header, cx);
    let table = u64::from(header.u32(80));
    let mut reader = Reader { descriptor, data, medium, key, files: Files::default(), sectors: 0, cx };
    for number in 0..u64::from(header.u16(20)).min(100) {
        plan.sessions.push(reader.session(table + number * SESSION)?);
    }
    if let Some(first) = plan.sessions.first_mut() {
        first.cd_text = cd_text;
    }
    plan.build()
}

/// The key of the data, by the password that the header at `at` has in itself, or else the user's.
fn data_key(descriptor: &SharedSource, at: u64, cx: &OpenContext<'_>) -> Result<Arc<Lrw>, ImageError> {
    let header = Record::<KEY_HEADER>::read(descriptor, at)?;
    let open = |password: &[u8]| KeyHeader::open(&header, password, Mode::Lrw);
    let opened = match open(&password_in(&header)) {
        Some(opened) => opened,
        None => cx.with_password(|password| {
            let wrong = || ImageError::new(ImageErrorKind::WrongPassword, "the password does not open the data");
            open(password).ok_or_else(wrong)
        })?,
    };
    Ok(Arc::new(Lrw::new(&opened.keys)))
}

fn cd_text(descriptor: &SharedSource, header: &Record<HEADER>, cx: &OpenContext<'_>) -> Vec<[u8; PACK]> {
    let (len, at) = (u64::from(header.u16(30)), u64::from(header.u32(40)));
    if len == 0 || at == 0 {
        return Vec::new();
    }
    let packs = optional(cx, "the CD-TEXT", bytes_at(descriptor, at, len));
    packs.chunks_exact(PACK).filter_map(|pack| pack.try_into().ok()).collect()
}

struct Reader<'a> {
    descriptor: SharedSource,
    /// The file that all data are in, where there is only one.
    data: Option<SharedSource>,
    medium: MediumType,
    key: Option<Arc<Lrw>>,
    files: Files,
    /// Sectors of the data files so far.
    sectors: u32,
    cx: &'a OpenContext<'a>,
}

/// A run of a track's sectors as a footer says it.
struct Part {
    source: SharedSource,
    offset: u64,
    sectors: u32,
}

impl Reader<'_> {
    fn session(&mut self, at: u64) -> Result<SessionPlan, ImageError> {
        let block = Record::<{ SESSION as usize }>::read(&self.descriptor, at)?;
        let (start, end) = (address(block.u64(0), at)?, address(block.u64(24), at + 24)?);
        let header =
            session::Header { start, end, tracks: block.u8(10), table: u64::from(block.u32(20)), number: block.u16(8) };
        let (descriptor, cx) = (self.descriptor.clone(), self.cx);
        session::read(&descriptor, &header, cx, |entry, at, next| self.track(entry, at, next))
    }

    /// The track of `entry`, whose addresses begin at `next`.
    fn track(&mut self, entry: &Record<TRACK>, at: u64, next: i64) -> Result<TrackPlan, ImageError> {
        let number = entry.u8(4);
        let sectors = match self.medium {
            MediumType::CdRom => Sectors::of_cd(entry, at)?,
            MediumType::DvdRom | MediumType::BdRom => Sectors::of_dvd(entry, at)?,
        };
        let parts = self.parts(entry, at, &sectors)?;
        let covered: u64 = parts.iter().map(|part| u64::from(part.sectors)).sum();
        let start = entry.u64(56) as i64;
        let (pregap, blocks) = match self.medium {
            MediumType::CdRom => {
                let extra = Record::<8>::read(&self.descriptor, u64::from(entry.u32(12)))?;
                (extra.u32(0), u64::from(extra.u32(4)))
            }
            MediumType::DvdRom | MediumType::BdRom => (0, entry.u64(64)),
        };
        let with_pregap = blocks.saturating_add(u64::from(pregap));
        // A track that begins where the one before ends begins with its pre-gap, which then is in the file.
        let stored = number > 1 && start == next && covered >= with_pregap;
        if start != next && start != next.saturating_add(i64::from(pregap)) {
            self.cx
                .warn(format!("track {number} starts at {start} by its entry, but what is before it ends at {next}"));
        }
        let (gap, wanted) = if stored { (0, with_pregap) } else { (pregap, blocks) };
        if covered < wanted {
            let message = format!("track {number} has {wanted} sectors, but its data files only {covered}");
            return Err(ImageError::invalid(message).at(at));
        }
        if covered > wanted {
            let more = covered - wanted;
            self.cx.warn(format!("the data files have {more} sectors more than track {number}: the last are left out"));
        }
        let mode = match sectors.kind {
            Kind::Audio => TrackMode::Audio,
            Kind::Mode1 => TrackMode::Mode1,
            Kind::Form1 | Kind::Form2 => TrackMode::Mode2Xa,
            Kind::Mode2 => match parts.first() {
                Some(part) => mixed_mode(sectors.main, &part.source, part.offset),
                None => TrackMode::Mode2Xa,
            },
        };
        let mut pieces = vec![Piece::empty(gap)];
        let mut left = wanted;
        for part in parts {
            let blocks = u64::from(part.sectors).min(left);
            left -= blocks;
            pieces.push(part.piece(blocks as u32, &sectors));
        }
        let mut track = TrackPlan { pregap, pieces, ..TrackPlan::new(number, mode) };
        if self.medium == MediumType::CdRom {
            track.control = control(entry.u8(2), mode);
        }
        Ok(track)
    }

    /// The parts of the track of `entry`, a footer each.
    fn parts(&mut self, entry: &Record<TRACK>, at: u64, sectors: &Sectors) -> Result<Vec<Part>, ImageError> {
        let count = self.files.footers(entry.u32(48), at + 48)?;
        let footers = u64::from(entry.u32(52));
        let mut parts = Vec::new();
        let mut offset = entry.u64(40);
        for index in 0..u64::from(count) {
            let at = footers + index * FOOTER;
            let footer = Record::<{ FOOTER as usize }>::read(&self.descriptor, at)?;
            parts.push(self.part(&footer, offset, sectors).map_err(|error| error.at(at))?);
            offset = 0;
        }
        Ok(parts)
    }

    fn part(&mut self, footer: &Record<32>, offset: u64, sectors: &Sectors) -> Result<Part, ImageError> {
        let file = match &self.data {
            Some(data) => Arc::clone(data),
            None => self.files.open(&self.descriptor, u64::from(footer.u32(0)), true, self.cx)?,
        };
        let count = u32::try_from(footer.u64(16)).ok();
        let total = count.and_then(|count| self.sectors.checked_add(count)).filter(|total| *total <= MOST_SECTORS);
        let (Some(count), Some(total)) = (count, total) else {
            return Err(ImageError::new(ImageErrorKind::Limit, "more sectors than a CD or DVD has"));
        };
        self.sectors = total;
        let stride = sectors.stride;
        let (source, offset, end): (SharedSource, _, _) = match self.key.clone() {
            key if footer.u8(4) & PACKED != 0 => {
                let table = offset.saturating_add(footer.u64(24));
                let groups = Groups::new(Arc::clone(&file), offset, (stride, count, footer.u32(12)), table, key)?;
                let end = groups.end();
                (Arc::new(BlockSource::new(Arc::new(groups), Arc::clone(self.cx.cache))), 0, end)
            }
            Some(key) => {
                let sectors = Encrypted { file: Arc::clone(&file), offset, stride, sectors: count, key };
                let end = sectors.end();
                (Arc::new(sectors), 0, end)
            }
            None => {
                let end = offset.saturating_add(u64::from(count) * u64::from(stride));
                (Arc::clone(&file), offset, end)
            }
        };
        if end > file.len() {
            self.cx.warn(format!(
                "a data file is cut off: {} bytes are missing at its end; their sectors cannot be read",
                end - file.len()
            ));
        }
        Ok(Part { source, offset, sectors: count })
    }
}

impl Part {
    fn piece(self, blocks: u32, sectors: &Sectors) -> Piece {
        let Self { source, offset, .. } = self;
        let Sectors { stride, ref stored, .. } = *sectors;
        let subchannel = sectors.subchannel.map(|form| StoredSubchannel {
            source: Arc::clone(&source),
            offset: offset.saturating_add(u64::from(sectors.main)),
            stride,
            form,
        });
        Piece::stored(blocks, Stored { source, offset, stride, stored: stored.clone(), subchannel })
    }
}

/// An address of 64 bits.
fn address(number: u64, at: u64) -> Result<Lba, ImageError> {
    let address = i32::try_from(number as i64);
    address.map(Lba).map_err(|_| ImageError::invalid("an address that no disc has").at(at))
}
