//! What `odd test --output json` answered.

use serde_json::Value;

fn checks(answer: &Value) -> &[Value] {
    answer["checks"].as_array().expect("the answer lists its checks")
}

fn name(check: &Value) -> &str {
    check["name"].as_str().expect("a check has a name")
}

/// Names of the checks that failed.
///
/// # Panics
/// Where it is no answer of `odd test`.
#[must_use]
pub fn failed(answer: &Value) -> Vec<&str> {
    let failed = checks(answer).iter().filter(|check| check["ok"] != true);
    failed.map(name).collect()
}

/// Whether there is a check whose name has this part.
///
/// # Panics
/// Where it is no answer of `odd test`.
#[must_use]
pub fn has(answer: &Value, part: &str) -> bool {
    checks(answer).iter().any(|check| name(check).contains(part))
}

/// Holds that every check passed.
///
/// # Panics
/// Where one did not. Tells of those only, and what went to standard error: a whole answer is long, and reports are cut.
#[track_caller]
pub fn all_pass(answer: &Value, stderr: &str) {
    assert!(!checks(answer).is_empty(), "nothing was checked\n{stderr}");
    let failed: Vec<String> = checks(answer)
        .iter()
        .filter(|check| check["ok"] != true)
        .map(|check| format!("  {}: {}", name(check), check["detail"]))
        .collect();
    assert!(
        failed.is_empty(),
        "checks failed:\n{}\n{stderr}",
        failed.join("\n")
    );
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(second: bool) -> Value {
        json!({ "checks": [
            { "name": "a job completes", "ok": true, "detail": "" },
            { "name": "web: alive", "ok": second, "detail": "nobody answers" },
        ]})
    }

    #[test]
    fn checks_are_told_apart_by_what_came_of_them() {
        assert_eq!(failed(&answer(false)), ["web: alive"]);
        assert!(failed(&answer(true)).is_empty());
        assert!(has(&answer(true), "job") && !has(&answer(true), "gateway"));
        all_pass(&answer(true), "");
    }

    #[test]
    #[should_panic(expected = "nothing was checked")]
    fn no_checks_are_no_pass() {
        all_pass(&json!({ "checks": [] }), "");
    }

    #[test]
    #[should_panic(expected = "  web: alive: \"nobody answers\"")]
    fn a_check_that_failed_is_named_with_its_reason() {
        all_pass(&answer(false), "");
    }
}
