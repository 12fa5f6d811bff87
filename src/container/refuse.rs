//! Files that are no disc images but are taken for one: refused by their name, with what to do.

use super::{ImageError, ImageErrorKind, Probe, Score};

/// A signature, where it is, and what the file is.
struct Refusal {
    offset: usize,
    magic: &'static [u8],
    what: &'static str,
    advice: &'static str,
}

const DISK: &str = "attach it to the machine as a disk";

static REFUSED: &[Refusal] = &[
    Refusal { offset: 0, magic: b"PK\x03\x04", what: "a ZIP archive", advice: "unpack it first: unzip FILE" },
    Refusal { offset: 0, magic: b"7z\xBC\xAF\x27\x1C", what: "a 7z archive", advice: "unpack it first: 7z x FILE" },
    Refusal { offset: 0, magic: b"Rar!\x1A\x07", what: "a RAR archive", advice: "unpack it first: unar FILE" },
    Refusal { offset: 257, magic: b"ustar", what: "a tar archive", advice: "unpack it first: tar -xf FILE" },
    Refusal { offset: 0, magic: b"QFI\xFB", what: "a hard-disk image (qcow2)", advice: DISK },
    Refusal { offset: 0, magic: b"QED\0", what: "a hard-disk image (QED)", advice: DISK },
    Refusal { offset: 0, magic: b"KDMV", what: "a hard-disk image (VMDK)", advice: DISK },
    Refusal { offset: 0, magic: b"# Disk DescriptorFile", what: "a hard-disk image (VMDK)", advice: DISK },
    Refusal { offset: 0, magic: b"vhdxfile", what: "a hard-disk image (VHDX)", advice: DISK },
    Refusal { offset: 0, magic: b"conectix", what: "a hard-disk image (VHD)", advice: DISK },
    Refusal { offset: 0x40, magic: b"\x7F\x10\xDA\xBE", what: "a hard-disk image (VDI)", advice: DISK },
];

/// The refusal for a file that is something else for certain, where a format has claimed it with the score `found`.
///
/// # Errors
/// [`ImageErrorKind::NotRecognised`], saying what the file is and what to do with it.
pub fn refused_by_name(probe: &Probe<'_>, found: Score) -> Result<(), ImageError> {
    let signed = REFUSED.iter().find(|refusal| probe.has(refusal.offset, refusal.magic));
    let (what, advice) = match signed {
        Some(Refusal { what, advice, .. }) => (*what, *advice),
        // Of a fixed size, it has its footer alone.
        None if probe.ends_with(512, b"conectix") => ("a hard-disk image (VHD)", DISK),
        None if is_partitioned(probe) => ("a hard-disk image (with partitions)", DISK),
        // Nobody has published how Power2Go lays out its images: where no sectors are found, the name is all there is.
        None if found <= Score::Fallback && probe.name.to_ascii_lowercase().ends_with(".p2i") => {
            ("a Power2Go image in which no sectors can be found", "convert it to ISO with the program that made it")
        }
        None => return Ok(()),
    };
    Err(ImageError::new(ImageErrorKind::NotRecognised, format!("this is {what}, not a disc image; {advice}")))
}

/// A partition table, MBR or GPT, in which every entry makes sense and one is in use. The boot sector of a FAT volume has code
/// in its place.
fn is_partitioned(probe: &Probe<'_>) -> bool {
    if !probe.has(510, &[0x55, 0xAA]) {
        return false;
    }
    let entries = probe.head.get(446..510).unwrap_or_default().chunks_exact(16);
    let number = |field: &[u8]| field.iter().rev().fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
    let mut used = 0;
    for entry in entries {
        let (kind, start, sectors) = (entry[4], number(&entry[8..12]), number(&entry[12..16]));
        match (entry[0], kind) {
            (0, 0) if start == 0 && sectors == 0 => {}
            (0 | 0x80, 1..) if start > 0 && sectors > 0 => used += 1,
            _ => return false,
        }
    }
    used > 0
}
