//! Removing.

use std::time::Duration;

use odd_engine::kubernetes::cluster::{ApplyOptions, Event, ObjectRef, Removed, apply, remove};
use serde_json::json;

use super::{Told, cluster, config_map, deployment, namespace, parsed};
use crate::api::Conversation;

const LONG: Duration = Duration::from_secs(120);

#[tokio::test]
async fn what_is_removed_is_gone_afterwards_and_removing_it_again_does_nothing() {
    const HERE: &str = "odd-test-remove";
    let conversation = Conversation::start("remove", &[HERE]).await;
    let cluster = cluster(&conversation).await;
    let told = Told::default();
    let wanted = parsed(vec![
        namespace(HERE),
        config_map(HERE, "info"),
        deployment(HERE, "gateway", 1, &json!({})),
    ]);
    apply(&cluster, &wanted, ApplyOptions::default(), &told.tell())
        .await
        .unwrap();
    let mut all: Vec<ObjectRef> = wanted.into_iter().map(|object| object.reference).collect();
    // Of a kind that this cluster does not know, as with an operator that is not installed.
    all.push(ObjectRef {
        api_version: "keda.sh/v1alpha1".to_owned(),
        kind: "ScaledObject".to_owned(),
        ..all[1].clone()
    });

    let removing = Told::default();
    let removed = remove(&cluster, &all, LONG, &removing.tell()).await.unwrap();
    let names: Vec<String> = removed.objects.iter().map(ToString::to_string).collect();
    assert_eq!(
        names,
        [
            "deployment/gateway",
            "configmap/settings",
            "namespace/odd-test-remove"
        ]
    );
    let told: Vec<String> = removing
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::Removed { object } => Some(object.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(told, names, "each is told when it is gone");
    let again = remove(&cluster, &all, LONG, &removing.tell()).await.unwrap();
    assert_eq!(again, Removed::default());
    conversation.finish().await;
}
