//! A Video CD in the drive: vcdimager's programs read it as they read its image.

use std::fs;

use tempfile::TempDir;

use super::said::{insert, says};
use crate::support::host::{run, sha256};
use crate::support::images::discs::video_cd;
use crate::support::vm::{Daemon, Vm};

#[test]
fn the_film_and_the_description_of_a_video_cd_come_out_as_from_its_image() {
    let folder = TempDir::with_prefix("spindle-").unwrap();
    let folder = folder.path();
    let images = video_cd::images(folder);
    let out = folder.join("out");
    fs::create_dir(&out).unwrap();
    run("sh", &["-c", &format!("cd '{}' && vcdxrip -q --cue-file='{}'", out.display(), images[0])]);
    let film = sha256(&out.join("avseq01.mpg"));
    let description = fs::read_to_string(out.join("videocd.xml")).unwrap();

    let daemon = Daemon::start(&[]);
    let mut vm = Vm::with_programs(&daemon);
    for image in images {
        insert(&daemon, &mut vm, &image);
        vm.ok("rm -rf /tmp/rip && mkdir /tmp/rip && cd /tmp/rip && vcdxrip -q --cdrom-device=/dev/sr0");
        assert_eq!(vm.ok("sha256sum </tmp/rip/avseq01.mpg").split(' ').next(), Some(film.as_str()), "{image}");
        let copy = vm.ok("cat /tmp/rip/videocd.xml");
        assert_eq!(without_arguments(&copy), without_arguments(&description), "{image}");
        says(
            &vm.ok("vcd-info --no-banner --cdrom-device=/dev/sr0 2>&1"),
            &["VCD 2.0 detected", "volume id: `VIDEOCD", "XA marker present: yes", "AVSEQ01.DAT"],
        );
        // Both have the same size, by which the next one is told from this.
        daemon.spindle_ok(&["eject", "--timeout", "60"]);
    }
}

/// The description but for the line that tells how the program was called.
fn without_arguments(description: &str) -> Vec<&str> {
    let lines: Vec<_> = description.lines().filter(|line| !line.starts_with("<!-- command line")).collect();
    assert!(
        lines.contains(&"<videocd xmlns=\"http://www.gnu.org/software/vcdimager/1.0/\" class=\"vcd\" version=\"2.0\">")
    );
    lines
}
