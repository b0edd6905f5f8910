//! Comparing and applying.

use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::{Patch, PatchParams};
use odd_engine::kubernetes::cluster::{
    Action, Applied, ApplyOptions, ClusterError, Event, FieldChange, Step, apply, plan,
};
use serde_json::json;

use super::{Told, cluster, config_map, deployment, namespace, parsed};
use crate::api::Conversation;

const OPTIONS: ApplyOptions = ApplyOptions { force: false };

fn actions(steps: &[Step]) -> Vec<(String, &Action)> {
    let one = |step: &'_ Step| step.object.to_string();
    steps.iter().map(|step| (one(step), &step.action)).collect()
}

fn changed(applied: &[Applied]) -> Vec<String> {
    let changed = applied.iter().filter(|applied| applied.changed);
    changed.map(|applied| applied.object.to_string()).collect()
}

#[tokio::test]
async fn what_is_there_as_it_shall_be_is_kept_and_what_differs_is_told_and_changed() {
    const HERE: &str = "odd-test-apply";
    let conversation = Conversation::start("apply", &[HERE]).await;
    let cluster = cluster(&conversation).await;
    let told = Told::default();
    let wanted = |level: &str| {
        let nothing = json!({});
        parsed(vec![
            deployment(HERE, "gateway", 0, &nothing),
            config_map(HERE, level),
            namespace(HERE),
        ])
    };
    let first = wanted("info");
    let steps = plan(&cluster, &first, OPTIONS).await.unwrap();
    let all = [
        "namespace/odd-test-apply",
        "configmap/settings",
        "deployment/gateway",
    ];
    assert_eq!(
        actions(&steps),
        all.map(|name| (name.to_owned(), &Action::Create)),
        "nothing is there, not even the namespace"
    );
    let applied = apply(&cluster, &first, OPTIONS, &told.tell()).await.unwrap();
    assert_eq!(changed(&applied), all, "others may refer to what comes first");
    let created = told.events().iter().all(|event| {
        matches!(
            event,
            Event::Applied {
                created: true,
                changed: true,
                ..
            }
        )
    });
    assert!(created, "{:?}", told.events());

    let steps = plan(&cluster, &first, OPTIONS).await.unwrap();
    assert_eq!(
        actions(&steps),
        all.map(|name| (name.to_owned(), &Action::Keep)),
        "what the server adds by itself is no difference"
    );
    let again = apply(&cluster, &first, OPTIONS, &told.tell()).await.unwrap();
    assert_eq!(changed(&again), Vec::<String>::new());

    let second = wanted("debug");
    let steps = plan(&cluster, &second, OPTIONS).await.unwrap();
    let fields = vec![FieldChange {
        path: "data.ODD_LOG".to_owned(),
        from: Some("info".into()),
        to: Some("debug".into()),
    }];
    assert_eq!(steps[1].action, Action::Change { fields });
    assert_eq!(steps[2].action, Action::Keep);
    let applied = apply(&cluster, &second, OPTIONS, &told.tell()).await.unwrap();
    assert_eq!(changed(&applied), ["configmap/settings"]);
    conversation.finish().await;
}

#[tokio::test]
async fn a_field_that_somebody_else_owns_is_left_to_them_unless_it_is_taken_over() {
    const HERE: &str = "odd-test-owners";
    let conversation = Conversation::start("owners", &[HERE]).await;
    let cluster = cluster(&conversation).await;
    let told = Told::default();
    let wanted = parsed(vec![namespace(HERE), deployment(HERE, "gateway", 0, &json!({}))]);
    apply(&cluster, &wanted, OPTIONS, &told.tell()).await.unwrap();
    let deployments: Api<Deployment> = Api::namespaced(conversation.client().await, HERE);
    let by_hand = PatchParams {
        field_manager: Some("by-hand".to_owned()),
        ..PatchParams::default()
    };
    let more = Patch::Merge(json!({"spec": {"replicas": 2}}));
    deployments.patch("gateway", &by_hand, &more).await.unwrap();

    for error in [
        plan(&cluster, &wanted, OPTIONS).await.unwrap_err(),
        apply(&cluster, &wanted, OPTIONS, &told.tell()).await.unwrap_err(),
    ] {
        let ClusterError::Conflict { object, fields } = &error else {
            panic!("{error}")
        };
        assert_eq!(object.to_string(), "deployment/gateway");
        let fields: Vec<_> = fields
            .iter()
            .map(|it| (it.field.as_str(), it.owner.as_str()))
            .collect();
        assert_eq!(fields, [(".spec.replicas", "by-hand")]);
    }
    let force = ApplyOptions { force: true };
    let steps = plan(&cluster, &wanted, force).await.unwrap();
    let Action::Change { fields } = &steps[1].action else {
        panic!("{steps:?}")
    };
    assert_eq!(fields[0].path, "spec.replicas");
    let applied = apply(&cluster, &wanted, force, &told.tell()).await.unwrap();
    assert_eq!(changed(&applied), ["deployment/gateway"]);
    conversation.finish().await;
}

#[tokio::test]
async fn what_the_cluster_does_not_take_is_told_as_it_says_it() {
    const HERE: &str = "odd-test-refused";
    let conversation = Conversation::start("refused", &[HERE]).await;
    let cluster = cluster(&conversation).await;
    let told = Told::default();
    let mut wrong = deployment(HERE, "gateway", 0, &json!({}));
    wrong["spec"]["template"]["metadata"]["labels"] = json!({"app.kubernetes.io/name": "another"});
    apply(&cluster, &parsed(vec![namespace(HERE)]), OPTIONS, &told.tell())
        .await
        .unwrap();
    for error in [
        plan(&cluster, &parsed(vec![wrong.clone()]), OPTIONS)
            .await
            .unwrap_err(),
        apply(&cluster, &parsed(vec![wrong]), OPTIONS, &told.tell())
            .await
            .unwrap_err(),
    ] {
        let text = error.to_string();
        assert!(matches!(error, ClusterError::Refused { .. }), "{text}");
        assert!(text.contains("refuses to apply deployment/gateway"), "{text}");
        assert!(
            text.contains("`selector` does not match template `labels`"),
            "{text}"
        );
    }
    let unknown = json!({
        "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
        "metadata": {"name": "processor", "namespace": HERE},
    });
    let error = plan(&cluster, &parsed(vec![unknown]), OPTIONS).await.unwrap_err();
    let expected = format!(
        "the cluster (Kubernetes {}) knows no ScaledObject of keda.sh/v1alpha1",
        cluster.version
    );
    assert_eq!(error.to_string(), expected);
    conversation.finish().await;
}
