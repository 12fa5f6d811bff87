//! READ DISC INFORMATION and READ TRACK INFORMATION (MMC-6).

use super::Context;
use super::commands::{Access, Command};
use crate::disc::{Control, Disc, Lba, MediumType, NextSession, Track, TrackMode};
use crate::scsi::{Sense, Task};

/// This topic's rows.
pub(super) static COMMANDS: &[Command] = &[
    Command {
        opcode: 0x51,
        service_action: None,
        name: "READ DISC INFORMATION",
        standard: "MMC-6",
        access: Access::MEDIUM,
        usage: &[0x51, 0x07, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0],
        run: read_disc_information,
    },
    Command {
        opcode: 0x52,
        service_action: None,
        name: "READ TRACK INFORMATION",
        standard: "MMC-6",
        access: Access::MEDIUM,
        usage: &[0x52, 0x07, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0xFF, 0xFF, 0],
        run: read_track_information,
    },
];

/// Standard disc information. Track resources (001b) and POW resources (010b) are of drives that write.
///
/// A disc to which a session can be added ends, by MMC-6, with an empty session: the invisible track is all of it.
fn read_disc_information(cx: &Context<'_>, task: &mut Task<'_>) -> Result<(), Sense> {
    let disc = cx.need_disc()?;
    if task.u8(1) & 0x07 != 0 {
        return Err(Sense::invalid_cdb_bit(1, 2));
    }
    let mut data = [0; 34];
    data[1] = 32;
    data[3] = disc.tracks().next().map_or(1, |track| track.number);
    if let Some(Invisible { track, session, at }) = Invisible::of(disc) {
        // Last session empty, disc incomplete, not erasable.
        data[2] = 0b01;
        data[4..7].copy_from_slice(&[session, track, track]);
        data[16..20].copy_from_slice(&at.program.minus(LEAD_IN).to_field(true));
        data[20..24].copy_from_slice(&at.last_lead_out.map_or([0xFF; 4], |lead_out| lead_out.to_field(true)));
    } else {
        // Last session complete, disc complete.
        data[2] = 0b11 << 2 | 0b10;
        data[4] = disc.sessions.last().map_or(1, |session| session.number);
        let last_session = disc.sessions.last().map_or(&[][..], |session| &session.tracks);
        data[5] = last_session.first().map_or(1, |track| track.number);
        data[6] = last_session.last().map_or(1, |track| track.number);
        // There is no next lead-in and no last possible lead-out.
        data[16..24].fill(0xFF);
    }
    // URU: the use of the disc is not restricted.
    data[7] = 0x20;
    data[8] = match disc.medium {
        MediumType::CdRom => disc.sessions.first().map_or(0, |session| session.disc_type() as u8),
        MediumType::DvdRom | MediumType::BdRom => 0xFF,
    };
    task.reply(&data, usize::from(task.u16(7)));
    Ok(())
}

/// Track FFh is the invisible track, which a complete disc does not have. Open asks for one that is partly written, which no
/// image holds; track 00h is the lead-in of a disc that is being written.
fn read_track_information(cx: &Context<'_>, task: &mut Task<'_>) -> Result<(), Sense> {
    let disc = cx.need_disc()?;
    let address = task.u32(2);
    if task.u8(1) & 0x04 != 0 {
        return Err(Sense::invalid_cdb_bit(1, 2));
    }
    let invisible = Invisible::of(disc);
    let refused = || Sense::invalid_cdb_byte(2);
    let number = || u8::try_from(address).map_err(|_| refused());
    // Addresses have a sign here: the pre-gap of track 1 is below zero.
    let lba = Lba(address.cast_signed());
    let (track, invisible) = match task.u8(1) & 0x03 {
        0b00 => (disc.track_at(lba), invisible.filter(|track| track.holds(lba))),
        0b01 => {
            let number = number()?;
            (disc.track(number), invisible.filter(|invisible| [invisible.track, 0xFF].contains(&number)))
        }
        0b10 => {
            let number = number()?;
            let session = disc.sessions.iter().find(|session| session.number == number);
            (
                session.and_then(|session| session.tracks.first()),
                invisible.filter(|invisible| invisible.session == number),
            )
        }
        _ => return Err(Sense::invalid_cdb_bit(1, 1)),
    };
    let by_address = task.u8(1) & 0x03 == 0;
    let data = match (track, invisible) {
        (Some(track), _) => describe(disc, track),
        (None, Some(invisible)) => invisible.describe(),
        (None, None) if by_address => return Err(Sense::LBA_OUT_OF_RANGE),
        (None, None) => return Err(refused()),
    };
    task.reply(&data, usize::from(task.u16(7)));
    Ok(())
}

/// Blocks of a lead-in, and of the pre-gap of a session's first track (Multisession CD standard).
const LEAD_IN: u32 = 4500;
const PREGAP: u32 = 150;

/// The blank track after the last one, to which a recorder would write the next session.
struct Invisible {
    track: u8,
    session: u8,
    at: NextSession,
}

impl Invisible {
    /// That of `disc`, unless it is closed, or has no number left for another track or session.
    fn of(disc: &Disc) -> Option<Self> {
        let (track, session) = (disc.tracks().next_back()?.number + 1, disc.sessions.last()?.number + 1);
        let at = disc.next_session()?;
        (track <= 99 && session <= 99).then_some(Self { track, session, at })
    }

    fn start(&self) -> Lba {
        self.at.program.plus(PREGAP)
    }

    /// Blocks that can be written.
    fn blocks(&self) -> u32 {
        self.at.last_lead_out.map_or(0, |lead_out| lead_out.since(self.start()))
    }

    fn holds(&self, lba: Lba) -> bool {
        lba >= self.start() && lba.since(self.start()) < self.blocks()
    }

    /// Blank, of no data mode yet; the first address to write, and all the room.
    fn describe(&self) -> [u8; 48] {
        let mut data = [0; 48];
        data[1..4].copy_from_slice(&[46, self.track, self.session]);
        data[5] = Control::DATA.0;
        data[6] = 1 << 6 | 0x0F;
        data[7] = 1;
        data[8..12].copy_from_slice(&self.start().0.to_be_bytes());
        data[12..16].copy_from_slice(&self.start().0.to_be_bytes());
        data[16..20].copy_from_slice(&self.blocks().to_be_bytes());
        data[24..28].copy_from_slice(&self.blocks().to_be_bytes());
        data
    }
}

/// The track information block. Next writable and last recorded address do not exist (NWA_V, LRA_V zero).
fn describe(disc: &Disc, track: &Track) -> [u8; 48] {
    let mut data = [0; 48];
    data[1] = 46;
    data[2] = track.number;
    data[3] = disc.session_of(track.number).map_or(1, |session| session.number);
    data[5] = track.control.0 & 0x0F;
    data[6] = match track.mode {
        TrackMode::Mode1 => 1,
        TrackMode::Mode2Formless | TrackMode::Mode2Xa => 2,
        TrackMode::Audio => 0x0F,
    };
    data[8..12].copy_from_slice(&track.start.0.to_be_bytes());
    data[24..28].copy_from_slice(&track.blocks().to_be_bytes());
    data
}
