//! Files of other programs that people take for disc images: refused by their name, with a line that says what to do.

mod tools {
    use std::fs;
    use std::process::{Command, Stdio};

    use spindle::image::{ImageErrorKind, OpenOptions, open_path};
    use tempfile::TempDir;

    use crate::support::host::{run, tree};

    /// Opens `name` of `folder` under the name of a disc image too; both are refused with these words.
    #[track_caller]
    fn is_refused(folder: &TempDir, name: &str, words: &[&str]) {
        let path = folder.path().join(name);
        let renamed = folder.path().join(format!("{name}.iso"));
        fs::copy(&path, &renamed).unwrap();
        for path in [path, renamed] {
            let error = open_path(&path, &OpenOptions::default()).map(|_| ()).unwrap_err();
            assert_eq!(error.kind(), ImageErrorKind::NotRecognised, "{}: {error}", path.display());
            let text = error.to_string();
            assert!(words.iter().all(|word| text.contains(word)), "{}: {text}", path.display());
        }
    }

    #[test]
    fn archives_are_refused_with_what_unpacks_them() {
        let folder = TempDir::new().unwrap();
        tree(&folder.path().join("files"));
        let at = |name: &str| folder.path().join(name).display().to_string();
        run("zip", &["-q", "-r", &at("a.zip"), &at("files")]);
        run("7z", &["a", "-bd", &at("a.7z"), &at("files")]);
        run("tar", &["-cf", &at("a.tar"), "-C", &at(""), "files"]);
        is_refused(&folder, "a.zip", &["ZIP", "unzip"]);
        is_refused(&folder, "a.7z", &["7z archive", "7z x"]);
        is_refused(&folder, "a.tar", &["tar archive", "tar -xf"]);
        // No free program writes these: the signatures of version 4 and 5.
        for signature in [&b"Rar!\x1A\x07\0"[..], b"Rar!\x1A\x07\x01\0"] {
            fs::write(at("a.rar"), [signature, &[0x55; 5000]].concat()).unwrap();
            is_refused(&folder, "a.rar", &["RAR", "unar"]);
        }
    }

    #[test]
    fn hard_disk_images_are_refused_by_their_names() {
        let folder = TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        for (format, options, name) in [
            ("qcow2", "compat=1.1", "qcow2"),
            ("qed", "cluster_size=65536", "QED"),
            ("vmdk", "subformat=monolithicSparse", "VMDK"),
            ("vmdk", "subformat=streamOptimized", "VMDK"),
            ("vmdk", "subformat=twoGbMaxExtentSparse", "VMDK"),
            ("vhdx", "subformat=dynamic", "VHDX"),
            ("vpc", "subformat=dynamic", "VHD"),
            ("vpc", "subformat=fixed", "VHD"),
            ("vdi", "static=off", "VDI"),
        ] {
            let disk = format!("disk-{format}-{}", options.replace('=', "-"));
            run("qemu-img", &["create", "-q", "-f", format, "-o", options, &at(&disk), "64M"]);
            is_refused(&folder, &disk, &["hard-disk image", name, "attach it to the machine as a disk"]);
        }
        for label in ["dos", "gpt"] {
            let disk = at(label);
            fs::File::create(&disk).unwrap().set_len(64 << 20).unwrap();
            let mut sfdisk = Command::new("sfdisk");
            let mut sfdisk = sfdisk.args(["--quiet", "--label", label, &disk]).stdin(Stdio::piped()).spawn().unwrap();
            std::io::Write::write_all(&mut sfdisk.stdin.take().unwrap(), b"2048,20480\n,,\n").unwrap();
            assert!(sfdisk.wait().unwrap().success());
            is_refused(&folder, label, &["hard-disk image", "partitions"]);
        }
    }
}
