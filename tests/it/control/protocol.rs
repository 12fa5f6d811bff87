//! QMP's wire format (QEMU, docs/interop/qmp-spec).

use serde_json::json;

use crate::support::control::{Client, Control};

#[test]
fn the_greeting_names_version_and_capabilities() {
    let control = Control::start(&["cd0"]);
    let greeting = Client::connect(&control.path()).line().unwrap();
    let qemu = &greeting["QMP"]["version"]["qemu"];
    assert!(["major", "minor", "micro"].iter().all(|part| qemu[part].is_u64()), "{greeting}");
    assert!(greeting["QMP"]["version"]["package"].as_str().unwrap().starts_with("spindle-"));
    assert_eq!(greeting["QMP"]["capabilities"], json!([]));
}

#[test]
fn nothing_but_the_negotiation_comes_first() {
    let control = Control::start(&["cd0"]);
    let mut client = Client::connect(&control.path());
    client.line();
    let (class, words) = client.refused("query-block", json!({}));
    assert_eq!(class, "CommandNotFound");
    assert!(words.contains("qmp_capabilities"), "{words}");
    assert_eq!(client.refused("qmp_capabilities", json!({ "enable": ["oob"] })).0, "GenericError");
    client.ok("qmp_capabilities", json!({ "enable": [] }));
    client.ok("query-block", json!({}));
    assert_eq!(client.refused("qmp_capabilities", json!({})).0, "CommandNotFound");
}

#[test]
fn an_id_comes_back_whatever_it_is() {
    let control = Control::start(&["cd0"]);
    let mut client = control.client();
    for id in [json!(1), json!("a"), json!(null), json!({ "deep": [1, { "er": false }] }), json!(-1.5)] {
        client.send(json!({ "execute": "query-version", "id": id }).to_string().as_bytes());
        assert_eq!(client.answer()["id"], id);
        client.send(json!({ "execute": "no-such", "id": id }).to_string().as_bytes());
        assert_eq!(client.answer()["id"], id);
    }
    assert_eq!(client.ask("query-version", json!({})).get("id"), None);
}

#[test]
fn a_verb_that_is_not_there_is_not_found() {
    let control = Control::start(&["cd0"]);
    let (class, words) = control.client().refused("x-colo-lost-heartbeat", json!({}));
    assert_eq!(
        (class.as_str(), words.as_str()),
        ("CommandNotFound", "The command x-colo-lost-heartbeat has not been found")
    );
}

#[test]
fn messages_are_checked_before_they_run() {
    let control = Control::start(&["cd0"]);
    let mut client = control.client();
    for (message, words) in [
        (&br#"[1, 2]"#[..], "must be a JSON object"),
        (br#"{}"#, "lacks member 'execute'"),
        (br#"{"execute": 7}"#, "'execute' must be a string"),
        (br#"{"execute": "query-version", "arguments": []}"#, "'arguments' must be an object"),
        (br#"{"execute": "query-version", "control": {}}"#, "'control' is unexpected"),
        (br#"{"execute": "query-version", "arguments": {"a": 1}}"#, "'a' is unexpected"),
        (br#"{"execute": "eject", "arguments": {"device": 1}}"#, "'device', expected: string"),
        (br#"{"execute": "eject", "arguments": {"device": "cd0", "force": "yes"}}"#, "'force', expected: boolean"),
        (br#"{"execute": "remove-fd", "arguments": {"fdset-id": 1.5}}"#, "'fdset-id', expected: integer"),
        (br#"{"execute": "media-eject", "arguments": {"timeout": "5"}}"#, "'timeout', expected: number"),
        (br#"{"execute": "media-insert"}"#, "'file' is missing"),
        (br#"{"execute": }"#, "JSON parse error"),
        (b"execute\n", "JSON parse error"),
    ] {
        client.send(message);
        let answer = client.answer();
        assert_eq!(answer["error"]["class"], "GenericError", "{answer}");
        assert!(answer["error"]["desc"].as_str().unwrap().contains(words), "{answer}");
        client.ok("query-version", json!({}));
    }
}

/// The limit of this server alone: the parser behind it takes more.
#[test]
fn nesting_of_32_levels_is_taken_and_of_33_refused() {
    let control = Control::start(&["cd0"]);
    let mut client = control.client();
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        // The command itself is the first level.
        let nested = |levels: usize| format!("{}1{}", open.repeat(levels - 1), close.repeat(levels - 1));
        let command = |id: &str| format!("{{\"execute\":\"query-version\",\"id\":{id}}}\n");
        for levels in [31, 32] {
            client.send(command(&nested(levels)).as_bytes());
            let answer = client.answer();
            assert!(answer["return"].is_object(), "{levels} levels: {answer}");
            assert_eq!(answer["id"].to_string(), nested(levels));
        }
        for levels in [33, 34, 100] {
            client.send(command(&nested(levels)).as_bytes());
            let answer = client.answer();
            assert_eq!(answer["error"]["class"], "GenericError", "{levels} levels: {answer}");
            assert_eq!(answer["error"]["desc"], "JSON parse error: nesting too deep", "{levels} levels");
        }
        // One after another is no nesting, and in a string it is text.
        let beside = format!("[{}1]", format!("{open}1{close},").repeat(100));
        let text = serde_json::Value::from(open.repeat(100)).to_string();
        for id in [beside, text] {
            client.send(command(&id).as_bytes());
            assert_eq!(client.answer()["id"].to_string(), id);
        }
    }
}

#[test]
fn commands_may_come_in_pieces_or_many_at_once() {
    let control = Control::start(&["cd0"]);
    let mut client = control.client();
    for byte in br#"{ "execute" : "query-version" , "id" : "} { \" [" }"# {
        client.send(&[*byte]);
    }
    assert_eq!(client.answer()["id"], "} { \" [");
    client.send(
        br#"{"execute":"query-version","id":1}{"execute":"query-block","id":2}
                    {"execute":"query-version","id":3}"#,
    );
    assert_eq!([client.answer(), client.answer(), client.answer()].map(|answer| answer["id"].clone()), [1, 2, 3]);
    // What was asked before the end is answered.
    client.send(br#"{"execute":"query-version","id":4}{"execute":"query-"#);
    client.half_close();
    assert_eq!(client.answer()["id"], 4);
    assert_eq!(client.line(), None);
}

#[test]
fn commands_and_schema_name_the_same_verbs_and_what_they_take() {
    let control = Control::start(&["cd0"]);
    let mut client = control.client();
    let mut names: Vec<String> =
        spindle::control::VERBS.iter().flat_map(|verbs| verbs.iter()).map(|verb| verb.name.to_owned()).collect();
    let commands = client.ok("query-commands", json!({}));
    let schema = client.ok("query-qmp-schema", json!({}));
    let entity = |name: &str| {
        schema.as_array().unwrap().iter().find(|entity| entity["name"] == name).unwrap_or_else(|| panic!("{name}"))
    };
    for verb in spindle::control::VERBS.iter().flat_map(|verbs| verbs.iter()) {
        let command = entity(verb.name);
        assert_eq!(command["meta-type"], "command");
        let members = entity(command["arg-type"].as_str().unwrap())["members"].as_array().unwrap();
        assert_eq!(members.len(), verb.arguments.len(), "{}", verb.name);
        for (member, argument) in members.iter().zip(verb.arguments) {
            assert_eq!(member["name"], argument.name);
            // QEMU's SchemaInfoObjectMember: "default" is there when the member is optional.
            assert_eq!(member.get("default").is_none(), argument.required, "{} {}", verb.name, argument.name);
            entity(member["type"].as_str().unwrap());
        }
        entity(command["ret-type"].as_str().unwrap());
    }
    assert_eq!(entity("DEVICE_TRAY_MOVED")["meta-type"], "event");
    names.push("qmp_capabilities".to_owned());
    let listed: Vec<_> = commands.as_array().unwrap().iter().map(|command| command["name"].as_str().unwrap()).collect();
    assert_eq!(listed, names);
}

#[test]
fn quit_is_answered_and_asks_the_daemon_to_end() {
    let mut control = Control::start(&["cd0"]);
    let mut client = control.client();
    assert_eq!(control.quits(), 0);
    client.ok("quit", json!({}));
    assert_eq!(control.quits(), 1);
    control.stop();
    assert_eq!(client.line(), None);
}

#[test]
fn the_reference_has_every_verb_argument_and_event() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/control.md");
    let text = std::fs::read_to_string(path).unwrap();
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let row = |name: &str| rows.iter().find(|row| row[0] == format!("`{name}`")).unwrap_or_else(|| panic!("{name}"));
    let verbs: Vec<_> = spindle::control::VERBS.iter().flat_map(|verbs| verbs.iter()).collect();
    for verb in &verbs {
        let told: Vec<_> = row(verb.name)[1].split('`').skip(1).step_by(2).collect();
        let mut known: Vec<_> = verb.arguments.iter().map(|argument| argument.name).collect();
        let mut named =
            told.iter().copied().filter(|name| !matches!(*name, "SCM_RIGHTS" | "media-open")).collect::<Vec<_>>();
        known.sort_unstable();
        named.sort_unstable();
        assert_eq!(named, known, "{}", verb.name);
    }
    for event in spindle::control::EVENTS {
        assert_eq!(row(event).len(), 3);
    }
    assert_eq!(rows.len(), verbs.len() + spindle::control::EVENTS.len(), "no row for what is not there");
}
