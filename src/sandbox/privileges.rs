//! Capabilities: none is left in the end, and none can be had again.

use std::io;

use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_no_new_privs};

/// Drops every capability of this thread but those by which root opens the files of other users.
///
/// # Errors
/// What the kernel reports.
pub fn drop_most() -> io::Result<()> {
    set_no_new_privs(true)?;
    let files = CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH;
    let CapabilitySets { effective, permitted, .. } = capabilities(None)?;
    let (effective, permitted) = (effective & files, permitted & files);
    Ok(set_capabilities(None, CapabilitySets { effective, permitted, inheritable: CapabilitySet::empty() })?)
}

/// Drops every capability of this thread and of those that it starts. Programs could not give any back, if one were run.
///
/// # Errors
/// What the kernel reports.
pub fn drop_all() -> io::Result<()> {
    set_no_new_privs(true)?;
    let none = CapabilitySet::empty();
    Ok(set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?)
}
