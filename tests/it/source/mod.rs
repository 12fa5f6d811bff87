//! Bytes from decoders: the shared cache, and that nothing shows it.

mod any_order;
mod cache;
mod held_up;
