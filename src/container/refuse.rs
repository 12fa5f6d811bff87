//! Files that are no disc images but are taken for one: refused by their name, with what to do.

use super::{ImageError, ImageErrorKind, Probe};

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

/// The refusal for a file that is something else for certain.
///
/// # Errors
/// [`ImageErrorKind::NotRecognised`], saying what the file is and what to do with it.
pub fn refused_by_name(probe: &Probe<'_>) -> Result<(), ImageError> {
    match REFUSED.iter().find(|refusal| probe.has(refusal.offset, refusal.magic)) {
        Some(Refusal { what, advice, .. }) => {
            Err(ImageError::new(ImageErrorKind::NotRecognised, format!("this is {what}, not a disc image; {advice}")))
        }
        None => Ok(()),
    }
}
