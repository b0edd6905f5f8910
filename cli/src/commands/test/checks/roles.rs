//! What every role serves beside its own interface.

use std::collections::BTreeSet;

use odd_client::RawRequest;
use odd_contracts::api::{HealthState, RoleHealth};
use odd_contracts::{JobId, Role, VERSION};
use serde_json::Value;

use super::super::exposition::{self, Exposition};
use super::super::gate::{Gate, ensure, same, text};
use super::super::run::Outcome;

/// Label that every sample carries.
const SERVICE: &str = "service";

pub(super) async fn alive(gate: Gate, role: Role) -> Outcome {
    if !gate.calls(role) {
        let seen = seen(&gate, role).await?;
        let version = seen.version.ok_or("the read-model has no answer of it")?;
        return Ok(format!("version {version}, seen by the read-model"));
    }
    let health = gate.role(role)?.healthz().await.map_err(text)?;
    same("status", health.status.as_str(), "ok")?;
    same("service", health.service.as_str(), role.name())?;
    Ok(format!("version {}", health.version))
}

pub(super) async fn ready(gate: Gate, role: Role) -> Outcome {
    if !gate.calls(role) {
        let seen = seen(&gate, role).await?;
        ensure(seen.state == HealthState::Healthy, || {
            format!("{:?}: {}", seen.state, seen.detail.unwrap_or_default())
        })?;
        return Ok("seen by the read-model".to_owned());
    }
    let readiness = gate.role(role)?.readyz().await.map_err(text)?;
    let checks: Vec<String> = readiness
        .health
        .checks
        .iter()
        .map(|(name, state)| format!("{name} {state}"))
        .collect();
    ensure(readiness.ready, || format!("not ready: {}", checks.join(", ")))?;
    Ok(checks.join(", "))
}

/// What the read-model sees of a role that cannot be called from here.
async fn seen(gate: &Gate, role: Role) -> Result<RoleHealth, String> {
    let overview = gate.read_model().overview().await.map_err(text)?;
    let seen = overview.roles.into_iter().find(|seen| seen.role == role);
    seen.ok_or_else(|| format!("the overview does not know the {role}"))
}

/// Roles of another version than this command may yet agree with each other: that is what counts.
pub(super) async fn versions(gate: Gate) -> Outcome {
    let mut versions = BTreeSet::new();
    for role in Role::ALL {
        if !gate.calls(role) {
            let version = seen(&gate, role).await?.version;
            versions.extend(version);
            continue;
        }
        let health = gate.role(role)?.healthz().await.map_err(text)?;
        let openapi = gate.role(role)?.openapi().await.map_err(text)?;
        let described = openapi["info"]["version"].as_str().unwrap_or_default();
        same(
            &format!("version that the {role} describes"),
            described,
            health.version.as_str(),
        )?;
        versions.insert(health.version);
    }
    ensure(versions.len() == 1, || format!("roles run {versions:?}"))?;
    let version = versions.pop_first().unwrap_or_default();
    Ok(if version == VERSION {
        version
    } else {
        format!("{version}; this command is {VERSION}")
    })
}

/// Metrics of a role, read as a monitor would; those that Prometheus has of a role that cannot be called from here.
pub(super) async fn scrape(gate: &Gate, role: Role) -> Result<Exposition, String> {
    if !gate.calls(role) {
        return gate.stack().prometheus()?.of_service(role.name()).await;
    }
    let answer = gate.raw(role, RawRequest::get("/metrics")).await?;
    same("status of /metrics", answer.status, 200)?;
    let content_type = answer.header("content-type");
    ensure(content_type.starts_with("text/plain"), || {
        format!("metrics of content type {content_type:?}")
    })?;
    let text = String::from_utf8(answer.body.to_vec()).map_err(|_| "metrics are no UTF-8")?;
    exposition::parse(&text)
}

pub(super) async fn metrics(gate: Gate, role: Role) -> Outcome {
    let exposition = scrape(&gate, role).await?;
    ensure(!exposition.samples.is_empty(), || "there are none".to_owned())?;
    for sample in &exposition.samples {
        let service = sample.labels.get(SERVICE).map_or("", String::as_str);
        same(
            &format!("label {SERVICE} of {}", sample.name),
            service,
            role.name(),
        )?;
        for (label, value) in &sample.labels {
            ensure(value.parse::<JobId>().is_err(), || {
                format!("label {label} of {} is an id: {value}", sample.name)
            })?;
        }
    }
    Ok(format!("{} samples", exposition.samples.len()))
}

pub(super) async fn openapi(gate: Gate, role: Role) -> Outcome {
    let document = gate.role(role)?.openapi().await.map_err(text)?;
    let version = document["openapi"].as_str().unwrap_or_default();
    ensure(version.starts_with("3."), || {
        format!("OpenAPI version {version:?}")
    })?;
    let paths = document["paths"].as_object().ok_or("the document has no paths")?;
    for path in ["/healthz", "/readyz", "/metrics"] {
        ensure(paths.contains_key(path), || format!("{path} is not described"))?;
    }
    for (path, item) in paths {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let responses = operation["responses"].as_object();
            ensure(responses.is_some_and(|responses| !responses.is_empty()), || {
                format!("{method} {path} describes no response")
            })?;
        }
    }
    references(&document, &document)?;
    Ok(format!("{} paths", paths.len()))
}

/// Every `$ref` within leads somewhere.
fn references(part: &Value, document: &Value) -> Result<(), String> {
    match part {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref") {
                let target = reference
                    .strip_prefix('#')
                    .and_then(|path| document.pointer(path));
                ensure(target.is_some(), || format!("{reference} leads nowhere"))?;
            }
            fields.values().try_for_each(|value| references(value, document))
        }
        Value::Array(items) => items.iter().try_for_each(|value| references(value, document)),
        _ => Ok(()),
    }
}

pub(super) async fn docs(gate: Gate, role: Role) -> Outcome {
    let page = gate.raw(role, RawRequest::get("/docs")).await?;
    same("status of /docs", page.status, 200)?;
    let html = String::from_utf8_lossy(&page.body).into_owned();
    ensure(html.contains("swagger-ui"), || {
        "/docs is not Swagger UI".to_owned()
    })?;
    let script = gate
        .raw(role, RawRequest::get("/docs/swagger-ui-bundle.js"))
        .await?;
    same("status of its script", script.status, 200)?;
    Ok("Swagger UI".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_that_lead_nowhere_are_found() {
        let mut document = json!({
            "components": { "schemas": { "A": { "type": "string" } } },
            "paths": { "/a": { "get": { "items": [{ "$ref": "#/components/schemas/A" }] } } },
        });
        assert_eq!(references(&document, &document), Ok(()));
        document["paths"]["/a"]["get"]["items"][0]["$ref"] = json!("#/components/schemas/B");
        assert!(
            references(&document, &document)
                .unwrap_err()
                .contains("schemas/B")
        );
    }
}
