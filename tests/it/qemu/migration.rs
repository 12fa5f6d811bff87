//! A machine moves between two QEMUs, each with its own daemon, while its guest reads. `qemu-scripts/migration-soak` does the same more
//! often.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::host::patterned_file;
use crate::support::load::complaints;
use crate::support::vm::{Daemon, Qemu, Vm};

const BLOCKS: u32 = 8192;
/// Moves, unless `SPINDLE_MOVES` says how many.
const MOVES: usize = 3;
/// For QEMU to come to a state: reached only when it does not.
const PATIENCE: Duration = Duration::from_secs(120);
/// Passes over the memory before the machine may move: whatever the drive writes into is sent more than once.
const PASSES: u64 = 4;
/// Bytes a second, so that the passes take some time.
const SLOW: u64 = 48 << 20;

/// The commands of docs/guide/migration.md: on which host, what, and what it is repeated for.
fn guide() -> Vec<(String, String, Option<String>)> {
    let guide = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide/migration.md")).unwrap();
    let block = guide.split("```").find(|block| block.starts_with("text\nthere")).unwrap();
    let lines = block.lines().skip(1).filter_map(|line| line.split_once("  "));
    let lines = lines.map(|(host, line)| match line.split_once(" # until its status is ") {
        Some((command, status)) => (host, command, Some(status.trim_matches('"').to_owned())),
        None => (host, line, None),
    });
    lines.map(|(host, command, until)| (host.to_owned(), command.trim().to_owned(), until)).collect()
}

/// One of the two hosts.
struct Host {
    daemon: Daemon,
    vm: Option<Vm>,
}

/// The two, and what lies between them.
struct Hosts {
    qemu: Qemu,
    here: Host,
    there: Host,
    folder: TempDir,
}

impl Hosts {
    /// A machine that reads the first disc; the other host has `second`.
    fn new(qemu: Qemu, seeds: [u32; 2]) -> Self {
        let folder = TempDir::with_prefix("spindle-").unwrap();
        let mut names = ["here.iso", "there.iso"].into_iter();
        let [here, there] = seeds.map(|seed| {
            let image = folder.path().join(names.next().unwrap());
            patterned_file(&image, seed, BLOCKS);
            Host { daemon: Daemon::start(&[image.to_str().unwrap()]), vm: None }
        });
        let mut hosts = Self { qemu, here, there, folder };
        hosts.here.vm = Some(Vm::movable(qemu, &hosts.here.daemon));
        hosts
    }

    fn vm(&mut self) -> &mut Vm {
        self.here.vm.as_mut().unwrap()
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("vm1.state")
    }

    fn uri(&self) -> String {
        format!("unix:{}", self.folder.path().join("migration").display())
    }

    /// Moves the machine as the guide says.
    fn go(&mut self) {
        self.begin();
        let commands = guide();
        for (host, command, until) in &commands {
            self.command(host, command, until.as_deref());
        }
        self.arrive();
    }

    fn begin(&mut self) {
        self.there.vm = Some(Vm::arriving(self.qemu, &self.there.daemon));
        self.vm().qmp("migrate-set-parameters", &json!({ "max-bandwidth": SLOW, "downtime-limit": 1 }));
    }

    /// The machine has left one QEMU and is in the other.
    fn arrive(&mut self) {
        let (gone, come) = (self.here.vm.take().unwrap(), self.there.vm.take().unwrap());
        self.there.vm = None;
        self.here.vm = Some(gone.moved_to(come));
        std::mem::swap(&mut self.here.daemon, &mut self.there.daemon);
    }

    fn command(&mut self, host: &str, command: &str, until: Option<&str>) {
        let (state, uri) = (self.state(), self.uri());
        let at = if host == "here" { &mut self.here } else { &mut self.there };
        let words: Vec<_> = command.split(' ').collect();
        match words[..] {
            ["spindle", "state", way, "vm1.state"] => {
                at.daemon.spindle_ok(&["state", way, state.to_str().unwrap()]);
            }
            // The hosts have their files in common here.
            ["scp", "vm1.state", "there:"] => {}
            _ => {
                let command: Value = serde_json::from_str(&command.replace("tcp:there:4444", &uri)).unwrap();
                let vm = at.vm.as_mut().unwrap();
                let name = command["execute"].as_str().unwrap();
                let arguments = command.get("arguments").cloned().unwrap_or(json!({}));
                match until {
                    Some(status) => reaches(vm, name, status),
                    None if name == "quit" => {
                        let status = vm.quit();
                        assert!(status.success(), "the QEMU that the machine has left: {status}");
                    }
                    None => drop(vm.qmp(name, &arguments)),
                }
                if name == "migrate" {
                    passes(vm);
                }
            }
        }
    }
}

/// Asks until the status is that.
fn reaches(vm: &mut Vm, query: &str, status: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = vm.qmp(query, &json!({}))["return"].take();
        if found["status"] == status {
            return;
        }
        assert!(found["status"] != "failed" && Instant::now() < deadline, "{query}: never {status}: {found}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Lets QEMU go over the memory again and again, then has it come to an end. It may by itself, where the guest is slow.
fn passes(vm: &mut Vm) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = vm.qmp("query-migrate", &json!({}))["return"].take();
        let passes = found["ram"]["dirty-sync-count"].as_u64().unwrap_or(0);
        if passes >= PASSES || found["status"] == "pre-switchover" {
            break;
        }
        assert!(found["status"] != "failed" && Instant::now() < deadline, "{found}");
        thread::sleep(Duration::from_millis(20));
    }
    vm.qmp("migrate-set-parameters", &json!({ "max-bandwidth": 8_u64 << 30, "downtime-limit": 2000 }));
}

/// Starts the programs that read in the guest, which holds the medium: by SCSI commands, through the kernel, and one that looks again and
/// again at what it has read before.
fn read_in_the_guest(vm: &mut Vm) {
    vm.ok("sg_prevent --prevent=1 /dev/sg0 && dmesg -c");
    vm.ok(&format!(
        "for load in 'sg /dev/sg0' 'block /dev/sr0' 'keep /dev/sr0'; do
             set -- $load
             (spindle-read-load $1 $2 {BLOCKS} /tmp/stop >/tmp/$1 2>&1; echo $? >/tmp/$1.status) &
         done"
    ));
}

/// Ends them; how many reads that were, each of which was right. The guest's kernel has nothing to complain of.
fn reads_of_the_guest(vm: &mut Vm) -> u64 {
    vm.ok("sleep 1");
    assert_eq!(complaints(vm), "", "the kernel's own view");
    vm.ok("touch /tmp/stop");
    vm.until("cat /tmp/sg.status /tmp/block.status /tmp/keep.status 2>/dev/null | wc -l", "3");
    let report = vm.ok("cat /tmp/sg /tmp/block /tmp/keep");
    assert_eq!(vm.ok("cat /tmp/sg.status /tmp/block.status /tmp/keep.status"), "0\n0\n0\n", "{report}");
    let (reads, others) = report.lines().partition::<Vec<_>, _>(|line| line.starts_with("reads "));
    let errors = |line: &&str| *line != "discs 1" && !line.starts_with("bytes ") && !line.starts_with("kept ");
    assert!(!others.iter().any(errors), "{report}");
    assert_eq!(complaints(vm), "", "the kernel's own view");
    reads.iter().map(|line| line["reads ".len()..].parse::<u64>().unwrap()).sum()
}

#[test]
fn a_machine_of_qemu_10_moves_to_and_fro_while_it_reads() {
    moves_to_and_fro(Qemu::Ten);
}

#[test]
fn a_machine_of_the_installed_qemu_moves_to_and_fro_while_it_reads() {
    moves_to_and_fro(Qemu::Installed);
}

fn moves_to_and_fro(qemu: Qemu) {
    let moves = std::env::var("SPINDLE_MOVES").map_or(MOVES, |moves| moves.parse().unwrap());
    let mut hosts = Hosts::new(qemu, [7, 7]);
    read_in_the_guest(hosts.vm());
    for _ in 0..moves {
        hosts.go();
        let (state, log) = (fs::read_to_string(hosts.state()).unwrap(), hosts.here.daemon.log());
        assert_eq!(hosts.here.daemon.status()[0]["locked-by"], json!([0]), "{state}{log}");
        // Nobody is left there: the next machine finds a drive that was just switched on.
        let deadline = Instant::now() + PATIENCE;
        while hosts.there.daemon.status()[0]["locked-by"] != json!([]) {
            assert!(Instant::now() < deadline, "the machine that has left holds the medium");
            thread::sleep(Duration::from_millis(20));
        }
    }
    println!("moves {moves}, reads {}, errors 0, wrong or doubled 0", reads_of_the_guest(hosts.vm()));
}

#[test]
fn another_disc_there_is_refused_and_the_machine_goes_on_here() {
    let mut hosts = Hosts::new(Qemu::Ten, [7, 8]);
    read_in_the_guest(hosts.vm());
    hosts.begin();
    for (host, command, until) in
        guide().iter().take_while(|(host, command, _)| host == "here" || !command.contains("load"))
    {
        hosts.command(host, command, until.as_deref());
    }
    let refused = hosts.there.daemon.spindle(&["state", "load", hosts.state().to_str().unwrap()]);
    let line = "spindle: Drive cd0: another disc is in the drive, with other contents: \
                put the disc of the saved drive in (spindle insert) and load again\n";
    assert_eq!((refused.status.code(), String::from_utf8_lossy(&refused.stderr).as_ref()), (Some(1), line));
    hosts.vm().qmp("migrate_cancel", &json!({}));
    reaches(hosts.vm(), "query-status", "running");
    assert!(reads_of_the_guest(hosts.vm()) > 0);
    assert_eq!(hosts.here.daemon.status()[0]["locked-by"], json!([0]));
}
