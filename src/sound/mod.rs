//! The sound of a disc that plays: how channels become outputs, and where it goes.
//!
//! Not responsible for when and what plays (see [`crate::drive`]).

#[cfg(feature = "host-sound")]
mod host;
mod wave;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use self::wave::WaveFile;

/// What a CD holds for one moment: left and right, 44,100 times a second.
pub type Sample = [i16; 2];

/// Bytes of a [`Sample`] on a disc, low byte first.
pub const SAMPLE_BYTES: usize = 4;

/// Where sound goes. Called by one thread, at the pace of the disc: what has played since the last call.
///
/// An implementer may block for as long as what it was given lasts, and no longer.
pub trait Sink: Send {
    /// Takes samples in order.
    ///
    /// # Errors
    /// When they are lost. The next call may succeed again.
    fn put(&mut self, samples: &[Sample]) -> io::Result<()>;

    /// Nothing more comes for the moment: what was put is brought to its end.
    ///
    /// # Errors
    /// When some of it is lost.
    fn rest(&mut self) -> io::Result<()>;
}

/// One output of the drive (CD Audio Control mode page).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port {
    /// Channels that it puts out: bit 0 left, bit 1 right; none is silence. A disc has no channels 2 and 3.
    pub channels: u8,
    /// 0 is silence, 255 the sound as it is on the disc.
    pub volume: u8,
}

/// The two outputs: left and right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports(pub [Port; 2]);

impl Ports {
    /// What the outputs make of one moment on the disc. Two channels on one output are their mean.
    #[must_use]
    pub fn mix(&self, [left, right]: Sample) -> Sample {
        let (left, right) = (i32::from(left), i32::from(right));
        self.0.map(|port| {
            let sound = match port.channels & 0b11 {
                0b00 => 0,
                0b01 => left,
                0b10 => right,
                _ => (left + right) / 2,
            };
            // As large as a sample at most.
            (sound * i32::from(port.volume) / 255) as i16
        })
    }
}

/// Which sink a person chose.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum Choice {
    /// None: discs play silently.
    #[default]
    None,
    /// A WAVE file.
    Wave(PathBuf),
    /// A playback device of the host's sound system; by its name, or the default one.
    Host(Option<String>),
}

impl Choice {
    /// Opens it.
    ///
    /// # Errors
    /// When the file cannot be written or the device cannot be opened, or this program was built without the host's sound.
    pub fn open(&self) -> io::Result<Option<Box<dyn Sink>>> {
        match self {
            Self::None => Ok(None),
            Self::Wave(path) => Ok(Some(Box::new(WaveFile::open(path)?))),
            #[cfg(feature = "host-sound")]
            Self::Host(device) => Ok(Some(Box::new(host::Device::open(device.as_deref())?))),
            #[cfg(not(feature = "host-sound"))]
            Self::Host(_) => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "this spindled was built without the host's sound (cargo build --features host-sound)",
            )),
        }
    }
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "none" => Ok(Self::None),
            None if text == "host" => Ok(Self::Host(None)),
            Some(("host", device)) if !device.is_empty() => Ok(Self::Host(Some(device.to_owned()))),
            Some(("wav", path)) if !path.is_empty() => Ok(Self::Wave(path.into())),
            _ => Err(format!("\"{text}\" is no place for sound: none, wav:FILE, host or host:DEVICE")),
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Wave(path) => write!(f, "wav:{}", path.display()),
            Self::Host(None) => f.write_str("host"),
            Self::Host(Some(device)) => write!(f, "host:{device}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_spelled_as_it_is_read() {
        for text in ["none", "wav:/tmp/a:b.wav", "host", "host:plughw:1,0"] {
            assert_eq!(text.parse::<Choice>().unwrap().to_string(), text);
        }
        for wrong in ["", "wav", "wav:", "host:", "speaker", "none:x"] {
            assert!(wrong.parse::<Choice>().unwrap_err().contains("wav:FILE"), "{wrong}");
        }
    }

    #[test]
    fn ports_mix_route_and_mute() {
        let ports = |a, b| Ports([a, b].map(|(channels, volume)| Port { channels, volume }));
        let as_it_is = ports((1, 255), (2, 255));
        for sample in [[0, 0], [i16::MIN, i16::MAX], [-1, 1], [12_345, -12_345]] {
            assert_eq!(as_it_is.mix(sample), sample);
        }
        assert_eq!(ports((2, 255), (1, 255)).mix([10, -20]), [-20, 10], "swapped");
        assert_eq!(ports((3, 255), (0, 255)).mix([i16::MIN, i16::MIN]), [i16::MIN, 0], "mono and muted");
        assert_eq!(ports((1, 51), (2, 0)).mix([1000, 1000]), [200, 0], "a fifth and none");
        assert_eq!(ports((0b1101, 255), (0b1100, 255)).mix([7, 8]), [7, 0], "no disc has four channels");
    }
}
