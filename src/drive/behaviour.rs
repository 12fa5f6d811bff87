//! What a drive does only when it is asked to: the slowness and the errors of hardware.

use std::fmt;
use std::str::FromStr;

/// Behaviours that are on. All are off unless somebody asks for them: a virtual drive is there to be fast.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Behaviours {
    /// Blocks come at the speed of the medium under the head, and no faster than SET CD SPEED or SET STREAMING allow.
    pub real_speed: bool,
    /// The head takes time to move, and the disc to turn: by its data position measurement, where the image has one.
    pub seek_delay: bool,
    /// A data sector whose EDC is wrong is an error, and so is one that the image marks as unreadable.
    pub edc_errors: bool,
}

const NONE: &str = "none";
/// Name and field of each.
type Field = fn(&mut Behaviours) -> &mut bool;
const NAMES: [(&str, Field); 3] = [
    ("real-speed", |behaviours| &mut behaviours.real_speed),
    ("seek-delay", |behaviours| &mut behaviours.seek_delay),
    ("edc-errors", |behaviours| &mut behaviours.edc_errors),
];

impl Behaviours {
    /// Whether commands take time.
    #[must_use]
    pub fn slow(self) -> bool {
        self.real_speed || self.seek_delay
    }
}

impl FromStr for Behaviours {
    type Err = String;

    /// Names with `+` between them, or `none`.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut behaviours = Self::default();
        if text == NONE {
            return Ok(behaviours);
        }
        for name in text.split('+') {
            let Some((_, field)) = NAMES.iter().find(|(known, _)| *known == name) else {
                let known = NAMES.map(|(known, _)| known).join(", ");
                return Err(format!("there is no behaviour \"{name}\": {known}, or {NONE} alone"));
            };
            *field(&mut behaviours) = true;
        }
        Ok(behaviours)
    }
}

impl fmt::Display for Behaviours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on: Vec<_> = NAMES.iter().filter(|(_, field)| *field(&mut { *self })).map(|(name, _)| *name).collect();
        f.write_str(if on.is_empty() { NONE } else { "" })?;
        f.write_str(&on.join("+"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_behaviours_are_the_same() {
        let parsed: Behaviours = "edc-errors+real-speed".parse().unwrap();
        assert_eq!(parsed, Behaviours { real_speed: true, edc_errors: true, ..Behaviours::default() });
        assert_eq!(parsed.to_string(), "real-speed+edc-errors");
        assert_eq!("none".parse(), Ok(Behaviours::default()));
        assert_eq!(Behaviours::default().to_string(), "none");
        assert!(
            "seek-delay".parse::<Behaviours>().unwrap().slow() && !"edc-errors".parse::<Behaviours>().unwrap().slow()
        );
        for wrong in ["", "fast", "real-speed,seek-delay", "real-speed+"] {
            assert!(wrong.parse::<Behaviours>().unwrap_err().contains("seek-delay"), "{wrong}");
        }
    }
}
