//! Clients that behave badly harm nobody else.

use std::fs::{self, File, Permissions};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::control::{Client, Control};
use crate::support::daemon::{Daemon, spindled};
use crate::support::guest::{self, Guest, Options, REQUESTS};

#[test]
fn nonsense_costs_errors_and_nobody_else_anything() {
    let control = Control::start(&["cd0"]);
    let (mut good, mut bad) = (control.client(), control.client());
    for nonsense in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"\0\x01\xFE\xFF{{{{",
        b"{\"\\ud800\":1}",
        b"\"text\"\n",
        b"}\n",
        b"\xEF\xBB\xBF{}\n",
        b"{\"open\": [1, \"",
    ] {
        bad.send(nonsense);
        good.ok("query-version", json!({}));
    }
    // A control character ends what is open; after that the client is sane again.
    bad.send(b"\x01\n");
    bad.send(br#"{"execute":"query-version","id":"sane"}"#);
    while bad.answer().get("id") != Some(&json!("sane")) {}
}

#[test]
fn ten_megabytes_and_deep_nesting_are_refused_in_bounded_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control");
    // A process, whose memory is nobody else's.
    let daemon = Daemon::start(&["--control", path.to_str().unwrap()]);
    let mut client = Client::negotiated(&path);
    client.ok("query-version", json!({}));
    // The most that it ever had.
    let before = daemon.memory("VmHWM:");
    let endless: [(&[u8], &[u8], &str); 4] = [
        (b"{\"execute\":\"", b"x", "too long"),
        (b"{\"execute\":[0", b",0", "too long"),
        (b"", b"[[[[[[[[", "nesting too deep"),
        (b"", b"{\"a\":", "nesting too deep"),
    ];
    for (start, piece, words) in endless {
        // All of it in one line; the error comes early and the rest of the line is thrown away.
        let chunk: Vec<u8> = piece.iter().copied().cycle().take(1 << 20).collect();
        let mut writer = client.half();
        let writing = thread::spawn(move || {
            writer.send(start);
            for _ in 0..10 {
                writer.send(&chunk);
            }
            writer.send(b"\n");
        });
        let answer = client.answer();
        assert!(answer["error"]["desc"].as_str().is_some_and(|desc| desc.contains(words)), "{answer}");
        writing.join().unwrap();
        client.ok("query-version", json!({}));
    }
    let after = daemon.memory("VmHWM:");
    assert!(after < before + 4096, "{before} KiB before, {after} KiB for four times ten megabytes");
}

#[test]
fn half_a_line_holds_up_only_its_own_client() {
    let control = Control::start(&["cd0"]);
    let mut half = control.client();
    half.send(br#"{"execute":"media-insert","arguments":{"file":""#);
    control.client().ok("query-block", json!({}));
    drop(half);
    control.client().ok("query-block", json!({}));
}

#[test]
fn a_client_that_reads_nothing_loses_its_connection_and_the_others_do_not_wait() {
    let control = Control::start(&["cd0"]);
    let mut deaf = control.client();
    let mut good = control.client();
    // Far more events than the socket and the queue hold.
    for _ in 0..20_000 {
        control.drive().open_tray(false).unwrap();
        control.drive().close_tray();
        // This one listens.
        for open in [true, false] {
            assert_eq!(good.event().1["tray-open"], open);
        }
    }
    // It was sent what there was room for, and then nothing more.
    let mut received = 0;
    while deaf.line().is_some() {
        received += 1;
    }
    assert!(received < 40_000, "{received}");
    good.ok("query-version", json!({}));
}

#[test]
fn a_client_that_asks_and_never_reads_is_held_up_alone() {
    let mut control = Control::start(&["cd0"]);
    let deaf = control.client();
    let mut asking = deaf.half();
    let asker = thread::spawn(move || while asking.try_send(br#"{"execute":"query-qmp-schema"}"#).is_ok() {});
    control.client().ok("query-block", json!({}));
    asker.join().unwrap();
    control.client().ok("query-block", json!({}));
    control.stop();
    drop(deaf);
}

#[test]
fn only_so_many_clients_are_served_and_a_place_becomes_free_again() {
    let control = Control::start(&["cd0"]);
    let mut clients: Vec<_> = (0..32).map(|_| control.client()).collect();
    let mut refused = Client::connect(&control.path());
    let answer = refused.line().unwrap();
    assert!(answer["error"]["desc"].as_str().unwrap().contains("32 clients"), "{answer}");
    assert_eq!(refused.line(), None);
    clients.pop();
    // Its place is free when its thread has seen that it left.
    loop {
        let mut next = Client::connect(&control.path());
        if next.line().unwrap().get("QMP").is_some() {
            break;
        }
        thread::sleep(Duration::from_millis(5));
    }
    clients.iter_mut().for_each(|client| drop(client.ok("query-version", json!({}))));
}

#[test]
fn clients_that_change_the_same_drive_at_once_leave_it_sound() {
    let control = Control::start(&["cd0"]);
    let images = [1, 2, 3, 4].map(|byte| control.image(&byte.to_string(), byte, 10));
    thread::scope(|scope| {
        for image in &images {
            let mut client = control.client();
            scope.spawn(move || {
                for _ in 0..50 {
                    client.ok("media-insert", json!({ "file": image }));
                    // Another client may have taken it out already.
                    client.ask("media-eject", json!({}));
                }
            });
        }
    });
    let mut client = control.client();
    client.ok("media-insert", json!({ "file": images[0] }));
    assert_eq!(client.ok("drive-query", json!({}))[0]["medium"]["locator"], json!(images[0]));
}

/// Answers repeat what the client chose as `id`, up to 64 KiB each.
#[test]
fn answers_that_nobody_reads_take_little_memory() {
    const CLIENTS: usize = 16;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control");
    let daemon = Daemon::start(&["--control", path.to_str().unwrap()]);
    let before = daemon.memory("RssAnon:");
    let command = json!({ "execute": "query-version", "id": "x".repeat(60_000) }).to_string();
    let mut most = 0;
    thread::scope(|scope| {
        let senders: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let mut deaf = Client::negotiated(&path);
                let command = &command;
                // Until the daemon hangs up.
                scope.spawn(move || while deaf.try_send(command.as_bytes()).is_ok() {})
            })
            .collect();
        while !senders.iter().all(thread::ScopedJoinHandle::is_finished) {
            most = most.max(daemon.memory("RssAnon:"));
            thread::sleep(Duration::from_millis(5));
        }
    });
    assert!(most < before + CLIENTS as u64 * 2048, "{before} KiB before, {most} KiB meanwhile");
    Client::negotiated(&path).ok("query-version", json!({}));
}

/// Needs root, to become somebody else.
#[test]
fn a_process_of_another_user_is_refused_whatever_the_mode_of_the_socket_says() {
    let control = Control::start(&["cd0"]);
    for path in [control.folder.path(), &control.path()] {
        fs::set_permissions(path, Permissions::from_mode(0o777)).unwrap();
    }
    let script = "import os, socket, sys; user = int(sys.argv[2]); user and (os.setgroups([]), os.setgid(user), os.setuid(user)); \
                  s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); print(s.makefile().readline())";
    let path = control.path();
    let says = |user: &str| {
        let output = Command::new("python3").args(["-c", script, path.to_str().unwrap(), user]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let other = says("65534");
    assert!(other.contains("error") && other.contains("for the user who runs spindled"), "{other}");
    assert!(says("0").contains("QMP"));
}

#[test]
fn descriptors_that_run_out_end_nothing_and_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let (path, image) = (folder.path().join("control"), folder.path().join("disc.iso"));
    fs::write(&image, vec![5; 64 * 2048]).unwrap();
    let runtime = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 150 && exec \"$0\" \"$@\"", spindled(&runtime).get_program().to_str().unwrap()]);
    command.env("XDG_RUNTIME_DIR", runtime.path()).env_remove("RUST_LOG").arg(&image);
    command.arg("--control").arg(&path).arg("--socket-path").arg(runtime.path().join("socket"));
    let mut daemon = Daemon::run(command, runtime);
    let mut guest = daemon.guest(Options::default());
    let read = guest::Command::new(&[0x28, 0, 0, 0, 0, 9, 0, 0, 1, 0], 2048);
    while guest.command(REQUESTS, &guest::Command::new(&[0; 6], 0)).status != 0 {}

    // Each holds 16, and more want in than there is room for.
    let file = File::open("/dev/null").unwrap();
    let crowd: Vec<_> = (0..40)
        .map(|_| {
            let mut client = Client::connect(&path);
            let descriptors = vec![file.as_fd(); 16];
            // The daemon may have hung up on one that it cannot serve.
            let _ = client.try_send_with(b" ", &descriptors);
            client
        })
        .collect();
    while daemon.descriptors() < 145 {
        thread::sleep(Duration::from_millis(5));
    }
    // The guest has its drive.
    assert_eq!(guest.command(REQUESTS, &read).data, [5; 2048]);
    drop(guest);
    let (socket, waiting) = (daemon.path(), std::sync::Barrier::new(2));
    thread::scope(|scope| {
        let next = scope.spawn(|| {
            waiting.wait();
            let mut guest = Guest::connect(&socket, Options::default());
            while guest.command(REQUESTS, &guest::Command::new(&[0; 6], 0)).status != 0 {}
            guest.command(REQUESTS, &read).data
        });
        waiting.wait();
        daemon.wait_for_line("cannot be served now");
        drop(crowd);
        assert_eq!(next.join().unwrap(), [5; 2048]);
    });
    Client::negotiated(&path).ok("query-block", json!({}));
}

#[test]
fn a_client_that_passes_its_own_connection_leaves_its_place_all_the_same() {
    let control = Control::start(&["cd0"]);
    for _ in 0..40 {
        let mut client = loop {
            let mut client = Client::connect(&control.path());
            if client.line().unwrap().get("QMP").is_some() {
                break client;
            }
            thread::sleep(Duration::from_millis(5));
        };
        client.send_itself();
    }
}

#[test]
fn a_client_that_sends_no_more_and_reads_slowly_keeps_its_place() {
    let control = Control::start(&["cd0"]);
    let image = File::open(control.image("disc", 1, 10)).unwrap();
    let mut clients: Vec<_> = (0..32).map(|_| control.client()).collect();
    // More than a socket holds, so it is on its way as long as nobody reads.
    let opaque = "x".repeat(12_288);
    for _ in 0..200 {
        let request = json!({ "execute": "add-fd", "arguments": { "fdset-id": 0, "opaque": opaque } });
        clients[0].send_with(request.to_string().as_bytes(), &[image.as_fd()]);
        assert!(clients[0].answer()["return"].is_object());
    }
    let mut slow = clients.pop().unwrap();
    slow.send(br#"{"execute":"query-fdsets"}"#);
    slow.half_close();
    slow.begins();
    // Nothing more is read from it by now, or soon.
    for _ in 0..20 {
        let mut refused = Client::connect(&control.path());
        assert!(refused.line().unwrap()["error"]["desc"].as_str().unwrap().contains("32 clients"));
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(slow.answer()["return"][0]["fds"].as_array().unwrap().len(), 200);
    assert_eq!(slow.line(), None);
    // And then its place is free.
    while Client::connect(&control.path()).line().unwrap().get("QMP").is_none() {}
}

#[test]
fn a_message_in_many_pieces_brings_no_more_descriptors_than_a_client_may_have() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control");
    let daemon = Daemon::start(&["--control", path.to_str().unwrap()]);
    let mut client = Client::negotiated(&path);
    client.ok("query-version", json!({}));
    let before = daemon.descriptors();
    let file = File::open("/dev/null").unwrap();
    client.send_with(b"{", &[file.as_fd(); 16]);
    for _ in 0..20 {
        client.send_with(b" ", &[file.as_fd(); 16]);
    }
    client.send(b"\"execute\": \"query-version\"}");
    assert!(client.answer()["return"].is_object());
    assert_eq!(daemon.descriptors(), before + 16);
}

#[test]
fn descriptors_that_nobody_knows_any_more_are_closed() {
    let control = Control::start(&["cd0"]);
    let image = File::open(control.image("disc", 1, 10)).unwrap();
    let mut client = control.client();
    let mut other = control.client();
    client.send_with(br#"{"execute":"add-fd"}"#, &[image.as_fd()]);
    assert!(client.answer()["return"].is_object());
    drop(client);
    assert_eq!(other.ok("query-fdsets", json!({}))[0]["fdset-id"], 0);
    drop(other);
    let deadline = Instant::now() + Duration::from_secs(60);
    while control.client().ok("query-fdsets", json!({})) != json!([]) {
        assert!(Instant::now() < deadline, "it is kept");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn names_that_are_longer_than_any_path_are_refused() {
    let control = Control::start(&["cd0"]);
    let path = control.image("disc", 1, 10);
    let image = File::open(&path).unwrap();
    let mut client = control.client();
    let long = "x".repeat(12_289);
    let request = json!({ "execute": "add-fd", "arguments": { "opaque": long } });
    client.send_with(request.to_string().as_bytes(), &[image.as_fd()]);
    assert!(client.answer()["error"]["desc"].as_str().unwrap().contains("at most 12288 bytes"));
    let words = client.refused("media-insert", json!({ "file": path, "locator": long })).1;
    assert!(words.contains("at most 12288 bytes"), "{words}");
}
