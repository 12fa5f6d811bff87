//! The file that holds what a child does not: looked for beside it by its checksum.

use std::sync::Arc;

use super::content;
use super::header::{Header, Sum};
use crate::container::{ImageError, ImageErrorKind, OpenContext};
use crate::source::SharedSource;

/// Parents of parents, at most.
const DEEPEST: u32 = 8;

/// The content of the CHD beside this one whose checksum is `sum`.
pub fn open(sum: Sum, cx: &OpenContext<'_>, depth: u32) -> Result<SharedSource, ImageError> {
    if depth == DEEPEST {
        let message = format!("more than {DEEPEST} CHDs are parents of one another");
        return Err(ImageError::new(ImageErrorKind::Limit, message));
    }
    let mut names = cx.siblings.names().map_err(ImageError::io)?;
    names.retain(|name| name.to_ascii_lowercase().ends_with(b".chd") && name != cx.name.as_bytes());
    names.sort_unstable();
    for name in names {
        // The folder may be full of others, and a descriptor of each is too much.
        let Ok(source) = cx.siblings.look_at(&name) else { continue };
        let Ok(header) = Header::read(&*source) else { continue };
        if header.sums.names.contains(&sum) {
            let source = cx.open_sibling(&name)?;
            let shown = String::from_utf8_lossy(&name);
            return content(&Arc::clone(&source), &header, cx, depth + 1).map_err(|error| error.in_file(shown));
        }
    }
    let (kind, digest): (_, &[u8]) = match &sum {
        Sum::Md5(digest) => ("MD5", digest),
        Sum::Sha1(digest) => ("SHA-1", digest),
    };
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let message = format!(
        "this CHD holds only what differs from another, its parent; no .chd file beside it has the {kind} {hex}"
    );
    Err(ImageError::new(ImageErrorKind::Missing, message))
}
