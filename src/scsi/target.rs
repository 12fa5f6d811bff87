//! One SCSI target: routes a task to its logical unit and answers for those that do not exist.

use std::sync::Arc;

use super::{LogicalUnit, Reset, Sense, SenseFormat, Status, Task};

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
            None => Status::CheckCondition(Sense::LUN_NOT_SUPPORTED, SenseFormat::Fixed),
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
