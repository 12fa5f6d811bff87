//! Firmware boots El Torito discs from the drive.

use crate::support::vm::{Daemon, Start, Vm, guest};

/// What the test guest's userland finds out about the disc that it was booted from.
fn the_guest_has_booted_from_its_disc(mut vm: Vm, disc: &str) {
    vm.console_shows("spindle guest is up");
    vm.wait_for_shell();
    assert_eq!(vm.ok("blkid -o value -s LABEL /dev/sr0"), "SPINDLE_GUEST\n");
    let expected = crate::support::host::sha256(disc.as_ref());
    assert_eq!(vm.ok("sha256sum </dev/sr0").split(' ').next(), Some(expected.as_str()));
}

#[test]
fn seabios_boots_the_grub_rescue_disc_to_its_menu() {
    let daemon = Daemon::start(&["/usr/lib/grub-rescue/grub-rescue-cdrom.iso"]);
    let mut vm = Vm::start(&daemon, Start::SeaBios);
    vm.console_shows("Booting from DVD/CD");
    vm.console_shows("The highlighted entry will be executed automatically");
}

#[test]
fn seabios_boots_a_linux_kernel_that_finds_its_disc() {
    let disc = guest().join("boot.iso").display().to_string();
    let daemon = Daemon::start(&[&disc]);
    let mut vm = Vm::start(&daemon, Start::SeaBios);
    vm.console_shows("Spindle test guest");
    the_guest_has_booted_from_its_disc(vm, &disc);
}

#[test]
fn ovmf_boots_a_linux_kernel_that_finds_its_disc() {
    let disc = guest().join("boot.iso").display().to_string();
    let daemon = Daemon::start(&[&disc]);
    let mut vm = Vm::start(&daemon, Start::Ovmf);
    vm.console_shows("Spindle test guest");
    vm.wait_for_shell();
    vm.ok("test -d /sys/firmware/efi");
    assert_eq!(vm.ok("blkid -o value -s LABEL /dev/sr0"), "SPINDLE_GUEST\n");
}

#[test]
fn seabios_boots_an_isolinux_disc() {
    let daemon = Daemon::start(&["/usr/lib/ipxe/ipxe.iso"]);
    Vm::start(&daemon, Start::SeaBios).console_shows("iPXE initialising devices");
}

#[test]
fn seabios_boots_a_floppy_emulation_disc() {
    let daemon = Daemon::start(&["/usr/lib/memtest86+/memtest86+x64.iso"]);
    let mut vm = Vm::start(&daemon, Start::SeaBios);
    vm.screen_shows("Memtest86+");
    vm.screen_shows("Pass");
}
