//! The same disc in every format and container: one hash.

mod tools {
    use std::fs;
    use std::path::Path;

    use sha2::{Digest, Sha256};
    use spindle::container::CONTAINERS;
    use spindle::disc::Lba;
    use spindle::image::{FORMATS, OpenOptions, open_path};
    use tempfile::TempDir;

    use crate::support::images::same_disc::{MAKERS, blocks};

    #[test]
    fn every_format_and_container_has_a_maker() {
        let formats = FORMATS.iter().map(|format| format.info().id);
        let mut ids: Vec<_> = formats.chain(CONTAINERS.iter().map(|container| container.info().id)).collect();
        let mut makers: Vec<_> = MAKERS.iter().map(|(id, _)| *id).collect();
        ids.sort_unstable();
        makers.sort_unstable();
        assert_eq!(makers, ids);
    }

    /// Blocks of the data track, through the library.
    fn hash(path: &Path, id: &str) -> Vec<u8> {
        let spool = TempDir::new().unwrap();
        let options = OpenOptions { spool: Some(spool.path()), ..OpenOptions::default() };
        let opened = open_path(path, &options).unwrap_or_else(|error| panic!("{id}: {error}"));
        assert!(opened.format.id == id || opened.containers.iter().any(|container| container.id == id), "{id}");
        let mut hash = Sha256::new();
        for lba in 0..opened.disc.blocks() {
            let mut block = [0; 2048];
            opened.disc.read_block(Lba(lba as i32), &mut block).unwrap_or_else(|error| panic!("{id}: {error}"));
            hash.update(block);
        }
        hash.finalize().to_vec()
    }

    #[test]
    fn every_image_gives_the_same_blocks() {
        for (id, make) in MAKERS {
            let folder = TempDir::new().unwrap();
            let blocks = blocks(id);
            let path = make(&blocks, folder.path());
            assert!(hash(&path, id) == Sha256::digest(&blocks).to_vec(), "{id}");
            fs::remove_dir_all(folder.path()).unwrap();
        }
    }
}
