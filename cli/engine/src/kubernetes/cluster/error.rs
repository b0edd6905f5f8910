//! What can go wrong with a cluster, each with what mends it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use kube::core::Status;

use super::{ObjectRef, PodTrouble, Waiting};
use crate::kubernetes::kind;

/// A field that somebody else owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedField {
    /// Its path, such as `.spec.replicas`.
    pub field: String,
    /// Who owns it, as the server says it.
    pub owner: String,
}

/// Why something was not done in a cluster.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// There is no kubeconfig.
    #[error("there is no kubeconfig{}", at.as_ref().map(|path| format!(" at {}", path.display())).unwrap_or_default())]
    NoKubeconfig {
        /// Where it was looked for, where that was told.
        at: Option<PathBuf>,
    },
    /// The kubeconfig makes no sense.
    #[error("the kubeconfig cannot be used: {reason}")]
    Kubeconfig {
        /// Why.
        reason: String,
    },
    /// The kubeconfig has no context of this name.
    #[error("the kubeconfig has no context {name:?}; it has {}", some(known))]
    NoContext {
        /// The name.
        name: String,
        /// Those that it has.
        known: Vec<String>,
    },
    /// The server does not answer.
    #[error("the cluster of context {context} does not answer at {server}: {reason}")]
    Unreachable {
        /// The context.
        context: String,
        /// Address of the server.
        server: String,
        /// What the system said.
        reason: String,
    },
    /// The server does not know who asks.
    #[error("the cluster of context {context} does not take these credentials: {reason}")]
    Unauthorized {
        /// The context.
        context: String,
        /// What the server said.
        reason: String,
    },
    /// Whoever asks may not do this.
    #[error("the cluster does not allow to {action}: {reason}")]
    Forbidden {
        /// What was tried.
        action: String,
        /// What the server said.
        reason: String,
    },
    /// The server knows no objects of this kind.
    #[error("the cluster (Kubernetes {version}) knows no {kind} of {api_version}")]
    UnknownKind {
        /// The kind.
        kind: String,
        /// Its group and version.
        api_version: String,
        /// Version of the server.
        version: String,
    },
    /// A context means another cluster than before.
    #[error(
        "the context {context} means another cluster now: {now}, where the instance is in that of {before}"
    )]
    AnotherCluster {
        /// The context.
        context: String,
        /// Address of the server that the instance was put into.
        before: String,
        /// Address of the server that the context means now.
        now: String,
    },
    /// A namespace is there that was made by somebody else.
    #[error("the namespace {namespace} is there, and was not made for this instance")]
    ForeignNamespace {
        /// Its name.
        namespace: String,
    },
    /// The passwords to data that is there are gone.
    #[error(
        "the namespace {namespace} has volumes with data, and its Secret odd-secrets lacks {missing}, without which nobody gets at them"
    )]
    PasswordsLost {
        /// The namespace.
        namespace: String,
        /// A key that is missing.
        missing: String,
    },
    /// What cannot be there in any number.
    #[error("{name} cannot be scaled; {} can", some(known))]
    NotScalable {
        /// The name.
        name: String,
        /// Deployments.
        known: Vec<String>,
    },
    /// The server is of a version that does not take the manifests.
    #[error("the cluster is of Kubernetes {version}, and {oldest} is needed")]
    TooOld {
        /// Its version.
        version: String,
        /// The oldest that does.
        oldest: String,
    },
    /// Fields of an object belong to somebody else.
    #[error("{object} has fields that others own: {}", owned(fields))]
    Conflict {
        /// The object.
        object: ObjectRef,
        /// The fields.
        fields: Vec<OwnedField>,
    },
    /// The server refuses what it was asked for.
    #[error("the cluster refuses to {action}: {reason}")]
    Refused {
        /// What was tried.
        action: String,
        /// What the server said.
        reason: String,
    },
    /// Pods were not ready in time.
    #[error("not ready within {} s: {}", limit.as_secs(), waiting.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    NotReady {
        /// The limit.
        limit: Duration,
        /// What is waited for.
        waiting: Vec<Waiting>,
        /// What is the matter with pods.
        troubles: Vec<PodTrouble>,
    },
    /// Nothing of an instance is there.
    #[error("nothing of the instance is in the namespace {namespace}")]
    NotThere {
        /// The namespace.
        namespace: String,
    },
    /// An instance has no part of this name.
    #[error("there is no {name}; there are {known}")]
    NoSuchPart {
        /// The name.
        name: String,
        /// Those that it has.
        known: String,
    },
    /// Objects are still there after their removal.
    #[error("still there after {} s: {}", limit.as_secs(), objects.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    NotGone {
        /// The limit.
        limit: Duration,
        /// The objects.
        objects: Vec<ObjectRef>,
    },
    /// A port of this machine cannot be listened at.
    #[error("cannot listen at {address} for {service}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The Service that it was for.
        service: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A Service has no pod now that takes requests.
    #[error("none of the pods of the Service {service} is ready")]
    NoReadyPod {
        /// The Service.
        service: String,
    },
    /// A Service that is to be forwarded to makes no sense.
    #[error("the Service {service} cannot be forwarded to: {reason}")]
    NoSuchPort {
        /// The Service.
        service: String,
        /// Why.
        reason: String,
    },
}

fn some(names: &[String]) -> String {
    match names {
        [] => "none".to_owned(),
        names => names.join(", "),
    }
}

fn owned(fields: &[OwnedField]) -> String {
    let one = |field: &OwnedField| format!("{} ({})", field.field, field.owner);
    fields.iter().map(one).collect::<Vec<_>>().join(", ")
}

impl ClusterError {
    /// Of what a request of the client library failed with.
    pub(in crate::kubernetes) fn of(action: impl Into<String>, error: &kube::Error) -> Self {
        let action = action.into();
        match error {
            kube::Error::Api(status) => Self::of_status(action, status),
            other => Self::Refused {
                action,
                reason: crate::error::chain(other),
            },
        }
    }

    fn of_status(action: String, status: &Status) -> Self {
        let reason = said(status);
        match status.code {
            403 if status.reason == "Forbidden" => Self::Forbidden { action, reason },
            _ => Self::Refused { action, reason },
        }
    }

    /// Of an object that was to be applied.
    pub(super) fn of_apply(object: &ObjectRef, error: &kube::Error) -> Self {
        if let kube::Error::Api(status) = error
            && status.code == 409
        {
            let fields = conflicts(status);
            if !fields.is_empty() {
                return Self::Conflict {
                    object: object.clone(),
                    fields,
                };
            }
        }
        Self::of(format!("apply {object}"), error)
    }

    /// What to try next.
    pub fn remedy(&self) -> String {
        match self {
            Self::NoKubeconfig { .. } => {
                "name one with KUBECONFIG, or take another engine: odd up --engine docker".to_owned()
            }
            Self::Kubeconfig { .. } => "kubectl config view   (it shows what was read)".to_owned(),
            Self::NoContext { .. } => {
                "kubectl config get-contexts   (it lists them); where the cluster is gone: odd down --forget".to_owned()
            }
            Self::Unreachable { context, .. } if context == kind::CONTEXT => {
                format!("docker start {}-control-plane   (where it was stopped)", kind::CLUSTER)
            }
            Self::Unreachable { context, .. } => {
                format!("kubectl --context {context} version   (it asks the same server); where it is gone: odd down --forget")
            }
            Self::Unauthorized { context, .. } => {
                format!("log in to the cluster anew, then: kubectl --context {context} auth whoami")
            }
            Self::Forbidden { .. } => {
                "ask whoever runs the cluster for the rights, or take another context".to_owned()
            }
            Self::UnknownKind { .. } => {
                "take a cluster of Kubernetes 1.30 or later; operators have to be installed first (k8s/README.md)".to_owned()
            }
            Self::AnotherCluster { context, .. } => {
                format!("kubectl config use-context {context}   (with the kubeconfig of before), or where that cluster is gone: odd down --forget")
            }
            Self::ForeignNamespace { .. } => "take another instance: odd up --instance NAME".to_owned(),
            Self::PasswordsLost { .. } => {
                "restore the Secret from where it is kept, or give the data up: odd down --volumes".to_owned()
            }
            Self::NotScalable { .. } => "odd up --scale processor=4".to_owned(),
            Self::TooOld { .. } => "take another cluster: kubectl config get-contexts lists them".to_owned(),
            Self::Conflict { .. } => {
                "leave these fields to them, or take them over with --force-conflicts".to_owned()
            }
            Self::Refused { .. } => "odd export k8s   (it shows what was to be applied)".to_owned(),
            Self::NotReady { .. } => {
                "what the pods say stands above; `odd up` goes on from here, with --timeout longer".to_owned()
            }
            Self::NotThere { .. } => "odd up".to_owned(),
            Self::NoSuchPart { .. } => "odd status   (it lists them)".to_owned(),
            Self::NotGone { .. } => {
                "kubectl get events   (it shows what holds them); the same command again goes on".to_owned()
            }
            Self::Listen { .. } => "choose other ports with --port-offset".to_owned(),
            Self::NoReadyPod { .. } => "odd status   (it shows what the pods wait for)".to_owned(),
            Self::NoSuchPort { .. } => "odd up   (it makes the Service anew)".to_owned(),
        }
    }
}

/// What a server says, in one line.
pub(super) fn said(status: &Status) -> String {
    match (&status.message[..], &status.reason[..]) {
        ("", "") => format!("status {}", status.code),
        ("", reason) => reason.to_owned(),
        (message, _) => message.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

/// The fields of a refused apply, each with its owner. The server words a cause as `conflict with "NAME" using VERSION`.
fn conflicts(status: &Status) -> Vec<OwnedField> {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let conflicts = causes.filter(|cause| cause.reason == "FieldManagerConflict");
    conflicts
        .map(|cause| OwnedField {
            field: cause.field.clone(),
            owner: owner(&cause.message),
        })
        .collect()
}

fn owner(message: &str) -> String {
    let quoted = message.split('"').nth(1);
    quoted.unwrap_or(message).to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status(value: serde_json::Value) -> kube::Error {
        kube::Error::Api(Box::new(serde_json::from_value(value).unwrap()))
    }

    fn object() -> ObjectRef {
        ObjectRef {
            api_version: "apps/v1".to_owned(),
            kind: "Deployment".to_owned(),
            namespace: Some("odd".to_owned()),
            name: "gateway".to_owned(),
        }
    }

    #[test]
    fn a_conflict_names_the_fields_and_their_owners() {
        let error = status(json!({
            "status": "Failure", "reason": "Conflict", "code": 409,
            "message": "Apply failed with 1 conflict: conflict with \"kubectl-scale\" using apps/v1: .spec.replicas",
            "details": {"causes": [{
                "reason": "FieldManagerConflict", "field": ".spec.replicas",
                "message": "conflict with \"kubectl-scale\" using apps/v1",
            }]},
        }));
        let error = ClusterError::of_apply(&object(), &error);
        assert_eq!(
            error.to_string(),
            "deployment/gateway has fields that others own: .spec.replicas (kubectl-scale)"
        );
        assert!(error.remedy().contains("--force-conflicts"));
    }

    #[test]
    fn a_conflict_of_another_kind_is_no_conflict_of_fields() {
        let error = status(json!({"reason": "AlreadyExists", "code": 409, "message": "it is there"}));
        let error = ClusterError::of_apply(&object(), &error);
        assert!(matches!(error, ClusterError::Refused { .. }), "{error}");
    }

    #[test]
    fn what_is_forbidden_says_so_in_one_line() {
        let error =
            status(json!({"reason": "Forbidden", "code": 403, "message": "deployments is\n  forbidden"}));
        let error = ClusterError::of_apply(&object(), &error);
        assert_eq!(
            error.to_string(),
            "the cluster does not allow to apply deployment/gateway: deployments is forbidden"
        );
    }
}
