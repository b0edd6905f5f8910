//! The result in every form.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use serde::Serialize;

use super::run::CheckResult;
use crate::context::Context;
use crate::error::{Error, of_instance};
use crate::format;
use crate::output::{Glyph, Printer, Tone};

/// Version 1 of the answer.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    version: u32,
    passed: usize,
    failed: usize,
    checks: Vec<AnsweredCheck<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AnsweredCheck<'a> {
    name: &'a str,
    ok: bool,
    detail: &'a str,
    duration_ms: f64,
}

/// One line a check; what is wrong stands below it.
pub(super) fn line(printer: &Printer, result: &CheckResult, width: Option<usize>) -> String {
    let (glyph, tone) = if result.ok {
        (Glyph::Ok, Tone::Ok)
    } else {
        (Glyph::Bad, Tone::Bad)
    };
    let padding = " ".repeat(
        width
            .unwrap_or_default()
            .saturating_sub(result.name.chars().count()),
    );
    let took = printer.paint(Tone::Muted, &format!("{:>8}", format::duration(result.took)));
    let mut line = format!("{} {}{padding} {took}", printer.mark(glyph, tone), result.name);
    if result.ok && !result.detail.is_empty() {
        line.push_str(&format!("   {}", printer.paint(Tone::Muted, &result.detail)));
    }
    if !result.ok {
        line.push_str(&format!("\n    {}", result.detail.replace('\n', "\n    ")));
    }
    line
}

/// The whole answer for programs; for people, what follows the lines.
pub(super) fn print(context: &Context, results: &[CheckResult], took: Duration) -> Result<(), Error> {
    let printer = &context.printer;
    let passed = results.iter().filter(|result| result.ok).count();
    let failed = results.len() - passed;
    if printer.is_json() {
        return printer.json(&Answer {
            version: 1,
            passed,
            failed,
            checks: results.iter().map(answered).collect(),
        });
    }
    let took = format::duration(took);
    if failed == 0 {
        let mark = printer.mark(Glyph::Ok, Tone::Ok);
        printer.line(&format!("{mark} all {passed} checks passed in {took}"));
    } else {
        let of = of_instance(context.instance_name());
        let mark = printer.mark(Glyph::Bad, Tone::Bad);
        printer.line(&format!(
            "{mark} {failed} of {} checks failed in {took}",
            results.len()
        ));
        printer.note(&format!("next: odd status{of}, odd logs{of} --tail 50"));
    }
    Ok(())
}

fn answered(result: &CheckResult) -> AnsweredCheck<'_> {
    AnsweredCheck {
        name: &result.name,
        ok: result.ok,
        detail: &result.detail,
        duration_ms: result.took.as_micros() as f64 / 1_000.0,
    }
}

/// The same as JUnit XML, one suite.
pub(super) fn junit(results: &[CheckResult], took: Duration) -> Report {
    let mut suite = TestSuite::new("odd test");
    suite.set_time(took);
    for result in results {
        let status = if result.ok {
            TestCaseStatus::success()
        } else {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let first = result.detail.lines().next().unwrap_or_default();
            status.set_message(first).set_description(&result.detail);
            status
        };
        let mut case = TestCase::new(&result.name, status);
        case.set_classname(format!("odd.{}", result.subject))
            .set_time(result.took);
        suite.add_test_case(case);
    }
    let mut report = Report::new("odd test");
    report.set_time(took);
    report.add_test_suite(suite);
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(name: &str, ok: bool, detail: &str) -> CheckResult {
        CheckResult {
            subject: "jobs",
            name: name.to_owned(),
            ok,
            detail: detail.to_owned(),
            took: Duration::from_millis(12),
        }
    }

    #[test]
    fn the_junit_report_counts_and_explains_failures() {
        let results = [
            result("a job completes", true, "3 events"),
            result("a job fails", false, "status is <COMPLETED>\nnot FAILED"),
        ];
        let text = junit(&results, Duration::from_secs(1)).to_string().unwrap();
        assert!(
            text.contains(r#"tests="2" skipped="0" errors="0" failures="1""#),
            "{text}"
        );
        assert!(text.contains(r#"classname="odd.jobs""#), "{text}");
        assert!(text.contains("status is &lt;COMPLETED&gt;"), "{text}");
    }

    #[test]
    fn the_document_for_programs_has_exactly_its_fields() {
        let text = serde_json::to_string(&answered(&result("x", true, ""))).unwrap();
        assert_eq!(text, r#"{"name":"x","ok":true,"detail":"","durationMs":12.0}"#);
    }
}
