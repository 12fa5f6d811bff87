//! The vhost-user back-end: a front-end's connection, its rings and the threads that serve them.
//!
//! Not responsible for what a request means (see [`crate::virtio`]) nor for creating sockets (see [`crate::sys::socket`]).

mod backend;
mod descriptor;
mod ending;
mod events;
mod gather;
mod handlers;
mod pace;
mod relay;
mod ring;
mod serve;
mod server;

pub use self::backend::{Backend, QUEUES};
pub use self::events::{EventQueue, UnitEvents};
pub use self::relay::Relay;
pub use self::ring::Ring;
pub use self::server::{Endpoint, Server, Stop};
