//! `query-qmp-schema`: the table of verbs in the form of QEMU's introspection (`SchemaInfo`).

use serde_json::{Value, json};

use super::events::EVENTS;
use super::verbs::{Argument, Kind, Returns, all};

/// Every type, command and event. Results are described as open objects: their members are documented, not typed.
pub fn describe() -> Value {
    let mut schema = vec![
        json!({ "name": "str", "meta-type": "builtin", "json-type": "string" }),
        json!({ "name": "int", "meta-type": "builtin", "json-type": "int" }),
        json!({ "name": "number", "meta-type": "builtin", "json-type": "number" }),
        json!({ "name": "bool", "meta-type": "builtin", "json-type": "boolean" }),
        json!({ "name": "any", "meta-type": "builtin", "json-type": "value" }),
        json!({ "name": "object", "meta-type": "object", "members": [] }),
        json!({ "name": "[object]", "meta-type": "array", "element-type": "object" }),
    ];
    for verb in all() {
        let arguments = format!("{}-arg", verb.name);
        let members: Value = verb.arguments.iter().map(member).collect();
        schema.push(json!({ "name": arguments, "meta-type": "object", "members": members }));
        let returned = match verb.returns {
            Returns::Object => "object",
            Returns::List => "[object]",
        };
        schema.push(json!({ "name": verb.name, "meta-type": "command", "arg-type": arguments, "ret-type": returned }));
    }
    for event in EVENTS {
        schema.push(json!({ "name": event, "meta-type": "event", "arg-type": "object" }));
    }
    schema.into()
}

fn member(argument: &Argument) -> Value {
    let kind = match argument.kind {
        Kind::Str => "str",
        Kind::Int => "int",
        Kind::Number => "number",
        Kind::Bool => "bool",
    };
    let mut member = json!({ "name": argument.name, "type": kind });
    if !argument.required {
        member["default"] = Value::Null;
    }
    member
}
