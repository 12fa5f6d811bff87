//! One SCSI target: routes a task to its logical unit and answers for those that do not exist.

use std::sync::Arc;

use super::{Delay, LogicalUnit, Note, Reset, Sense, SenseFormat, Status, Task, Wake};

const REQUEST_SENSE: u8 = 0x03;
const INQUIRY: u8 = 0x12;
const REPORT_LUNS: u8 = 0xA0;

/// A logical unit number in the single-level form: 0 to 16383 (SAM-6, 4.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lun(pub u16);

/// The logical units of one target; their LUN is their position. LUN 0 always exists.
pub struct Target {
    units: Vec<Arc<dyn LogicalUnit>>,
    luns: Vec<Lun>,
}

impl Target {
    /// A target of the given units. There should be at least one: without LUN 0 most initiators find nothing.
    #[must_use]
    pub fn new(units: Vec<Arc<dyn LogicalUnit>>) -> Self {
        let luns = (0..units.len()).filter_map(|index| u16::try_from(index).ok()).map(Lun).collect();
        Self { units, luns }
    }

    /// The numbers of the logical units, in order.
    #[must_use]
    pub fn luns(&self) -> &[Lun] {
        &self.luns
    }

    /// Carries out a task on `lun`.
    pub fn execute(&self, lun: Lun, task: &mut Task<'_>) -> Status {
        match self.units.get(usize::from(lun.0)) {
            Some(unit) => unit.execute(task),
            None => self.execute_nowhere(task),
        }
    }

    /// Whether a command of any unit can have a [`delay`](Self::delay).
    #[must_use]
    pub fn is_slow(&self) -> bool {
        self.units.iter().any(|unit| unit.is_slow())
    }

    /// See [`LogicalUnit::delay`].
    #[must_use]
    pub fn delay(&self, lun: Lun, task: &Task<'_>, wake: &Wake) -> Option<Delay> {
        self.units.get(usize::from(lun.0))?.delay(task, wake)
    }

    /// See [`LogicalUnit::read_ahead`].
    pub fn read_ahead(&self, lun: Lun, task: &Task<'_>) {
        if let Some(unit) = self.units.get(usize::from(lun.0)) {
            unit.read_ahead(task);
        }
    }

    /// See [`LogicalUnit::keep`].
    pub fn keep(&self, lun: Lun, note: Option<Note>) {
        if let Some(unit) = self.units.get(usize::from(lun.0)) {
            unit.keep(note);
        }
    }

    /// The [notes](LogicalUnit::notes) of all units. Of those with the same key, all: only their transport knows which it is.
    #[must_use]
    pub fn notes(&self) -> Vec<Note> {
        self.units.iter().flat_map(|unit| unit.notes()).collect()
    }

    /// A task on a logical unit that does not exist (SAM-5, 5.11): three commands are answered all the same, so that an
    /// initiator can find out what there is.
    fn execute_nowhere(&self, task: &mut Task<'_>) -> Status {
        match (task.u8(0), self.units.first()) {
            (REQUEST_SENSE, _) => {
                let descriptor = task.u8(1) & 0x01 != 0;
                let format = if descriptor { SenseFormat::Descriptor } else { SenseFormat::Fixed };
                let (data, len) = Sense::LUN_NOT_SUPPORTED.encode(format);
                task.reply(&data[..len], usize::from(task.u8(4)));
                Status::Good
            }
            (INQUIRY, _) if task.u8(1) & 0x03 == 0 && task.u8(2) == 0 => {
                let mut data = [b' '; 36];
                // Peripheral qualifier 011b, type 1Fh: no unit can be there. SPC-4; HISUP, response data format 2.
                data[..8].copy_from_slice(&[0x7F, 0, 0x06, 0x12, 31, 0, 0, 0]);
                task.reply(&data, usize::from(task.u16(3)));
                Status::Good
            }
            (INQUIRY, _) => Status::CheckCondition(Sense::INVALID_FIELD_IN_CDB, SenseFormat::Fixed),
            // The same whichever unit is asked.
            (REPORT_LUNS, Some(unit)) => unit.execute(task),
            _ => Status::CheckCondition(Sense::LUN_NOT_SUPPORTED, SenseFormat::Fixed),
        }
    }

    /// Resets one logical unit; false when there is none.
    pub fn reset_unit(&self, lun: Lun, kind: Reset) -> bool {
        self.units.get(usize::from(lun.0)).map(|unit| unit.reset(kind)).is_some()
    }

    /// Resets every logical unit.
    pub fn reset_all(&self, kind: Reset) {
        for unit in &self.units {
            unit.reset(kind);
        }
    }
}
