//! Files that an image names or expects beside it, and that lie elsewhere or are no files: a downloaded image must not hand any
//! file of the host to a guest.

mod tools {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::{Path, PathBuf};

    use rustix::fs::inotify;
    use spindle::image::{ImageError, ImageErrorKind, OpenOptions, Opened, open_path};
    use tempfile::TempDir;

    use crate::support::host::run;
    use crate::support::images::same_disc::{MAKERS, blocks};

    /// An image in a folder `inside` another.
    struct Room {
        folder: TempDir,
        image: PathBuf,
        /// The files that belong to it.
        companions: Vec<String>,
        blocks: Vec<u8>,
    }

    impl Room {
        /// All of [`MAKERS`] whose images are more than one file.
        fn all() -> Vec<(&'static str, Self)> {
            let rooms = MAKERS.iter().filter_map(|(id, make)| {
                let folder = TempDir::new().unwrap();
                let inside = folder.path().join("inside");
                fs::create_dir(&inside).unwrap();
                let blocks = blocks(id);
                let image = make(&blocks, &inside);
                let options = OpenOptions { spool: Some(folder.path()), ..OpenOptions::default() };
                let companions = open_path(&image, &options).unwrap().companions;
                let companions: Vec<_> =
                    companions.into_iter().map(|companion| String::from_utf8(companion.name).unwrap()).collect();
                (!companions.is_empty()).then_some((*id, Self { folder, image, companions, blocks }))
            });
            let rooms: Vec<_> = rooms.collect();
            let ids: Vec<_> = rooms.iter().map(|(id, _)| *id).collect();
            let several = ["cue", "toc", "ccd", "mds", "b6t", "bwt", "readcd", "xcdroast", "isz", "gbi", "split"];
            assert!(several.iter().all(|id| ids.contains(id)), "{ids:?}");
            rooms
        }

        fn inside(&self, name: &str) -> PathBuf {
            self.folder.path().join("inside").join(name)
        }

        fn outside(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn open(&self, allow_outside: bool) -> Result<Opened, ImageError> {
            open_path(&self.image, &OpenOptions { allow_outside, ..OpenOptions::default() })
        }

        #[track_caller]
        fn is_refused(&self, id: &str, kind: ImageErrorKind, words: &str) {
            let error = self.open(false).map(|opened| opened.companions).unwrap_err();
            assert_eq!(error.kind(), kind, "{id}: {error}");
            assert!(error.to_string().contains(words), "{id}: {error}");
        }

        #[track_caller]
        fn gives_the_disc(&self, id: &str, opened: &Opened) {
            let mut read = vec![0; self.blocks.len()];
            opened.disc.read_blocks(spindle::disc::Lba(0), &mut read).unwrap();
            assert!(read == self.blocks, "{id}");
        }
    }

    #[test]
    fn links_that_lead_out_are_refused_unless_that_is_allowed() {
        for (id, room) in Room::all() {
            for name in &room.companions {
                fs::rename(room.inside(name), room.outside(name)).unwrap();
                for target in [Path::new("..").join(name), room.outside(name)] {
                    symlink(target, room.inside(name)).unwrap();
                    room.is_refused(id, ImageErrorKind::Outside, "--allow-outside");
                    room.gives_the_disc(id, &room.open(true).unwrap());
                    fs::remove_file(room.inside(name)).unwrap();
                }
                // Within the folder a link may lead anywhere.
                fs::rename(room.outside(name), room.inside("elsewhere")).unwrap();
                symlink("elsewhere", room.inside(name)).unwrap();
                room.gives_the_disc(id, &room.open(false).unwrap());
                fs::remove_file(room.inside(name)).unwrap();
                fs::rename(room.inside("elsewhere"), room.inside(name)).unwrap();
            }
        }
    }

    #[test]
    fn what_is_no_regular_file_is_refused_and_nobody_waits_for_it() {
        for (id, room) in Room::all() {
            for name in &room.companions {
                let path = room.inside(name);
                fs::rename(&path, room.outside(name)).unwrap();
                run("mkfifo", &[path.to_str().unwrap()]);
                // A device might do something when it is opened: nobody may.
                let opened = inotify::init(inotify::CreateFlags::NONBLOCK).unwrap();
                inotify::add_watch(&opened, &path, inotify::WatchFlags::OPEN).unwrap();
                room.is_refused(id, ImageErrorKind::Io, "is not a regular file");
                assert_eq!(rustix::io::read(&opened, &mut [0; 64]), Err(rustix::io::Errno::AGAIN), "{id} opened it");
                fs::remove_file(&path).unwrap();
                fs::create_dir(&path).unwrap();
                room.is_refused(id, ImageErrorKind::Io, "is not a regular file");
                fs::remove_dir(&path).unwrap();
                // A device, also when the link to it is allowed.
                symlink("/dev/zero", &path).unwrap();
                room.is_refused(id, ImageErrorKind::Outside, "--allow-outside");
                let error = room.open(true).map(|_| ()).unwrap_err();
                assert!(error.to_string().contains("is not a regular file"), "{id}: {error}");
                fs::remove_file(&path).unwrap();
                fs::rename(room.outside(name), &path).unwrap();
            }
        }
    }

    /// `text` as a descriptor has it: in bytes, or in 16-bit characters.
    fn spellings(text: &str) -> [Vec<u8>; 2] {
        [text.as_bytes().to_vec(), text.encode_utf16().flat_map(u16::to_le_bytes).collect()]
    }

    fn replaced(bytes: &[u8], from: &str, to: &str) -> Option<Vec<u8>> {
        let mut bytes = bytes.to_vec();
        let mut found = false;
        for (from, to) in spellings(from).iter().zip(spellings(to)) {
            while let Some(at) = bytes.windows(from.len()).position(|window| window == from) {
                bytes[at..at + from.len()].copy_from_slice(&to);
                found = true;
            }
        }
        found.then_some(bytes)
    }

    #[test]
    fn names_that_lead_out_are_refused_unless_that_is_allowed() {
        let mut named = Vec::new();
        for (id, room) in Room::all() {
            for name in &room.companions {
                let descriptor = fs::read(&room.image).unwrap();
                // Of the same length, so that it fits wherever it stands.
                let upwards = format!("../{}", &name[3..]);
                let Some(changed) = replaced(&descriptor, name, &upwards) else { continue };
                named.push(id);
                fs::rename(room.inside(name), room.outside(&name[3..])).unwrap();
                fs::write(&room.image, changed).unwrap();
                room.is_refused(id, ImageErrorKind::Outside, "--allow-outside");
                room.gives_the_disc(id, &room.open(true).unwrap());

                let absolute = format!("/{}", "x".repeat(name.len() - 1));
                fs::write(&room.image, replaced(&descriptor, name, &absolute).unwrap()).unwrap();
                room.is_refused(id, ImageErrorKind::Outside, "--allow-outside");
                // In a TOC file, `\` is no separator.
                if id != "toc" {
                    let backwards = upwards.replace('/', "\\");
                    fs::write(&room.image, replaced(&descriptor, name, &backwards).unwrap()).unwrap();
                    room.is_refused(id, ImageErrorKind::Outside, "--allow-outside");
                }

                // The file beside the image is meant, when there is one of the same name.
                fs::write(&room.image, replaced(&descriptor, name, &upwards).unwrap()).unwrap();
                fs::rename(room.outside(&name[3..]), room.inside(&name[3..])).unwrap();
                room.gives_the_disc(id, &room.open(false).unwrap());
                fs::rename(room.inside(&name[3..]), room.inside(name)).unwrap();
                fs::write(&room.image, descriptor).unwrap();
            }
        }
        assert!(["cue", "toc", "b6t", "bwt", "xcdroast"].iter().all(|id| named.contains(id)), "{named:?}");
    }
}
