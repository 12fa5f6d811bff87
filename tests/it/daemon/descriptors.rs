//! A daemon that has no descriptors left, and is asked to put a disc in. What `convert` does then: `cli::convert`. What front-ends and
//! clients meet that come then: `control::crowd`.

use std::fs;

use serde_json::json;

use crate::support::control::Client;
use crate::support::daemon::Daemon;
use crate::support::disc::block;
use crate::support::guest::{Command, Guest, Options, REQUESTS};

const READ: [u8; 10] = [0x28, 0, 0, 0, 0, 9, 0, 0, 1, 0];

fn settle(guest: &mut Guest) {
    while guest.command(REQUESTS, &Command::new(&[0; 6], 0)).status != 0 {}
}

/// With none left, with one, and so on until they are enough for a sheet and the files that it names.
#[test]
fn a_disc_that_there_are_no_descriptors_for_is_refused_by_name_and_the_old_one_stays() {
    const FILES: usize = 4;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(at("old.iso"), (0..64).flat_map(|lba| block(1, lba)).collect::<Vec<_>>()).unwrap();
    let mut sheet = String::from("CD_ROM\n");
    for file in 0..FILES {
        fs::write(at(&format!("part{file}.bin")), (0..300).flat_map(|lba| block(2, lba)).collect::<Vec<_>>()).unwrap();
        sheet += &format!("TRACK MODE1\nDATAFILE \"part{file}.bin\"\n");
    }
    fs::write(at("new.toc"), sheet).unwrap();
    let daemon = Daemon::start(&["--control", &at("control"), "--media-root", &at(""), &at("old.iso")]);
    let mut guest = daemon.guest(Options::default());
    settle(&mut guest);
    let mut client = Client::negotiated(at("control").as_ref());
    client.ok("drive-query", json!({}));
    let open = daemon.descriptors();
    let mut refusals = Vec::new();
    for spare in 0..20 {
        daemon.spare_descriptors(spare);
        let answer = client.ask("media-insert", json!({ "file": at("new.toc") }));
        if answer.get("return").is_some() {
            break;
        }
        let words = answer["error"]["desc"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        refusals.push(words);
        assert_eq!(client.ok("drive-query", json!({}))[0]["medium"]["locator"], at("old.iso"));
        let reply = guest.command(REQUESTS, &Command::new(&READ, 2048));
        assert_eq!((reply.status, reply.data), (0, block(1, 9).to_vec()), "without a unit attention");
        assert_eq!(daemon.descriptors(), open, "some stay open");
    }
    assert!(refusals.len() > FILES, "{refusals:#?}");
    for (spare, words) in refusals.iter().enumerate() {
        assert!(words.contains(&at("new.toc")) && words.contains("Too many open files"), "{spare} left: {words}");
    }
    settle(&mut guest);
    assert_eq!(guest.command(REQUESTS, &Command::new(&READ, 2048)).data, block(2, 9));
}
