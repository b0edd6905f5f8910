//! A test as somebody else would write one, shown in the README.

use std::time::Duration;

use odd_testkit::wait_until;

#[test]
fn a_job_that_was_accepted_survives_the_process_that_ran_it() {
    let odd = crate::instance();
    odd.up();
    let payload = r#"{"simulate": {"durationMs": 2000}}"#;
    let submitted = odd.run(["submit", "slow", "--payload", payload, "--output", "json"]);
    let id = submitted.expect_code(0).json()["jobs"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let status = || odd.run(["jobs", "get", &id, "--output", "json"]).json()["job"]["status"].clone();
    wait_until(Duration::from_secs(10), "the job runs", || {
        (status() == "EXECUTING").then_some(())
    });

    odd.kill().expect("it runs");
    odd.up();

    wait_until(Duration::from_secs(30), "the job ends", || {
        (status() == "COMPLETED").then_some(())
    });
    let _ = odd.run(["verify", "--settle", "30s"]).expect_code(0);
}
