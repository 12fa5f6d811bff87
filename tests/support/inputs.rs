//! Real files that nobody here wrote, fetched by `qemu-scripts/lib/inputs`.

use std::path::PathBuf;

/// The input `name`, such as `libcdio/p1.nrg`: in `$SPINDLE_INPUTS`, else in `target/inputs`.
pub fn path(name: &str) -> PathBuf {
    let folder = match std::env::var_os("SPINDLE_INPUTS") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/inputs"),
    };
    let path = folder.join(name);
    assert!(path.exists(), "{} is missing: run qemu-scripts/lib/inputs, which fetches it", path.display());
    path
}
