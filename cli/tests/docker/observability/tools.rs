//! What Prometheus' and Alertmanager's own tools say of their files, in the versions of the offline images. The rules are
//! proven here: each alert fires, does not below its bound, and ends.

use odd_contracts::alert::condition;
use odd_testkit::{Ended, tool};

use super::dashboards::repository;

const PROMETHEUS: &str = "compose/prometheus";
const ALERTMANAGER: &str = "compose/alertmanager";

#[track_caller]
fn well(ended: &Ended) {
    assert_eq!(ended.code, 0, "{}", ended.text);
}

#[tokio::test]
async fn promtool_finds_nothing_wrong_with_configuration_and_rules() {
    let checked = tool(
        "prometheus",
        PROMETHEUS,
        &["promtool", "check", "config", "prometheus.yml"],
    )
    .await;
    well(&checked);
    assert!(checked.text.contains("1 rule files found"), "{}", checked.text);
    well(
        &tool(
            "prometheus",
            PROMETHEUS,
            &["promtool", "check", "rules", "--lint-fatal", "rules.yml"],
        )
        .await,
    );
}

#[tokio::test]
async fn every_alert_fires_and_ends_as_it_should() {
    let proofs: Vec<String> = std::fs::read_dir(repository().join(PROMETHEUS).join("tests"))
        .unwrap()
        .map(|entry| format!("tests/{}", entry.unwrap().file_name().to_string_lossy()))
        .collect();
    let text: String = proofs
        .iter()
        .map(|path| std::fs::read_to_string(repository().join(PROMETHEUS).join(path)).unwrap())
        .collect();
    for alert in condition::ALL {
        assert!(
            text.contains(&format!("alertname: {alert}\n")),
            "{alert} has no test"
        );
    }
    let mut command = vec!["promtool", "test", "rules"];
    command.extend(proofs.iter().map(String::as_str));
    let tested = tool("prometheus", PROMETHEUS, &command).await;
    well(&tested);
    assert_eq!(
        tested.text.matches("SUCCESS").count(),
        proofs.len(),
        "{}",
        tested.text
    );
}

#[tokio::test]
async fn a_rule_that_is_not_as_its_test_says_is_noticed() {
    // Against a test that expects nothing of the kind, the tool has to fail, or it proves nothing.
    let script = "cp -r . /tmp/check && cd /tmp/check && sed -i 's/for: 10s/for: 12s/' rules.yml && promtool test rules tests/*.yml";
    let tested = tool("prometheus", PROMETHEUS, &["sh", "-c", script]).await;
    assert_ne!(tested.code, 0, "{}", tested.text);
    assert!(tested.text.contains("FAILED"), "{}", tested.text);
}

#[tokio::test]
async fn amtool_finds_nothing_wrong_and_every_alert_goes_to_the_read_model() {
    let file = "--config.file=alertmanager.yml";
    well(
        &tool(
            "alertmanager",
            ALERTMANAGER,
            &["amtool", "check-config", "alertmanager.yml"],
        )
        .await,
    );
    for alert in condition::ALL {
        let name = format!("alertname={alert}");
        let routed = tool(
            "alertmanager",
            ALERTMANAGER,
            &["amtool", "config", "routes", "test", file, &name],
        )
        .await;
        well(&routed);
        // Before or behind the answer it may warn of flags that it does not need.
        let answer = |line: &&str| !line.is_empty() && !line.starts_with("Warning: ");
        let receivers: Vec<&str> = routed.text.lines().map(str::trim).filter(answer).collect();
        assert_eq!(receivers, ["read-model"], "{alert}: {}", routed.text);
    }
}
