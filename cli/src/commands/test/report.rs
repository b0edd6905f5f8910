//! The result in every form.

use std::path::Path;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use serde::Serialize;

use super::Gated;
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
    /// Folder that was kept, because a check failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    folder: Option<&'a Path>,
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
pub(super) fn print(context: &Context, gated: &Gated, isolated: bool) -> Result<(), Error> {
    let printer = &context.printer;
    if printer.is_json() {
        return printer.json(&answer(gated));
    }
    let all = gated.results.len();
    let failed = gated.results.iter().filter(|result| !result.ok).count();
    let took = format::duration(gated.took);
    if failed == 0 {
        let mark = printer.mark(Glyph::Ok, Tone::Ok);
        printer.line(&format!("{mark} all {all} checks passed in {took}"));
        return Ok(());
    }
    let mark = printer.mark(Glyph::Bad, Tone::Bad);
    printer.line(&format!("{mark} {failed} of {all} checks failed in {took}"));
    if let Some(folder) = &gated.folder {
        printer.line(&format!("  kept in {}", folder.display()));
    }
    // Of an instance that is gone, the folder is all there is to look at.
    if !isolated {
        let of = of_instance(context.instance_name());
        printer.note(&format!("next: odd status{of}, odd logs{of} --tail 50"));
    }
    Ok(())
}

/// The answer for programs, which the folder has as well.
pub(super) fn answer(gated: &Gated) -> impl Serialize + '_ {
    let passed = gated.results.iter().filter(|result| result.ok).count();
    Answer {
        version: 1,
        passed,
        failed: gated.results.len() - passed,
        folder: gated.folder.as_deref(),
        checks: gated.results.iter().map(answered).collect(),
    }
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
