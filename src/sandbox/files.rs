//! Files: what may still be opened (Landlock).

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};

use rustix::fs::{FileType, fstat};

use super::Allowed;

/// The newest kernel interface whose rights are named here; an older kernel takes away what it knows.
const NEWEST: ABI = ABI::V6;

/// Takes away every right to files, TCP, abstract sockets and signals, but for what is allowed; with `images`, files and folders,
/// also to read them and to ask for their passwords. Returns a sentence if this kernel cannot.
///
/// # Errors
/// When a folder that should be allowed cannot be opened.
pub fn restrict(allowed: &Allowed, images: Option<&[OwnedFd]>) -> io::Result<Option<String>> {
    let all = AccessFs::from_all(NEWEST);
    let made = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)
        .and_then(|rules| rules.handle_access(AccessNet::from_all(NEWEST)))
        .and_then(|rules| rules.scope(Scope::from_all(NEWEST)))
        .and_then(Ruleset::create);
    let mut rules = made.map_err(refused)?;
    for folder in &allowed.read {
        rules = allow(rules, folder, AccessFs::ReadFile | AccessFs::ReadDir)?;
    }
    if let Some(folder) = &allowed.spool {
        rules = allow(rules, folder, AccessFs::MakeReg | AccessFs::ReadFile | AccessFs::WriteFile)?;
    }
    for folder in &allowed.sockets {
        rules = allow(rules, folder, AccessFs::RemoveFile.into())?;
    }
    for image in images.into_iter().flatten() {
        let is_folder = FileType::from_raw_mode(fstat(image)?.st_mode) == FileType::Directory;
        let read = if is_folder { AccessFs::ReadFile | AccessFs::ReadDir } else { AccessFs::ReadFile.into() };
        // What is in no file system, such as a memfd, cannot be named, and is open to all who have it.
        let can_be_named = Ruleset::default().handle_access(all).and_then(Ruleset::create);
        if can_be_named.and_then(|rules| rules.add_rule(PathBeneath::new(image, read))).is_ok() {
            rules = rules.add_rule(PathBeneath::new(image, read)).map_err(refused)?;
        }
    }
    if images.is_some()
        && let Ok(terminal) = PathFd::new("/dev/tty")
    {
        let ask = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev;
        rules = rules.add_rule(PathBeneath::new(terminal, ask)).map_err(refused)?;
    }
    let status = rules.restrict_self().map_err(refused)?;
    Ok((status.ruleset == RulesetStatus::NotEnforced)
        .then(|| "this kernel has no Landlock: files that this user may read can still be opened".to_owned()))
}

fn allow(rules: RulesetCreated, folder: &Path, access: BitFlags<AccessFs>) -> io::Result<RulesetCreated> {
    let folder = PathFd::new(folder).map_err(|error| io::Error::other(error.to_string()))?;
    rules.add_rule(PathBeneath::new(folder, access)).map_err(refused)
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn refused(error: RulesetError) -> io::Error {
    io::Error::other(error.to_string())
}
