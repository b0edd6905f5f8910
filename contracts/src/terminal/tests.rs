use serde_json::{Value, json};

use super::*;
use crate::schema::Schema;

/// The type judges as the schema does, without the schema: a key that is pressed costs no more than its parsing.
#[test]
fn the_type_and_the_schema_take_the_same_messages() {
    let long = "x".repeat(MAX_SECRET + 1);
    let pasted = "é".repeat(MAX_INPUT);
    let too_much = "é".repeat(MAX_INPUT + 1);
    let messages = [
        json!({"type": "hello", "ticket": "t", "columns": 80, "rows": 24}),
        json!({"type": "hello", "ticket": "", "columns": 80, "rows": 24}),
        json!({"type": "hello", "token": long, "columns": 80, "rows": 24}),
        json!({"type": "hello", "ticket": "t", "session": {"reconnect": "r"}, "columns": 80, "rows": 24}),
        json!({"type": "hello", "session": {"reconnect": "r", "more": 1}, "columns": 80, "rows": 24}),
        json!({"type": "hello", "ticket": "t", "columns": 70_000, "rows": 24}),
        json!({"type": "hello", "ticket": "t", "columns": -1, "rows": 24}),
        json!({"type": "resize", "columns": 1_000, "rows": 1_000}),
        json!({"type": "resize", "columns": 1_000, "rows": 1_001}),
        json!({"type": "resize", "columns": "80", "rows": 24}),
        json!({"type": "resize", "columns": 80}),
        json!({"type": "input", "data": pasted}),
        json!({"type": "input", "data": too_much}),
        json!({"type": "input", "data": ""}),
        json!({"type": "input", "data": "\u{0}\u{1b}[200~"}),
        json!({"type": "input", "data": "x", "data2": "y"}),
        json!({"type": "ping"}),
        json!({"type": "ping", "data": "x"}),
        json!({"type": "Ping"}),
        json!({"type": ["ping"]}),
        json!({}),
        json!([]),
        json!(null),
        json!("ping"),
    ];
    let passed = messages.iter().filter(|message| {
        let read = ClientMessage::parse(&message.to_string());
        assert_eq!(
            read.is_ok(),
            Schema::TerminalClient.is_valid(message),
            "{message:.200}: {read:?}"
        );
        read.is_ok()
    });
    assert_eq!(passed.count(), 5);
    for text in ["", "{", "{\"type\":\"ping\"}{}", "nul"] {
        let error = ClientMessage::parse(text).unwrap_err();
        assert!(error.contains("no JSON"), "{text}: {error}");
    }
}

#[test]
fn codes_are_those_of_the_schema() {
    let document = Schema::TerminalServer.document();
    let written = |codes: Vec<Value>| Value::from(codes);
    let codes = NoticeCode::ALL.iter().map(|code| json!(code));
    let errors = ErrorCode::ALL.iter().map(|code| json!(code));
    assert_eq!(
        document["properties"]["code"]["enum"],
        written(codes.clone().chain(errors.clone()).collect())
    );
    assert_eq!(
        document["anyOf"][1]["properties"]["code"]["enum"],
        written(codes.collect())
    );
    assert_eq!(
        document["anyOf"][4]["properties"]["code"]["enum"],
        written(errors.collect())
    );
    let reasons = EndReason::ALL.map(|reason| json!(reason)).to_vec();
    assert_eq!(document["properties"]["reason"]["enum"], written(reasons));
    for code in ErrorCode::ALL {
        assert_eq!(json!(code), code.name());
    }
    for reason in EndReason::ALL {
        assert_eq!(json!(reason), reason.name());
    }
}

#[test]
fn what_is_secret_is_not_printed() {
    let text = r#"{"type": "hello", "session": {"reconnect": "hunter2"}, "columns": 80, "rows": 24}"#;
    let message = ClientMessage::parse(text).unwrap();
    assert!(!format!("{message:?}").contains("hunter2"));
    let error = ClientMessage::parse(r#"{"type": "hello", "ticket": ["hunter2"]}"#).unwrap_err();
    assert!(!error.contains("hunter2"), "{error}");
}
