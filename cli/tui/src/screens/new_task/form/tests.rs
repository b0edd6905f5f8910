//! What the form makes of what was typed.

use super::*;

#[test]
fn a_form_makes_a_submission_that_keeps_the_contract() {
    let mut form = Form::new("resize");
    form.set(Field::Attempts, "5");
    form.set(Field::Timeout, "1m30s");
    form.set(Field::Count, "1,000");
    form.payload.paste("{\"it's\": 1}");
    let (submission, count) = form.order().unwrap();
    assert_eq!(count, 1_000);
    assert_eq!(
        submission,
        json!({ "type": "resize", "payload": { "it's": 1 }, "options": { "maxAttempts": 5, "timeoutMs": 90_000 } })
    );
    assert_eq!(
        form.command(),
        "odd submit resize --payload '{\"it'\\''s\":1}' --max-attempts 5 --job-timeout 1m30s --count 1000"
    );
    assert!(form.is_touched());
}

#[test]
fn it_begins_after_a_time_or_at_one() {
    let mut form = Form::new("hello");
    for (text, options, command) in [
        ("5m", json!({ "delayMs": 300_000 }), "odd submit hello --delay 5m"),
        (
            "2026-01-31T12:00:00Z",
            json!({ "runAt": "2026-01-31T12:00:00.000000Z" }),
            "odd submit hello --at 2026-01-31T12:00:00Z",
        ),
        (
            "2026-01-31T14:30:00+02:30",
            json!({ "runAt": "2026-01-31T12:00:00.000000Z" }),
            "odd submit hello --at 2026-01-31T14:30:00+02:30",
        ),
    ] {
        form.set(Field::Start, text);
        assert_eq!(form.order().unwrap().0["options"], options);
        assert_eq!(form.command(), command);
    }
    for (text, place) in [
        ("soon", "/options/delayMs"),
        ("400d", "/options/delayMs"),
        ("2026-01-31", "/options/runAt"),
        ("12:00", "/options/runAt"),
    ] {
        form.set(Field::Start, text);
        let errors = form.order().unwrap_err();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!(errors[0].path, place);
    }
}

#[test]
fn everything_that_is_wrong_is_named_with_its_place() {
    let mut form = Form::new("not a type");
    form.set(Field::Attempts, "99");
    form.set(Field::Start, "soon");
    form.set(Field::Count, "100001");
    form.payload.paste("[1]");
    let errors = form.order().unwrap_err();
    let places: Vec<_> = errors.iter().map(|error| error.path.as_str()).collect();
    for place in [
        "/type",
        "/options/maxAttempts",
        "/options/delayMs",
        "count",
        "/payload",
    ] {
        assert!(places.contains(&place), "{place}: {errors:?}");
    }
}

#[test]
fn payloads_are_bounded_together() {
    let mut form = Form::new("hello");
    form.payload
        .paste(&format!("{{\"a\":\"{}\"}}", "x".repeat(900_000)));
    assert!(form.order().is_ok());
    form.set(Field::Count, "1000");
    assert!(form.order().unwrap_err()[0].message.contains("together"));
    form.payload.paste(&"y".repeat(300_000));
    assert!(
        form.order()
            .unwrap_err()
            .iter()
            .any(|e| e.message.contains("the gateway takes"))
    );
}

#[test]
fn fields_go_round() {
    assert_eq!(Field::Submit.step(1), Field::Type);
    assert_eq!(Field::Type.step(Field::ALL.len() - 1), Field::Submit);
}
