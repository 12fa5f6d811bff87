//! The table of verbs, and how a call finds its row.

mod drive;
mod fault;
mod fdset;
mod media;
mod query;
mod state;
mod tray;

pub(super) use self::drive::medium as media_json;
pub(super) use self::query::version;

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::{Map, Value};

use super::error::VerbError;
use super::server::{Attached, Shared};
use crate::drive::Drive;

/// Type of an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A JSON string.
    Str,
    /// An integer.
    Int,
    /// Any number.
    Number,
    /// `true` or `false`.
    Bool,
}

/// One argument of a verb.
#[derive(Debug)]
pub struct Argument {
    /// Member of `arguments`.
    pub name: &'static str,
    /// What it must be.
    pub kind: Kind,
    /// Whether it must be there.
    pub required: bool,
}

/// One verb of the control socket.
pub struct Verb {
    /// Value of `execute`.
    pub name: &'static str,
    /// What it takes; anything else is refused before it runs.
    pub arguments: &'static [Argument],
    /// Type of what it returns, for introspection.
    pub returns: Returns,
    /// Carries it out.
    pub(super) run: fn(&mut Call<'_>) -> Result<Value, VerbError>,
}

/// Type of what a verb returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returns {
    /// An object.
    Object,
    /// A list of objects.
    List,
}

/// One call of a verb, its arguments checked against the row.
pub struct Call<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) arguments: Map<String, Value>,
    /// Descriptors that the client sent and no verb has taken yet, oldest first.
    pub(super) descriptors: &'a mut VecDeque<OwnedFd>,
    /// Where the answer goes.
    pub(super) client: &'a UnixStream,
}

/// Every verb, in the order of `query-commands`.
pub static VERBS: &[&[Verb]] =
    &[query::VERBS, tray::VERBS, media::VERBS, drive::VERBS, fault::VERBS, state::VERBS, fdset::VERBS];

const fn required(name: &'static str, kind: Kind) -> Argument {
    Argument { name, kind, required: true }
}

const fn optional(name: &'static str, kind: Kind) -> Argument {
    Argument { name, kind, required: false }
}

/// All rows.
pub(super) fn all() -> impl Iterator<Item = &'static Verb> {
    VERBS.iter().copied().flatten()
}

/// The row of a name.
pub(super) fn find(name: &str) -> Option<&'static Verb> {
    all().find(|verb| verb.name == name)
}

impl Verb {
    /// Checks the arguments, in QEMU's words.
    pub(super) fn check(&self, arguments: &Map<String, Value>) -> Result<(), VerbError> {
        for argument in self.arguments {
            let (right, expected) = match (arguments.get(argument.name), argument.kind) {
                (None, _) if argument.required => {
                    return Err(VerbError::generic(format!("Parameter '{}' is missing", argument.name)));
                }
                (None, _) => continue,
                (Some(value), Kind::Str) => (value.is_string(), "string"),
                (Some(value), Kind::Int) => (value.is_i64(), "integer"),
                (Some(value), Kind::Number) => (value.is_number(), "number"),
                (Some(value), Kind::Bool) => (value.is_boolean(), "boolean"),
            };
            if !right {
                return Err(VerbError::generic(format!(
                    "Invalid parameter type for '{}', expected: {expected}",
                    argument.name
                )));
            }
        }
        match arguments.keys().find(|name| !self.arguments.iter().any(|argument| argument.name == name.as_str())) {
            Some(name) => Err(VerbError::generic(format!("Parameter '{name}' is unexpected"))),
            None => Ok(()),
        }
    }
}

impl Call<'_> {
    /// True when nobody can get the answer: the client has closed its end, or the daemon is ending.
    fn is_abandoned(&self) -> bool {
        let mut client = [PollFd::new(self.client, PollFlags::empty())];
        let polled = poll(&mut client, Some(&Timespec::default()));
        self.shared.is_stopped() || polled.is_ok_and(|_| client[0].revents().contains(PollFlags::HUP))
    }

    fn str(&self, name: &str) -> Option<&str> {
        self.arguments.get(name).and_then(Value::as_str)
    }

    fn required_str(&self, name: &str) -> &str {
        self.str(name).unwrap_or_default()
    }

    fn int(&self, name: &str) -> Option<i64> {
        self.arguments.get(name).and_then(Value::as_i64)
    }

    fn flag(&self, name: &str) -> bool {
        self.arguments.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// The drive that `device` or `id` names: both are the drive's name here.
    fn device(&self) -> Result<&Arc<Drive>, VerbError> {
        match (self.str("device"), self.str("id")) {
            (Some(name), None) | (None, Some(name)) => self.drive_named(name),
            _ => Err(VerbError::generic("Need exactly one of 'device' and 'id'")),
        }
    }

    /// The drive that `drive` names; without it, the only one.
    fn drive(&self) -> Result<&Arc<Drive>, VerbError> {
        self.attached().map(|attached| &attached.drive)
    }

    /// The same, with its place.
    fn attached(&self) -> Result<&Attached, VerbError> {
        match (self.str("drive"), &self.shared.drives[..]) {
            (Some(name), _) => self.attached_named(name),
            (None, [only]) => Ok(only),
            (None, drives) => {
                let names: Vec<_> = drives.iter().map(|attached| attached.drive.identity().name.as_str()).collect();
                Err(VerbError::generic(format!("Which drive? There are {}", names.join(", "))))
            }
        }
    }

    fn drive_named(&self, name: &str) -> Result<&Arc<Drive>, VerbError> {
        self.attached_named(name).map(|attached| &attached.drive)
    }

    fn attached_named(&self, name: &str) -> Result<&Attached, VerbError> {
        let mut drives = self.shared.drives.iter();
        drives.find(|attached| attached.drive.identity().name == name).ok_or_else(|| VerbError::no_device(name))
    }
}
