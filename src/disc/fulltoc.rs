//! The full TOC: what the Q channel of every lead-in says, made from the sessions and tracks.

use super::{Control, Disc, Lba, Msf, Session, TrackMode};

/// One line of the full TOC (MMC-6, READ TOC/PMA/ATIP, format 0010b).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FullTocEntry {
    /// Session whose lead-in holds the line.
    pub session: u8,
    /// ADR: 1 for tracks and A0h to A2h, 5 for B0h and C0h.
    pub adr: u8,
    /// CONTROL.
    pub control: Control,
    /// POINT: a track number, or A0h, A1h, A2h, B0h, C0h.
    pub point: u8,
    /// MIN, SEC, FRAME: the running time of the lead-in, which images do not keep, except for B0h.
    pub time: Msf,
    /// ZERO: for B0h the number of ADR 5 lines of the lead-in.
    pub zero: u8,
    /// PMIN, PSEC, PFRAME: what the line points at.
    pub pointed: Msf,
}

/// Disc type (MMC-6, READ TOC/PMA/ATIP, PSEC of point A0h; READ DISC INFORMATION).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum DiscType {
    /// CD-DA, or CD-ROM with Mode 1.
    DaOrRom = 0x00,
    /// CD-i.
    Interactive = 0x10,
    /// CD-ROM XA.
    Xa = 0x20,
}

impl DiscType {
    /// That of a code; nothing for one that is reserved.
    #[must_use]
    pub fn of(code: u8) -> Option<Self> {
        [Self::DaOrRom, Self::Interactive, Self::Xa].into_iter().find(|kind| *kind as u8 == code)
    }
}

/// The pre-gap of a session's first track: two seconds.
const PREGAP: u32 = 150;
/// The last possible start of a lead-out on an 80-minute disc.
const LAST_LEAD_OUT: Msf = Msf { minute: 79, second: 59, frame: 74 };
/// Where the first lead-in of a disc begins when nothing says otherwise.
const FIRST_LEAD_IN: Msf = Msf { minute: 95, second: 0, frame: 0 };

impl FullTocEntry {
    /// ADR of the lines that tell of other sessions.
    const MODE_5: u8 = 5;

    /// The line whose 11 bytes are laid out as READ TOC/PMA/ATIP returns them: session, ADR and CONTROL, TNO, POINT, times.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 11]) -> Self {
        let [session, q, _, point, minute, second, frame, zero, pointed @ ..] = bytes;
        let [pointed_minute, pointed_second, pointed_frame] = pointed;
        Self {
            session,
            adr: q >> 4,
            control: Control(q & 0xF),
            point,
            time: Msf { minute, second, frame },
            zero,
            pointed: Msf { minute: pointed_minute, second: pointed_second, frame: pointed_frame },
        }
    }

    /// The inverse of [`from_bytes`](Self::from_bytes).
    #[must_use]
    pub fn to_bytes(self) -> [u8; 11] {
        let (Msf { minute, second, frame }, pointed) = (self.time, self.pointed);
        let q = self.control.with_adr(self.adr);
        let place = [pointed.minute, pointed.second, pointed.frame];
        [self.session, q, 0, self.point, minute, second, frame, self.zero, place[0], place[1], place[2]]
    }

    /// The disc type, if this line tells it.
    #[must_use]
    pub fn disc_type(&self) -> Option<DiscType> {
        (self.point == 0xA0).then(|| DiscType::of(self.pointed.second)).flatten()
    }

    /// Whether it tells of other sessions, and not of a track of its own.
    #[must_use]
    pub fn is_mode_5(&self) -> bool {
        self.adr == Self::MODE_5
    }
}

/// Where a session could be written that is not there yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextSession {
    /// The start of its program area: the pre-gap of its first track.
    pub program: Lba,
    /// Where its lead-out could start at the latest, if the disc says so.
    pub last_lead_out: Option<Lba>,
}

impl Disc {
    /// What the last lead-in says about a session after it: nothing for a disc that is closed.
    #[must_use]
    pub fn next_session(&self) -> Option<NextSession> {
        let last = self.sessions.last()?;
        let line = last.mode_5.iter().find(|line| line.point == 0xB0)?;
        let program = line.time.checked_lba().filter(|program| *program >= last.lead_out)?;
        let last_lead_out = line.pointed.checked_lba().filter(|lead_out| *lead_out > program);
        Some(NextSession { program, last_lead_out })
    }

    /// The lines of every lead-in from session `from` on: per session A0h, A1h, A2h, its tracks, and the lines of mode 5: those
    /// that the image stores, else when another session follows B0h, with C0h in the first.
    pub fn full_toc(&self, from: u8) -> Vec<FullTocEntry> {
        let mut lines = Vec::new();
        for (index, session) in self.sessions.iter().enumerate().filter(|(_, session)| session.number >= from) {
            session.push_lines(&mut lines);
            lines.extend(session.mode_5.iter().map(|line| FullTocEntry { session: session.number, ..*line }));
            if let Some(next) = self.sessions.get(index + 1).filter(|_| session.mode_5.is_empty()) {
                self.push_multi_session_lines(session, next, index == 0, &mut lines);
            }
        }
        lines
    }

    /// ECMA-130, 22.3.4, mode 5 as CD-R systems use it: where the next program area begins, and in the first session
    /// where the disc does.
    fn push_multi_session_lines(&self, session: &Session, next: &Session, first: bool, lines: &mut Vec<FullTocEntry>) {
        let control = session.tracks.last().map_or(Control::DATA, |track| track.control);
        let next_program = next.tracks.first().map_or(session.lead_out, |track| track.start.minus(PREGAP));
        let line = FullTocEntry {
            session: session.number,
            adr: FullTocEntry::MODE_5,
            control,
            point: 0xB0,
            time: next_program.to_msf(),
            zero: 1 + u8::from(first),
            pointed: self.lead_out().max(LAST_LEAD_OUT.to_lba()).to_msf(),
        };
        lines.push(line);
        if first {
            lines.push(FullTocEntry { point: 0xC0, time: Msf::default(), zero: 0, pointed: FIRST_LEAD_IN, ..line });
        }
    }
}

impl Session {
    /// Disc type of the session's lead-in: as the image stores it, else by whether a track is CD-ROM XA.
    #[must_use]
    pub fn disc_type(&self) -> DiscType {
        let is_xa = self.tracks.iter().any(|track| track.mode == TrackMode::Mode2Xa);
        self.stored_type.unwrap_or(if is_xa { DiscType::Xa } else { DiscType::DaOrRom })
    }

    fn push_lines(&self, lines: &mut Vec<FullTocEntry>) {
        let (Some(first), Some(last)) = (self.tracks.first(), self.tracks.last()) else { return };
        let mut line = |control, point, pointed| {
            let (session, time) = (self.number, Msf::default());
            lines.push(FullTocEntry { session, adr: 1, control, point, time, zero: 0, pointed });
        };
        line(first.control, 0xA0, Msf { minute: first.number, second: self.disc_type() as u8, frame: 0 });
        line(last.control, 0xA1, Msf { minute: last.number, second: 0, frame: 0 });
        line(last.control, 0xA2, Lba::to_msf(self.lead_out));
        for track in &self.tracks {
            line(track.control, track.number, track.start.to_msf());
        }
    }
}
