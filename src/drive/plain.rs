//! Reads that take nothing but a copy: nearly all that a drive with a file in memory is asked for, and so the shortest way through it.
//!
//! Nothing here answers: whatever is not plain, and whatever goes wrong, is [`super::read`]'s.

use super::Drive;
use super::commands::NACA;
use super::fetch::SLICE;
use super::read::check_range;
use crate::disc::BLOCK_SIZE;
use crate::scsi::Task;

impl Drive {
    /// Carries out a READ (10) or (12) of whole blocks that are stored one after another in memory, if there is room for all of them and
    /// nothing that could make it end otherwise than with GOOD. False when it is none such: nothing has happened then.
    pub(super) fn reads_plainly(&self, task: &mut Task<'_>) -> bool {
        let (blocks, control) = match task.u8(0) {
            0x28 => (u32::from(task.u16(7)), task.u8(9)),
            0xA8 => (task.u32(6), task.u8(11)),
            _ => return false,
        };
        let len = blocks as usize * BLOCK_SIZE as usize;
        // A longer one is read in parts, between which it gives way.
        if blocks > SLICE
            || len > task.data_in.left()
            || control & NACA != 0
            || self.behaviours.edc_errors
            || self.faults.concern_reads()
        {
            return false;
        }
        let Some(medium) = self.state().undisturbed(task.nexus).cloned() else { return false };
        let Ok(start) = check_range(&medium.disc, u64::from(task.u32(2)), blocks) else { return false };
        let run = medium.disc.run_of_blocks(start, blocks).filter(|_| !medium.remote);
        let given = run.is_some_and(|(source, at)| source.copy_at(task.data_in.window(len), at));
        if given {
            task.data_in.advance(len);
            self.move_head(start.plus(blocks));
        }
        given
    }
}
