//! The control socket: QMP wire format, verbs, events.
