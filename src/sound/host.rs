//! A playback device of the host, through ALSA's library: sound cards, and PipeWire or PulseAudio by their plug-ins.

use std::io;

use alsa::pcm::{Access, Format, HwParams, PCM};
use alsa::{Direction, ValueOr};
use log::debug;

use super::{Sample, Sink};

const RATE: u32 = 44_100;
/// The device holds half a second, and begins to play when it has three tenths: the next part of a play is never so late.
const HELD: i64 = RATE as i64 / 2;
const BEGIN: i64 = RATE as i64 * 3 / 10;

/// A device. It is open as long as the drive is there: the daemon can open nothing later.
pub struct Device {
    name: String,
    pcm: PCM,
}

impl Device {
    /// The device `name`, or the default one.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(name: Option<&str>) -> io::Result<Self> {
        let name = name.unwrap_or("default").to_owned();
        Ok(Self { pcm: pcm(&name)?, name })
    }
}

/// Opens a device for the sound of a CD.
fn pcm(name: &str) -> io::Result<PCM> {
    let opened = || {
        let pcm = PCM::new(name, Direction::Playback, false)?;
        {
            let hardware = HwParams::any(&pcm)?;
            hardware.set_rate_resample(true)?;
            hardware.set_access(Access::RWInterleaved)?;
            hardware.set_format(Format::S16LE)?;
            hardware.set_channels(2)?;
            hardware.set_rate(RATE, ValueOr::Nearest)?;
            hardware.set_buffer_size_near(HELD)?;
            pcm.hw_params(&hardware)?;
            let software = pcm.sw_params_current()?;
            software.set_start_threshold(BEGIN.min(hardware.get_buffer_size()?))?;
            pcm.sw_params(&software)?;
        }
        Ok(pcm)
    };
    opened().map_err(|error: alsa::Error| io::Error::other(format!("sound device {name}: {error}")))
}

impl Sink for Device {
    fn put(&mut self, samples: &[Sample]) -> io::Result<()> {
        let mut left = samples.as_flattened();
        while !left.is_empty() {
            match self.pcm.io_i16().map_err(lost)?.writei(left) {
                Ok(frames) => left = &left[frames * 2..],
                // It ran dry or was suspended.
                Err(error) => {
                    debug!("sound device {}: {error}", self.name);
                    self.pcm.try_recover(error, true).map_err(lost)?;
                }
            }
        }
        Ok(())
    }

    fn rest(&mut self) -> io::Result<()> {
        self.pcm.drain().and_then(|()| self.pcm.prepare()).map_err(lost)
    }
}

fn lost(error: alsa::Error) -> io::Error {
    io::Error::other(error.to_string())
}
