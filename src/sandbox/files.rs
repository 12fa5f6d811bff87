//! Files: what may still be opened (Landlock).

use std::io;
use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};

use super::Allowed;

/// The newest kernel interface whose rights are named here; an older kernel takes away what it knows.
const NEWEST: ABI = ABI::V6;

/// Takes away every right to files, TCP, abstract sockets and signals, but for what is allowed. Returns a sentence if this kernel
/// cannot.
///
/// # Errors
/// When a folder that should be allowed cannot be opened.
pub fn restrict(allowed: &Allowed) -> io::Result<Option<String>> {
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
