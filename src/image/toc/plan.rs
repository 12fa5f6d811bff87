//! From a TOC file and its files to the plan of a disc.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::layout::{DiscPlan, PREGAP, Piece, SessionPlan, TrackPlan};
use super::super::sheet::{Data, SHORTEST_TRACK, Shape};
use super::super::{ImageError, ImageErrorKind, OpenContext};
use super::parse::{Length, Part, Toc, Track};
use crate::disc::cdtext::encode;
use crate::disc::subchannel::SubchannelForm;
use crate::disc::{MediumType, TrackMode};
use crate::source::{ByteSource, ConcatSource, MemorySource, PaddedSource, SharedSource, SliceSource};

/// Bytes of a sample of both channels, and samples of a sector.
const SAMPLE: u64 = 4;
const SAMPLES: u64 = 588;

/// The plan for `toc`.
///
/// # Errors
/// When a file is missing, or the text contradicts itself or the files.
pub fn plan(toc: &Toc, cx: &OpenContext<'_>) -> Result<DiscPlan, ImageError> {
    let mut files = Files { open: BTreeMap::new(), forms: BTreeMap::new(), cx };
    let mut session = SessionPlan { disc_type: toc.disc_type, ..SessionPlan::default() };
    for (number, track) in (1..).zip(&toc.tracks) {
        let plan = track_plan(number, track, &mut files).map_err(|error| match error.kind() {
            ImageErrorKind::Invalid => ImageError::invalid(format!("track {number}: {error}")),
            _ => error,
        })?;
        session.tracks.push(plan);
    }
    let last = u8::try_from(toc.tracks.len()).unwrap_or(99);
    session.cd_text = encode(&toc.texts.values().cloned().collect::<Vec<_>>(), 1, last);
    Ok(DiscPlan { medium: Some(MediumType::CdRom), sessions: vec![session], mcn: toc.mcn, ..DiscPlan::default() })
}

/// Files that were opened, and whether samples in them have the high byte first.
struct Files<'a> {
    open: BTreeMap<Vec<u8>, (Data, bool)>,
    /// The form of the subchannel in a file with sectors of so many bytes: a track may have thousands of parts of one file.
    forms: BTreeMap<(Vec<u8>, u32), SubchannelForm>,
    cx: &'a OpenContext<'a>,
}

impl Files<'_> {
    fn get(&mut self, name: &[u8], mode: TrackMode, is_swapped: bool) -> Result<Data, ImageError> {
        if !self.open.contains_key(name) {
            let data = Data::open(name, self.cx)?;
            let is_big_endian = !data.is_sound && high_byte_first(&*data.bytes, is_swapped);
            self.open.insert(name.to_vec(), (data, is_big_endian));
        }
        let (data, is_big_endian) = &self.open[name];
        Ok(if mode == TrackMode::Audio && *is_big_endian { data.swapped() } else { data.clone() })
    }
}

fn track_plan(number: u8, track: &Track, files: &mut Files<'_>) -> Result<TrackPlan, ImageError> {
    // The first part with data shows what the sectors are.
    let mut mode = track.shape.mode;
    for part in &track.parts {
        if let Part::File { name, offset, start, is_swapped, .. } = part {
            let data = files.get(name, track.shape.mode, *is_swapped)?;
            mode = track.shape.real_mode(&data, offset.saturating_add(at(track.shape, *start)));
            break;
        }
    }
    let mut plan = TrackPlan { control: track.control, isrc: track.isrc, ..TrackPlan::new(number, mode) };
    if number == 1 {
        plan.pieces.push(Piece::empty(PREGAP));
    }
    let before = plan.blocks();
    // Index 1 as far as the parts say it.
    let mut start_by_parts = 0;
    if track.shape.mode == TrackMode::Audio && track.shape.subchannel == 0 {
        let stream = Stream::of(track, files)?;
        start_by_parts = (stream.start_by_parts / (SAMPLE * SAMPLES)) as u32;
        plan.pieces.extend(stream.piece(track.shape)?);
    } else {
        for (position, part) in track.parts.iter().enumerate() {
            plan.pieces.push(data_piece(track, mode, part, files)?);
            if track.start == Some(Length::Parts(position + 1)) {
                start_by_parts = (plan.blocks() - before) as u32;
            }
        }
    }
    let start = match track.start {
        Some(Length::Parts(_)) => start_by_parts,
        Some(length) => (at(track.shape, length) / u64::from(track.shape.stride())) as u32,
        None => 0,
    };
    plan.pregap = start.saturating_add(before as u32);
    plan.indices.clone_from(&track.indices);
    let wanted = u64::from(plan.pregap) + u64::from(track.indices.last().copied().unwrap_or(0));
    if plan.blocks() <= wanted
        && let Some(Part::File { name, is_swapped, .. }) = track.parts.last()
    {
        let data = files.get(name, mode, *is_swapped)?;
        files.cx.warn(format!(
            "{} ends before track {number} does: what is missing cannot be read",
            String::from_utf8_lossy(name)
        ));
        let missing = u32::try_from(wanted - plan.blocks()).unwrap_or(u32::MAX).saturating_add(SHORTEST_TRACK);
        plan.pieces.push(track.shape.piece(mode, missing, data.bytes.len(), &data)?);
    }
    Ok(plan)
}

/// The offset in bytes that a length makes.
fn at(shape: Shape, length: Length) -> u64 {
    match length {
        Length::Sectors(sectors) => u64::from(sectors) * u64::from(shape.stride()),
        Length::Units(samples) if shape.mode == TrackMode::Audio && shape.subchannel == 0 => {
            u64::from(samples) * SAMPLE
        }
        Length::Units(sectors) => u64::from(sectors) * u64::from(shape.stride()),
        Length::Parts(_) => 0,
    }
}

/// A part of a track of data, or of sound with subchannel: whole sectors.
fn data_piece(track: &Track, mode: TrackMode, part: &Part, files: &mut Files<'_>) -> Result<Piece, ImageError> {
    let shape = track.shape;
    let stride = u64::from(shape.stride());
    let sectors = |bytes: u64| u32::try_from(bytes.div_ceil(stride)).unwrap_or(u32::MAX);
    match part {
        Part::Empty(length) => Ok(Piece::empty(sectors(at(shape, *length)))),
        Part::File { name, offset, start, length, is_swapped } => {
            let data = files.get(name, shape.mode, *is_swapped)?;
            let offset = offset.saturating_add(at(shape, *start));
            let rest = data.bytes.len().saturating_sub(offset);
            let blocks = sectors(length.map_or(rest, |length| at(shape, length)));
            let known = (name.clone(), shape.main);
            let mut piece = shape.piece_with(mode, blocks, offset, &data, files.forms.get(&known).copied())?;
            let subchannel = piece.stored.as_mut().and_then(|stored| stored.subchannel.as_mut());
            if let Some(subchannel) = &subchannel {
                files.forms.insert(known, subchannel.form);
            }
            if let Some(subchannel) = subchannel.filter(|_| track.is_packs) {
                subchannel.form = SubchannelForm::Packs;
            }
            Ok(piece)
        }
    }
}

/// Samples of a track one after another: its parts need not be whole sectors.
struct Stream {
    parts: Vec<SharedSource>,
    bytes: u64,
    start_by_parts: u64,
}

impl Stream {
    fn of(track: &Track, files: &mut Files<'_>) -> Result<Self, ImageError> {
        let mut stream = Self { parts: Vec::new(), bytes: 0, start_by_parts: 0 };
        for (position, part) in track.parts.iter().enumerate() {
            let source: SharedSource = match part {
                Part::Empty(length) => {
                    Arc::new(PaddedSource::new(Arc::new(MemorySource::new([])), at(track.shape, *length)))
                }
                Part::File { name, offset, start, length, is_swapped } => {
                    let data = files.get(name, track.shape.mode, *is_swapped)?;
                    let offset = offset.saturating_add(at(track.shape, *start));
                    let there = data.bytes.len().saturating_sub(offset);
                    let len = length.map_or(there, |length| at(track.shape, length));
                    let slice =
                        |offset, len| SliceSource::new(Arc::clone(&data.bytes), offset, len).map_err(ImageError::io);
                    if len > there {
                        files.cx.warn(format!(
                            "{} is shorter than the TOC file says: what is missing cannot be read",
                            String::from_utf8_lossy(name)
                        ));
                        stream.push(Arc::new(slice(offset.min(data.bytes.len()), there)?));
                        Arc::new(Missing(len - there))
                    } else {
                        Arc::new(slice(offset.min(data.bytes.len()), len)?)
                    }
                }
            };
            stream.push(source);
            if track.start == Some(Length::Parts(position + 1)) {
                stream.start_by_parts = stream.bytes;
            }
        }
        Ok(stream)
    }

    fn push(&mut self, part: SharedSource) {
        if !part.is_empty() {
            self.bytes = self.bytes.saturating_add(part.len());
            self.parts.push(part);
        }
    }

    fn piece(self, shape: Shape) -> Result<Option<Piece>, ImageError> {
        let blocks = u32::try_from(self.bytes.div_ceil(SAMPLE * SAMPLES)).unwrap_or(u32::MAX);
        let source: SharedSource = match self.parts.len() {
            0 => return Ok(None),
            1 => self.parts[0].clone(),
            _ => Arc::new(ConcatSource::new(self.parts).map_err(ImageError::io)?),
        };
        shape.piece(TrackMode::Audio, blocks, 0, &Data { bytes: source, is_sound: true }).map(Some)
    }
}

/// Bytes that a file should have and has not.
#[derive(Debug)]
struct Missing(u64);

impl ByteSource for Missing {
    fn len(&self) -> u64 {
        self.0
    }

    fn read_exact_at(&self, _buf: &mut [u8], _offset: u64) -> std::io::Result<()> {
        Err(std::io::ErrorKind::UnexpectedEof.into())
    }
}

/// Whether samples without a header have the high byte first, as cdrdao writes them unless told `SWAP`. Programs differ, and the
/// files show it: from one sample to the next sound changes less than noise.
fn high_byte_first(source: &dyn ByteSource, is_swapped: bool) -> bool {
    const WINDOW: u64 = 4096;
    let (mut low_first, mut high_first) = (0_u64, 0_u64);
    let windows = 64;
    for window in 0..windows {
        let at = source.len() / windows * window / SAMPLE * SAMPLE;
        let mut bytes = vec![0; WINDOW.min(source.len() - at) as usize];
        if source.read_exact_at(&mut bytes, at).is_err() {
            continue;
        }
        let changes = |value: fn([u8; 2]) -> i16| -> u64 {
            let left: Vec<i16> = bytes.chunks_exact(4).map(|frame| value([frame[0], frame[1]])).collect();
            left.windows(2).map(|two| u64::from(two[0].abs_diff(two[1]))).sum()
        };
        low_first += changes(i16::from_le_bytes);
        high_first += changes(i16::from_be_bytes);
    }
    if low_first == high_first { !is_swapped } else { high_first < low_first }
}
