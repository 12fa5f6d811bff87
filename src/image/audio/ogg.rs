//! Vorbis in Ogg (RFC 3533; Vorbis I specification, A): the pages are the index; packets are decoded by symphonia.
//!
//! Length: the position of the last page, as the encoder wrote it: sample-exact.

use std::io;

use symphonia::core::codecs::audio::well_known::CODEC_ID_VORBIS;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::packet::PacketRef;
use symphonia::core::units::{Duration, Timestamp};
use symphonia::default::codecs::VorbisDecoder;

use super::super::ImageError;
use super::{Sound, damaged, downmix};
use crate::source::{ByteSource, SharedSource};

/// An Ogg file with one stream of Vorbis.
#[derive(Debug)]
pub struct Ogg {
    source: SharedSource,
    parameters: AudioCodecParameters,
    rate: u32,
    weights: Vec<[f32; 2]>,
    serial: u32,
    /// Where the first page with sound lies.
    first: u64,
    /// Pages: where they lie, and the position at which the last packet that ends in them ends. At least [`SPACING`] bytes apart.
    pages: Vec<(u64, u64)>,
    /// Position of the first and behind the last sample.
    start: u64,
    end: u64,
}

/// A page.
struct Page {
    serial: u32,
    /// The position at its end; nothing when no packet ends in it.
    position: Option<u64>,
    /// The first packet began in a page before.
    is_continued: bool,
    /// The sizes of its segments.
    segments: Vec<u8>,
    /// Where its content lies.
    body: u64,
    /// Where the next page lies.
    end: u64,
}

const HEADER: usize = 27;
/// Bytes from one page of the index to the next, at least.
const SPACING: u64 = 4096;
/// Pages that are looked at, at most: the sound of a whole disc has some ten thousand.
const MOST_PAGES: u32 = 1 << 20;
/// Bytes of a packet, at most: the texts in a header may hold pictures, but no sound is so long.
const LONGEST_PACKET: usize = 16 << 20;
/// Bytes of the packet with the tables of the decoder, at most.
const LONGEST_SETUP: usize = 1 << 20;

impl Page {
    fn at(source: &dyn ByteSource, at: u64) -> io::Result<Self> {
        let mut header = [0; HEADER];
        source.read_exact_at(&mut header, at)?;
        if !header.starts_with(b"OggS\0") {
            return Err(damaged("no Ogg page where one should begin"));
        }
        let mut segments = vec![0; usize::from(header[26])];
        let body = at + HEADER as u64 + segments.len() as u64;
        source.read_exact_at(&mut segments, at + HEADER as u64)?;
        let position = u64::from_le_bytes([6, 7, 8, 9, 10, 11, 12, 13].map(|at| header[at]));
        let end = body + segments.iter().map(|&len| u64::from(len)).sum::<u64>();
        Ok(Self {
            serial: u32::from_le_bytes([header[14], header[15], header[16], header[17]]),
            position: (position >> 63 == 0).then_some(position),
            is_continued: header[5] & 1 != 0,
            segments,
            body,
            end,
        })
    }
}

/// The packets of one stream from a page on.
struct Packets<'a> {
    source: &'a dyn ByteSource,
    serial: u32,
    /// Where the next page lies.
    at: u64,
    partial: Vec<u8>,
    /// Nothing of the packet that the first page continues is known.
    skips: bool,
}

impl<'a> Packets<'a> {
    fn new(source: &'a dyn ByteSource, serial: u32, at: u64) -> Self {
        Self { source, serial, at, partial: Vec::new(), skips: true }
    }

    /// The packets that end in the next page of the stream, and the position at its end.
    fn next_page(&mut self) -> io::Result<(Vec<Vec<u8>>, Option<u64>)> {
        let page = loop {
            let page = Page::at(self.source, self.at)?;
            self.at = page.end;
            if page.serial == self.serial {
                break page;
            }
        };
        let mut body = vec![0; (page.end - page.body) as usize];
        self.source.read_exact_at(&mut body, page.body)?;
        self.skips &= page.is_continued;
        // Else a file that says of no page where it is would be decoded to its end to find that out (RFC 3533, 6).
        if page.position.is_none() && page.segments.iter().any(|len| *len < 255) {
            return Err(damaged("a packet ends in an Ogg page that does not say where"));
        }
        let (mut packets, mut at) = (Vec::new(), 0);
        for &len in &page.segments {
            let segment = &body[at..at + usize::from(len)];
            at += usize::from(len);
            if self.partial.len() + segment.len() > LONGEST_PACKET {
                return Err(damaged("an Ogg packet is too long"));
            }
            self.partial.extend_from_slice(segment);
            // A full segment goes on in the next.
            if len < 255 {
                let packet = std::mem::take(&mut self.partial);
                if !std::mem::take(&mut self.skips) {
                    packets.push(packet);
                }
            }
        }
        Ok((packets, page.position))
    }
}

impl Ogg {
    /// The file.
    ///
    /// # Errors
    /// When it holds something else than Vorbis, or is damaged where it describes itself.
    pub fn open(source: &SharedSource) -> Result<Self, ImageError> {
        let serial = Page::at(&**source, 0).map_err(ImageError::io)?.serial;
        let mut packets = Packets::new(&**source, serial, 0);
        let mut headers = Vec::new();
        while headers.len() < 3 {
            let (next, _) = packets.next_page().map_err(ImageError::io)?;
            headers.extend(next);
            let vorbis = headers.first().is_none_or(|ident| ident.starts_with(b"\x01vorbis") && ident.len() >= 30);
            if !vorbis {
                return Err(ImageError::unsupported("Ogg with something else than Vorbis; convert it to FLAC or WAVE"));
            }
        }
        let (ident, setup) = (&headers[0], &headers[2]);
        if setup.len() > LONGEST_SETUP {
            return Err(ImageError::invalid("the tables of the Vorbis decoder are too long"));
        }
        let mut parameters = AudioCodecParameters::new();
        parameters.for_codec(CODEC_ID_VORBIS).with_extra_data([&ident[..], setup].concat().into_boxed_slice());
        let rate = u32::from_le_bytes([ident[12], ident[13], ident[14], ident[15]]);
        let first = packets.at;
        let mut ogg = Self {
            source: source.clone(),
            parameters,
            rate,
            weights: downmix(usize::from(ident[11])),
            serial,
            first,
            pages: Vec::new(),
            start: 0,
            end: 0,
        };
        ogg.index();
        ogg.start = ogg.position_of_first().map_err(ImageError::io)?;
        Ok(ogg)
    }

    /// Notes the pages up to the end, or to where the file is damaged.
    fn index(&mut self) {
        let mut at = self.first;
        for _ in 0..MOST_PAGES {
            let Ok(page) = Page::at(&*self.source, at) else { break };
            if page.end > self.source.len() {
                break;
            }
            if let Some(position) = page.position.filter(|&position| page.serial == self.serial && position >= self.end)
            {
                self.end = position;
                if self.pages.last().is_none_or(|last| at - last.0 >= SPACING) {
                    self.pages.push((at, position));
                }
            }
            at = page.end;
        }
    }

    /// Where the first sample is: the first page with a position says where it ends. It is 0 but for a piece of a longer stream.
    fn position_of_first(&self) -> io::Result<u64> {
        let mut decoder = self.decoder()?;
        let mut packets = Packets::new(&*self.source, self.serial, self.first);
        let mut samples = 0;
        loop {
            let (page, position) = packets.next_page()?;
            for packet in page {
                samples += self.samples_of(&mut decoder, &packet).len() as u64;
            }
            if let Some(position) = position {
                return Ok(position.saturating_sub(samples));
            }
        }
    }

    fn decoder(&self) -> io::Result<VorbisDecoder> {
        let decoder = VorbisDecoder::try_new(&self.parameters, &AudioDecoderOptions::default());
        decoder.map_err(|_| damaged("the tables of the Vorbis decoder are damaged"))
    }

    /// What a packet decodes to; nothing when it does not.
    fn samples_of(&self, decoder: &mut VorbisDecoder, packet: &[u8]) -> Vec<[f32; 2]> {
        let packet = PacketRef::new(0, Timestamp::new(0), Duration::new(0), packet);
        let Ok(buffer) = decoder.decode_ref(&packet) else { return Vec::new() };
        let mut planes: Vec<Vec<f32>> = Vec::new();
        buffer.copy_to_vecs_planar(&mut planes);
        let mut samples = vec![[0.0; 2]; buffer.frames()];
        for (plane, weight) in planes.iter().zip(&self.weights) {
            for (sample, value) in samples.iter_mut().zip(plane) {
                sample[0] += weight[0] * value;
                sample[1] += weight[1] * value;
            }
        }
        samples
    }
}

impl Sound for Ogg {
    fn rate(&self) -> u32 {
        self.rate
    }

    fn frames(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    fn read(&self, first: u64, out: &mut [[f32; 2]]) -> io::Result<()> {
        let first = first + self.start;
        let end = first + out.len() as u64;
        let mut decoder = self.decoder()?;
        let before = self.pages.partition_point(|&(_, position)| position <= first).checked_sub(1);
        let (at, mut position) = match before {
            // The packets of this page are decoded for what they leave to the next.
            Some(before) => (self.pages[before].0, None),
            None => (self.first, Some(self.start)),
        };
        let mut packets = Packets::new(&*self.source, self.serial, at);
        while position.is_none_or(|position| position < end) {
            let (page, page_end) = packets.next_page()?;
            for packet in page {
                let samples = self.samples_of(&mut decoder, &packet);
                let Some(position) = &mut position else { continue };
                for (sample, values) in (*position..).zip(&samples) {
                    if let Some(out) = sample.checked_sub(first).and_then(|at| out.get_mut(at as usize)) {
                        *out = *values;
                    }
                }
                *position += samples.len() as u64;
            }
            if position.is_none() {
                position = page_end;
            }
        }
        Ok(())
    }
}
