//! Image formats and containers: what is read from files that others made, and what is refused.

mod audio;
mod b6t;
mod beside;
mod bwt;
mod ccd;
mod cdi;
mod cdtext;
mod chd;
mod cso;
mod cue;
mod described;
mod ecm;
mod macbinary;
mod mds;
mod mdx;
mod nrg;
mod raw;
mod real;
mod refused;
mod split;
mod streams;
mod table;
mod toc;
