//! The control socket: QMP's wire format, QEMU's commands where the meaning is QEMU's, our own beside them.
//!
//! Existing QMP clients work unchanged. One static table of verbs; dispatch, `query-commands` and `query-qmp-schema`
//! come from it, and `docs/reference/control.md` is held against it by a test. Clients are not trusted to be sane: input,
//! output, descriptors and the number of clients are bounded, and a client that does not read loses its connection.

mod client;
mod error;
mod events;
mod fdset;
mod image;
mod message;
mod outlet;
mod path;
mod schema;
mod server;
mod session;
mod verbs;

pub use self::client::{Client, ClientError};
pub use self::events::EVENTS;
pub use self::fdset::{decode_name, encode_name};
pub use self::image::Policy;
pub use self::path::runtime_dir;
pub use self::server::{Attached, Server};
pub use self::verbs::{Argument, Kind, VERBS, Verb};
