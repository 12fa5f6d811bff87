//! The vhost-user back-end: sockets, rings and threads.
