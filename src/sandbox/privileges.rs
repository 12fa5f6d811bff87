//! Capabilities: none is left, and none can be had again.

use std::io;

use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities, set_no_new_privs};

/// Drops every capability of this thread and of those that it starts. Programs could not give any back, if one were run.
///
/// # Errors
/// What the kernel reports.
pub fn drop_all() -> io::Result<()> {
    set_no_new_privs(true)?;
    let none = CapabilitySet::empty();
    Ok(set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?)
}
