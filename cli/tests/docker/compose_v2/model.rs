//! A service as both models have it: what Compose prints, and what the engine reads, in one form.

use std::collections::BTreeMap;
use std::time::Duration;

use odd_engine::compose::{Mount, Service};
use serde_json::{Value, json};

/// Compose prints a dollar sign as it would have to stand in a file.
fn unescaped(value: &Value) -> Value {
    match value {
        Value::String(text) => json!(text.replace("$$", "$")),
        Value::Array(items) => items.iter().map(unescaped).collect(),
        other => other.clone(),
    }
}

/// Milliseconds of a duration as Go prints it, such as `1m0s` or `500ms`.
fn milliseconds(value: &Value) -> Option<u64> {
    let mut rest = value.as_str()?;
    let mut sum = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(digits);
        let unit = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let factor = match &tail[..unit] {
            "h" => 3_600_000,
            "m" => 60_000,
            "s" => 1_000,
            "ms" => 1,
            other => panic!("a duration in {other}"),
        };
        sum += number.parse::<u64>().ok()? * factor;
        rest = &tail[unit..];
    }
    Some(sum)
}

fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

/// What both models say of a service, from what Compose prints.
pub(super) fn theirs_of(service: &Value) -> Value {
    let check = &service["healthcheck"];
    let ports: Vec<Value> = entries(&service["ports"])
        .map(|port| {
            json!([
                port["host_ip"],
                number(&port["published"]),
                port["target"],
                port["protocol"]
            ])
        })
        .collect();
    let mut mounts: Vec<Value> = entries(&service["volumes"])
        .map(|mount| json!([mount["type"], mount["source"], mount["target"]]))
        .chain(entries(&service["tmpfs"]).map(|mount| json!(["tmpfs", mount])))
        .collect();
    mounts.sort_by_key(Value::to_string);
    let depends: BTreeMap<String, Value> = service["depends_on"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, dependency)| (name.clone(), dependency["condition"].clone()))
        .collect();
    let environment: BTreeMap<String, Value> = service["environment"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), unescaped(value)))
        .collect();
    json!({
        "image": service["image"],
        "command": unescaped(&service["command"]),
        "entrypoint": unescaped(&service["entrypoint"]),
        "environment": environment,
        "ports": ports,
        "mounts": mounts,
        "configs": entries(&service["configs"]).map(|config| (config["target"].to_string(), config["source"].clone())).collect::<BTreeMap<_, _>>(),
        "dependsOn": depends,
        "healthcheck": {
            "test": unescaped(&check["test"]),
            "interval": milliseconds(&check["interval"]),
            "timeout": milliseconds(&check["timeout"]),
            "startPeriod": milliseconds(&check["start_period"]),
            "startInterval": milliseconds(&check["start_interval"]),
            "retries": check["retries"],
        },
        "user": service["user"],
        "readOnly": service["read_only"],
        "capDrop": service["cap_drop"],
        "capAdd": entries(&service["cap_add"]).collect::<Vec<_>>(),
        "securityOpt": service["security_opt"],
        "memory": number(&service["mem_limit"]),
        "pids": number(&service["pids_limit"]),
        "cpus": service["cpus"].as_f64(),
        "shm": number(&service["shm_size"]),
        "grace": milliseconds(&service["stop_grace_period"]),
        "init": service["init"],
        "profiles": entries(&service["profiles"]).collect::<Vec<_>>(),
        "logging": service["logging"],
    })
}

fn entries(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// The same, from the engine's model.
pub(super) fn ours_of(service: &Service) -> Value {
    let check = service.healthcheck.clone().unwrap_or_default();
    let milliseconds =
        |duration: Option<Duration>| duration.map(|duration| u64::try_from(duration.as_millis()).unwrap());
    let ports: Vec<Value> = service
        .ports
        .iter()
        .map(|port| json!([port.host_ip, port.published, port.target, port.protocol.as_str()]))
        .collect();
    let mut mounts: Vec<Value> = service
        .mounts
        .iter()
        .map(|mount| match mount {
            Mount::Volume { source, target, .. } => json!(["volume", source, target]),
            Mount::Tmpfs { target, options } => json!(["tmpfs", format!("{target}:{options}")]),
        })
        .collect();
    mounts.sort_by_key(Value::to_string);
    let depends: BTreeMap<&String, &str> = service
        .depends_on
        .iter()
        .map(|(name, dependency)| (name, dependency.condition.as_str()))
        .collect();
    json!({
        "image": by_name(&service.image),
        "command": service.command,
        "entrypoint": service.entrypoint,
        "environment": service.environment,
        "ports": ports,
        "mounts": mounts,
        "configs": service.configs.iter().map(|config| (json!(config.target).to_string(), json!(config.source))).collect::<BTreeMap<_, _>>(),
        "dependsOn": depends,
        "healthcheck": {
            "test": check.test,
            "interval": milliseconds(check.interval),
            "timeout": milliseconds(check.timeout),
            "startPeriod": milliseconds(check.start_period),
            "startInterval": milliseconds(check.start_interval),
            "retries": check.retries,
        },
        "user": service.user,
        "readOnly": service.read_only,
        "capDrop": service.cap_drop,
        "capAdd": service.cap_add,
        "securityOpt": service.security_opt,
        "memory": service.resources.memory,
        "pids": service.resources.pids,
        "cpus": service.resources.nano_cpus.map(|cpus| cpus as f64 / 1e9),
        "shm": service.shm_size,
        "grace": milliseconds(service.stop_grace_period),
        "init": service.init,
        "profiles": service.profiles,
        "logging": service.logging.as_ref().map(|logging| json!({ "driver": logging.driver, "options": logging.options })),
    })
}

/// Of an image that is built from a recipe the engine takes the hash of that recipe where the files say `latest`.
fn by_name(image: &str) -> String {
    match image
        .strip_prefix("odd-offline/")
        .and_then(|rest| rest.split_once(':'))
    {
        Some((name, _)) => format!("odd-offline/{name}:latest"),
        None => image.to_owned(),
    }
}
