//! Builders of images, each written from the format's description alone by another hand than its reader, all of them from the
//! same [`source_disc`].

pub mod b6t;
pub mod blocks;
pub mod bwt;
pub mod c2d;
pub mod ccd;
pub mod cdi;
pub mod chd_old;
pub mod cif;
pub mod cso;
pub mod daa;
pub mod dax;
pub mod dmg;
mod dmg_codecs;
pub mod ecm;
pub mod isz;
pub mod jso;
mod lzo;
mod matches;
pub mod mds;
pub mod mdx;
mod mdx_cipher;
mod mdx_data;
pub mod nrg;
mod pack;
mod put;
pub mod readcd;
pub mod source_disc;
pub mod source_sector;
pub mod uif;
pub mod uif_ciphers;
pub mod xcdroast;
