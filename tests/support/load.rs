//! Programs in the test guest that read a patterned disc all the time and check every byte: one by its own commands through the SCSI
//! generic driver, one through the kernel (tests/guest/read_load.rs).

use super::vm::Vm;

/// What the two programs have reported: `sg`, then `block`.
pub struct Reports {
    pub generic: String,
    pub block: String,
}

/// Starts both on a disc of `blocks` blocks.
pub fn start(vm: &mut Vm, blocks: u32) {
    vm.ok(&format!(
        "rm -f /tmp/stop /tmp/*.status
         for load in 'sg /dev/sg0' 'block /dev/sr0'; do
             set -- $load
             (spindle-read-load $1 $2 {blocks} /tmp/stop >/tmp/$1 2>&1; echo $? >/tmp/$1.status) &
         done"
    ));
}

/// Ends both. Neither has seen a wrong byte.
pub fn end(vm: &mut Vm) -> Reports {
    vm.ok("touch /tmp/stop");
    vm.until("cat /tmp/sg.status /tmp/block.status 2>/dev/null | wc -l", "2");
    let (generic, block) = (vm.ok("cat /tmp/sg"), vm.ok("cat /tmp/block"));
    assert_eq!(vm.ok("cat /tmp/sg.status /tmp/block.status"), "0\n0\n", "{generic}{block}");
    Reports { generic, block }
}

/// Every kind of complaint that the guest's kernel has about a drive since its messages were last taken, and that its driver has about a
/// ring: of a chain that comes back twice it says that it "is not a head", and looks at that ring no more.
pub fn complaints(vm: &mut Vm) -> String {
    const WORDS: &str = "sense key|i/o error|reset|abort|timed out|unit attention|disc change|hung|\
                         is not a head|out of range|virtio_scsi|virtio_ring";
    vm.run(&format!("dmesg | grep -iE '{WORDS}'")).1
}

impl Reports {
    pub fn both(&self) -> [&str; 2] {
        [&self.generic, &self.block]
    }

    /// Lines that tell of errors: `sense K/ASC/ASCQ N` and `error ERRNO N`.
    pub fn errors(&self) -> Vec<&str> {
        let errors = |line: &&str| !["reads ", "bytes ", "discs "].iter().any(|count| line.starts_with(count));
        self.both().iter().flat_map(|report| report.lines().filter(errors)).collect()
    }
}

/// A number in a report.
pub fn count(report: &str, word: &str) -> u64 {
    let line = report.lines().find_map(|line| line.strip_prefix(word));
    line.unwrap_or_else(|| panic!("{word}: {report}")).parse().unwrap()
}
