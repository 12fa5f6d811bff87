//! Rock Ridge (IEEE P1282, RRIP): POSIX names, attributes, links and relocated directories.

use super::read::Fields;
use super::{FsError, Kind, Timestamp, susp};
use crate::disc::Disc;

/// Bytes of a name over all its NM entries. POSIX allows 255.
const MAX_NAME: usize = 1024;
/// Bytes of a symbolic link over all its SL entries. Linux allows 4,095.
const MAX_LINK: usize = 8192;

/// File type bits of a POSIX mode (4.1.1, PX).
const TYPE: u32 = 0o170_000;

/// What the system use fields of one record say.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    /// NM.
    pub name: Option<Vec<u8>>,
    /// PX: type and permissions.
    pub mode: Option<u32>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    /// SL, joined.
    pub link: Option<Vec<u8>>,
    /// TF: modification, else creation.
    pub modified: Option<Timestamp>,
    /// CL: the block of the directory that this record stands for.
    pub child: Option<u32>,
    /// RE: the directory belongs elsewhere in the tree.
    pub relocated: bool,
    /// ZF: size before compression.
    pub zisofs: Option<u32>,
    /// Continuation areas that were read for it.
    pub areas: usize,
    name_ends: bool,
    link_part_continues: bool,
}

/// Whether the root's own record shows Rock Ridge; gives the bytes to skip in every other record (SUSP, SP).
pub(super) fn detect(disc: &Disc, system_use: &[u8]) -> Option<usize> {
    let sp = system_use.part(0, 7);
    if sp.part(0, 2) != b"SP" || sp.part(4, 2) != [0xBE, 0xEF] {
        return None;
    }
    let mut seen = false;
    // A continuation that cannot be read hides ER only; PX stands in the record itself.
    let _ = susp::entries(disc, system_use, &mut 0, &mut |signature, entry| match &signature {
        b"ER" => {
            let id = entry.part(8, usize::from(entry.u8(4)));
            seen |= matches!(id, b"RRIP_1991A" | b"IEEE_P1282" | b"IEEE_1282");
        }
        // Some writers leave ER out.
        b"PX" | b"RR" => seen = true,
        _ => {}
    });
    seen.then_some(usize::from(sp.u8(6)))
}

impl Attributes {
    /// Reads the entries of one record.
    ///
    /// # Errors
    /// When a continuation cannot be read; what came before it is kept.
    pub(super) fn read(&mut self, disc: &Disc, system_use: &[u8]) -> Result<(), FsError> {
        let mut areas = 0;
        let read = susp::entries(disc, system_use, &mut areas, &mut |signature, entry| self.entry(signature, entry));
        self.areas = areas;
        read
    }

    /// The kind of a record that is no directory.
    pub(super) fn kind(&self) -> Kind {
        match self.mode.map(|mode| mode & TYPE) {
            Some(0o120_000) => Kind::Symlink(self.link.clone().unwrap_or_default()),
            Some(0o060_000) => Kind::BlockDevice,
            Some(0o020_000) => Kind::CharDevice,
            Some(0o010_000) => Kind::Fifo,
            Some(0o140_000) => Kind::Socket,
            _ => Kind::File,
        }
    }

    fn entry(&mut self, signature: [u8; 2], entry: &[u8]) {
        match &signature {
            b"PX" if entry.len() >= 36 => {
                self.mode = Some(entry.le32(4));
                self.uid = Some(entry.le32(20));
                self.gid = Some(entry.le32(28));
            }
            b"NM" if entry.len() >= 5 => self.name_part(entry.u8(4), entry.part(5, 255)),
            b"SL" if entry.len() >= 5 => self.link_parts(entry.part(5, 255)),
            b"CL" if entry.len() >= 12 => self.child = Some(entry.le32(4)),
            b"RE" => self.relocated = true,
            b"TF" if entry.len() >= 5 => self.times(entry),
            b"ZF" if entry.len() >= 16 && entry.part(4, 2) == b"pz" => self.zisofs = Some(entry.le32(8)),
            _ => {}
        }
    }

    /// 4.1.4, NM: bit 0 says that the name continues in the next NM; bits 1 and 2 are `.` and `..`.
    fn name_part(&mut self, flags: u8, part: &[u8]) {
        if self.name_ends || flags & 0b110 != 0 {
            return;
        }
        let name = self.name.get_or_insert_default();
        let room = MAX_NAME - name.len();
        name.extend_from_slice(part.part(0, room));
        self.name_ends = flags & 1 == 0;
    }

    /// 4.1.3.1, SL: components of flags, length and content.
    fn link_parts(&mut self, mut parts: &[u8]) {
        let link = self.link.get_or_insert_default();
        while let [flags, len, rest @ ..] = parts {
            let content = rest.part(0, usize::from(*len));
            parts = rest.get(usize::from(*len)..).unwrap_or(&[]);
            let text: &[u8] = match flags & 0b1110 {
                0b0010 => b".",
                0b0100 => b"..",
                0b1000 => b"",
                _ => content,
            };
            if link.len() + text.len() + 1 > MAX_LINK {
                return;
            }
            if !self.link_part_continues && !link.is_empty() && !link.ends_with(b"/") {
                link.push(b'/');
            }
            link.extend_from_slice(text);
            if flags & 0b1000 != 0 {
                link.clear();
                link.push(b'/');
            }
            self.link_part_continues = flags & 1 != 0;
        }
    }

    /// 4.1.6, TF: one stamp for each of the low seven bits that is set; bit 7 chooses the long form.
    fn times(&mut self, entry: &[u8]) {
        let flags = entry.u8(4);
        let long = flags & 0x80 != 0;
        let size = if long { 17 } else { 7 };
        let stamp = |bit: u8| {
            (flags & bit != 0).then_some(())?;
            let before = (flags & (bit - 1) & 0x7F).count_ones() as usize;
            let field = entry.part(5 + before * size, size);
            if long { Timestamp::from_iso_long(field) } else { Timestamp::from_iso_short(field) }
        };
        self.modified = stamp(1 << 1).or_else(|| stamp(1)).or(self.modified);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_joined_from_its_components() {
        let mut attributes = Attributes::default();
        attributes.entry(*b"SL", b"SL\x15\x01\x00\x08\x00\x00\x03usr\x01\x02sh");
        attributes.entry(*b"SL", b"SL\x0D\x01\x00\x00\x03are\x04\x00\x02\x00");
        assert_eq!(attributes.link.as_deref(), Some(&b"/usr/share/../."[..]));
    }

    #[test]
    fn a_name_continues_over_entries_and_stops_when_it_says_so() {
        let mut attributes = Attributes::default();
        attributes.entry(*b"NM", b"NM\x08\x01\x01abc");
        attributes.entry(*b"NM", b"NM\x08\x01\x00def");
        attributes.entry(*b"NM", b"NM\x08\x01\x00xyz");
        assert_eq!(attributes.name.as_deref(), Some(&b"abcdef"[..]));
    }

    #[test]
    fn the_modification_time_is_found_behind_the_creation_time() {
        let mut attributes = Attributes::default();
        attributes.entry(*b"TF", &[b'T', b'F', 19, 1, 0b11, 126, 1, 1, 0, 0, 0, 0, 126, 2, 2, 0, 0, 0, 0]);
        assert_eq!(attributes.modified.map(|time| time.month), Some(2));
    }
}
