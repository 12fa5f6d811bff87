//! The vhost-user sockets, and which drives are behind each: a target for every socket.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::Args;
use super::spec::DriveSpec;
use crate::cli::error::{CliError, Exit};
use crate::control::Attached;
use crate::drive::Drive;
use crate::sys::maker::SocketMaker;
use crate::sys::socket::{BoundSocket, Inherited, inherited};
use crate::vhost_user::{Endpoint, Relay};

/// Logical units of one target at most.
const MOST_DRIVES: usize = 256;

/// The drives behind one socket, by their place in the list of all; the first is LUN 0.
#[derive(Debug, PartialEq, Eq)]
pub struct Group {
    /// The drives' own socket, else that of the daemon.
    path: Option<PathBuf>,
    drives: Vec<usize>,
}

impl Group {
    /// Where its socket is, unless that is inherited.
    pub fn path_by<'a>(&'a self, args: &'a Args) -> Option<&'a Path> {
        self.path.as_deref().or(args.socket_path.as_deref())
    }
}

/// A target that front-ends can reach.
pub struct Target {
    /// Where they come from.
    pub endpoint: Endpoint,
    /// The socket that was made for them, whose file is removed with this.
    pub socket: Option<BoundSocket>,
    /// Its drives.
    pub drives: Vec<Arc<Drive>>,
}

/// Which drives belong together, in the order of the first of each.
///
/// # Errors
/// When drives have no socket, a socket no drives, or more than LUNs.
pub fn group(specs: &[DriveSpec], args: &Args) -> Result<Vec<Group>, CliError> {
    let usage = |reason: &str| CliError::new(Exit::Usage, reason);
    let mut groups: Vec<Group> = Vec::new();
    for (index, spec) in specs.iter().enumerate() {
        let path = spec.socket.clone().filter(|path| args.socket_path.as_ref() != Some(path));
        match groups.iter_mut().find(|group| group.path == path) {
            Some(group) => group.drives.push(index),
            None => groups.push(Group { path, drives: vec![index] }),
        }
    }
    let wanted = groups.iter().any(|group| group.path.is_none());
    match (wanted, args.socket_path.is_some() || args.fd.is_some()) {
        (true, false) => return Err(usage("give --socket-path or --fd, or every --drive a socket=")),
        (false, true) => return Err(usage("every --drive has a socket= of its own; leave --socket-path and --fd out")),
        _ => {}
    }
    if groups.iter().any(|group| group.drives.len() > MOST_DRIVES) {
        return Err(usage("one target has at most 256 drives; give others a socket= of their own"));
    }
    Ok(groups)
}

/// Whether drives other than this one are behind its socket.
pub fn has_others(groups: &[Group], drive: usize) -> bool {
    groups.iter().any(|group| group.drives.len() > 1 && group.drives.contains(&drive))
}

/// Opens the sockets, which `maker` makes in the order of the groups.
///
/// # Errors
/// When one cannot be made; those made before are gone then.
pub fn open(
    groups: &[Group],
    drives: &[Arc<Drive>],
    args: &Args,
    maker: &mut SocketMaker,
    mut inherited: Option<Endpoint>,
) -> Result<Vec<Target>, CliError> {
    let open = |group: &Group| {
        let path = group.path_by(args);
        let (endpoint, socket) = match (group.path.is_none().then(|| inherited.take()).flatten(), path) {
            (Some(endpoint), _) => (endpoint, None),
            (None, Some(path)) => listen(path, maker).map(|(endpoint, socket)| (endpoint, Some(socket)))?,
            (None, None) => return Err(CliError::new(Exit::Usage, "give --socket-path or --fd")),
        };
        let drives = group.drives.iter().filter_map(|&index| drives.get(index).cloned()).collect();
        Ok(Target { endpoint, socket, drives })
    };
    groups.iter().map(open).collect()
}

fn listen(path: &Path, maker: &mut SocketMaker) -> Result<(Endpoint, BoundSocket), CliError> {
    let failed = |error| CliError::new(Exit::Failure, format!("{}: {error}", path.display()));
    let socket = maker.make().map_err(failed)?;
    Ok((Endpoint::Listening(socket.listener()?), socket))
}

/// The vhost-user socket that the parent process left open for this one.
///
/// # Errors
/// When the number is no Unix socket that can be served.
pub fn inherit(fd: i32) -> Result<Endpoint, CliError> {
    match inherited(fd) {
        Ok(Inherited::Listening(listener)) => Ok(Endpoint::Listening(listener)),
        Ok(Inherited::Connected(stream)) => Ok(Endpoint::Connected(Relay::new(stream)?)),
        Err(error) => Err(CliError::new(Exit::Failure, format!("--fd {fd}: {error}"))),
    }
}

/// What the control socket shows of each drive's place, in the order of the list of all.
#[must_use]
pub fn attached(groups: &[Group], drives: &[Arc<Drive>]) -> Vec<Attached> {
    let place = |index: usize| {
        groups.iter().find_map(|group| {
            let lun = group.drives.iter().position(|&drive| drive == index)?;
            Some((group.path.as_ref(), lun))
        })
    };
    let attach = |(index, drive): (usize, &Arc<Drive>)| {
        let (path, lun) = place(index).unwrap_or_default();
        let socket = path.map(|path| path.display().to_string());
        Attached { drive: Arc::clone(drive), lun: u16::try_from(lun).unwrap_or(u16::MAX), socket }
    };
    drives.iter().enumerate().map(attach).collect()
}
