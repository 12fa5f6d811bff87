//! Where sound goes when a guest plays a disc: `spindled --audio`.

use std::path::Path;

use tempfile::TempDir;

use crate::support::control::Client;
use crate::support::daemon::Daemon;
#[cfg(feature = "host-sound")]
use crate::support::daemon::spindled;
use crate::support::guest::{Command, Guest, Options, REQUESTS};
use crate::support::images::discs::sound;

const SECTORS: i32 = 60;

/// An audio CD of 60 sectors as a CUE sheet; its samples.
fn disc(folder: &Path) -> (String, Vec<u8>) {
    let samples: Vec<u8> = (0..SECTORS).flat_map(sound).collect();
    std::fs::write(folder.join("disc.bin"), &samples).unwrap();
    let sheet = folder.join("disc.cue");
    std::fs::write(&sheet, "FILE disc.bin BINARY\nTRACK 01 AUDIO\nINDEX 01 00:00:00\n").unwrap();
    (sheet.to_str().unwrap().to_owned(), samples)
}

fn command(guest: &mut Guest, cdb: &[u8], room: usize) -> Vec<u8> {
    loop {
        let reply = guest.command(REQUESTS, &Command::new(cdb, room));
        if reply.status == 0 {
            return reply.data;
        }
        assert_eq!(reply.sense[2] & 0xF, 6, "{:x?}", reply.sense);
    }
}

/// Plays the whole disc, up to its end.
fn play(guest: &mut Guest) {
    command(guest, &[0x45, 0, 0, 0, 0, 0, 0, 0, SECTORS as u8, 0], 0);
    while command(guest, &[0x42, 0, 0, 0, 0, 0, 0, 0, 4, 0], 4)[1] == 0x11 {
        std::thread::yield_now();
    }
}

/// Waits until a file has so many bytes; returns them.
fn grows_to(path: &Path, len: usize) -> Vec<u8> {
    loop {
        let bytes = std::fs::read(path).unwrap_or_default();
        if bytes.len() >= len {
            return bytes;
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_wave_file_has_what_was_played_and_goes_on_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let (sheet, samples) = disc(folder.path());
    let wave = folder.path().join("sound, left and right.wav");
    let drive = format!("--drive=name=cd0,audio=wav:{}", wave.to_str().unwrap().replace(',', ",,"));
    for times in 1..=2 {
        let control = folder.path().join(format!("control{times}"));
        let daemon = Daemon::start(&["--control", control.to_str().unwrap(), &drive, &sheet]);
        let audio = || Client::negotiated(&control).ok("drive-query", serde_json::json!({}))[0]["audio"].clone();
        assert_eq!(audio(), "none");
        let mut guest = daemon.guest(Options::default());
        command(&mut guest, &[0x45, 0, 0, 0, 0, 0, 0, 0, 60, 0], 0);
        assert_eq!(audio(), "playing");
        command(&mut guest, &[0x4B, 0, 0, 0, 0, 0, 0, 0, 0, 0], 0);
        assert_eq!(audio(), "paused");
        command(&mut guest, &[0x4B, 0, 0, 0, 0, 0, 0, 0, 1, 0], 0);
        while audio() == "playing" {
            std::thread::yield_now();
        }
        assert_eq!(audio(), "completed");
        let file = grows_to(&wave, 44 + samples.len() * times);
        assert!(file[44..] == samples.repeat(times), "the samples of {times} plays");
        // The program that reads any sound agrees.
        let shown = crate::support::host::run("soxi", &[wave.to_str().unwrap()]);
        let length = format!("= {} samples", samples.len() / 4 * times);
        assert!(["44100", "16-bit", ": 2\n", &length].iter().all(|word| shown.contains(word)), "{shown}");
    }
}

#[cfg(feature = "host-sound")]
#[test]
fn the_hosts_device_gets_what_was_played() {
    let folder = TempDir::new().unwrap();
    let (sheet, samples) = disc(folder.path());
    let raw = folder.path().join("raw");
    // ALSA's own plug-in that writes what it is given.
    let settings = folder.path().join("asound.conf");
    let device =
        format!("pcm.{{NAME}} {{ type file file \"{}\" format raw slave.pcm {{ type null }} }}\n", raw.display());
    let devices = [device.replace("{NAME}", "default"), device.replace("{NAME}", "other")];
    std::fs::write(&settings, devices.concat()).unwrap();
    let start = |audio: &str| {
        let runtime = TempDir::new().unwrap();
        let mut command = spindled(&runtime);
        command.env("ALSA_CONFIG_PATH", &settings).arg("--socket-path").arg(runtime.path().join("socket"));
        command.args(["--audio", audio, &sheet]);
        (command, runtime)
    };
    for audio in ["host", "host:other"] {
        let (command, runtime) = start(audio);
        let daemon = Daemon::run(command, runtime);
        let mut guest = daemon.guest(Options::default());
        for times in 1..=2 {
            play(&mut guest);
            assert!(grows_to(&raw, samples.len() * times) == samples.repeat(times), "{audio}");
        }
        // The plug-in makes it again when the next daemon opens the device.
        std::fs::remove_file(&raw).unwrap();
    }
    let (mut command, _runtime) = start("host:missing");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let reason = String::from_utf8(output.stderr).unwrap();
    assert!(reason.contains("spindled: drive cd0: audio host:missing: sound device missing"), "{reason}");
}

#[test]
fn a_disc_plays_to_its_end_where_nobody_hears_it() {
    let folder = TempDir::new().unwrap();
    let (sheet, _) = disc(folder.path());
    let daemon = Daemon::start(&["--audio", "none", &sheet]);
    play(&mut daemon.guest(Options::default()));
}
