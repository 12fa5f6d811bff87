//! Every file of libcdio's test data, good or malformed, is opened or refused: never more.

use std::fs;

use spindle::image::{OpenOptions, open_path};

use crate::support::inputs;

#[test]
fn every_file_of_libcdio_is_opened_or_refused_with_its_name() {
    let mut opened = 0;
    for entry in fs::read_dir(inputs::path("libcdio")).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_file() {
            continue;
        }
        match open_path(&path, &OpenOptions::default()) {
            Ok(image) => {
                assert!(image.disc.blocks() > 0, "{}", path.display());
                opened += 1;
            }
            Err(error) => assert!(error.to_string().contains(&*path.to_string_lossy()), "{error}"),
        }
    }
    assert!(opened > 10, "only {opened} files were opened");
}
